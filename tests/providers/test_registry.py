"""Relay's own adapters are found as they are, those of other packages by their entry points."""

import subprocess
import sys
from pathlib import Path

import pytest

from relay.errors import LocalProtocolError
from relay.providers.registry import GROUP, OWN, adapter_class, carrier_names
from relay.providers.twilio import TwilioAdapter


def install(site: Path, package: str, entries: str) -> None:
    """As an installer leaves it."""
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])  # what is really installed is another matter
    return tmp_path


def test_another_packages_carrier_is_found(site: Path) -> None:
    install(site, "acme_relay", "acme = acme_relay:Adapter\nzenith = acme_relay:Adapter")
    (site / "acme_relay.py").write_text("class Adapter:\n    name = 'acme'\n")
    assert carrier_names() == sorted([*OWN, "acme", "zenith"])
    assert adapter_class("acme")().name == "acme"


def test_relays_own_are_found_without_being_installed_and_cannot_be_replaced(site: Path) -> None:
    assert carrier_names() == sorted(OWN)
    install(site, "acme_relay", "twilio = acme_relay:Adapter")
    assert carrier_names() == sorted(OWN)
    assert adapter_class("twilio") is TwilioAdapter


def test_no_control_side_is_loaded_with_an_adapter() -> None:
    """A worker has no use for what a control side brings, such as cryptography."""
    script = "import sys; from relay.providers.registry import *; [adapter_class(name) for name in OWN]"
    script += "; print([name for name in sys.modules if 'control' in name or 'crypto' in name])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_a_carrier_that_nobody_has_is_refused(site: Path) -> None:
    with pytest.raises(LocalProtocolError, match=r"^carrier 'acme': expected one package .* vonage, got 0$"):
        adapter_class("acme")


def test_a_carrier_that_two_have_is_refused(site: Path) -> None:
    for package in ("acme_relay", "acme_too"):
        install(site, package, f"acme = {package}:Adapter")
    with pytest.raises(LocalProtocolError, match=r"expected one package that has it, .* got 2$"):
        adapter_class("acme")
