"""The files of docs/deploy: systemd takes the unit, and the manifest fits the service that it runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.app.admission import WORKER_MEMORY_BYTES
from relay.app.embedded_store import STOP_S
from relay.app.machine import DESCRIPTORS_PER_TRANSFER
from relay.app.service import HURRY_S, LINGER_S
from relay.app.settings import Settings, load_settings
from relay.bridge.pooled_worker import EXIT_S
from relay.bridge.settings import BridgeSettings
from relay.bridge.worker_bridge import KILL_S, RELEASE_MARGIN_S
from tests.docs.shell_pages import ROOT

DEPLOY = ROOT / "docs" / "deploy"
PAGE = (ROOT / "docs" / "going-live.md").read_text()
UNIT = (DEPLOY / "relay.service").read_text()
MANIFEST = {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())}
POD = MANIFEST["Deployment"]["spec"]["template"]
DRAIN_S = Settings().drain_timeout_s
BRIDGE = BridgeSettings()
RELEASE_S = max(BRIDGE.notice_timeout_s + BRIDGE.close_timeout_s, BRIDGE.leave_timeout_s) + RELEASE_MARGIN_S + KILL_S
GOODBYE_S = HURRY_S + LINGER_S + RELEASE_S + EXIT_S + 1 + STOP_S
"""
What a service takes at most after its calls have had their time: carriers to hang up, clients to go, what is left of
bridges, their processes, its own store to end.
"""


def unit(name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    return str(value)


def container() -> dict[str, Any]:
    (only,) = POD["spec"]["containers"]
    return dict(only)


def settings_of_the_manifest(folder: Path) -> Settings:
    ((name, content),) = MANIFEST["Secret"]["stringData"].items()
    (folder / name).write_text(content)
    return load_settings({"RELAY_CONFIG": name}, folder)


def test_the_page_leads_to_each_file() -> None:
    assert {file.name for file in DEPLOY.iterdir()} == set(re.findall(r"\(deploy/([\w.]+)\)", PAGE))


# systemd


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_unit_is_one(tmp_path: Path) -> None:
    path = tmp_path / "relay.service"
    path.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", UNIT, flags=re.MULTILINE))
    checked = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert (checked.returncode, "relay.service" in checked.stderr) == (0, False), checked.stderr


def test_the_unit_leaves_calls_their_time_to_end() -> None:
    (minutes,) = re.findall(r"(\d+)min", unit("TimeoutStopSec"))
    assert int(minutes) * 60 >= DRAIN_S + GOODBYE_S
    assert f"(drain_timeout_s: {DRAIN_S:g})" in UNIT


def test_the_unit_lets_the_service_alone_be_told_to_stop_and_does_not_repeat_what_cannot_work() -> None:
    assert (unit("KillMode"), unit("RestartPreventExitStatus")) == ("process", "2")


def test_the_unit_lets_one_calls_process_die_alone() -> None:
    assert (unit("OOMPolicy"), unit("LimitCORE")) == ("continue", "0")


def test_the_unit_allows_all_descriptors_that_relay_may_need() -> None:
    assert int(unit("LimitNOFILE")) >= DESCRIPTORS_PER_TRANSFER * 10_000


# Kubernetes


def test_the_manifest_configures_a_service(tmp_path: Path) -> None:
    settings = settings_of_the_manifest(tmp_path)
    assert not settings.listen.is_loopback
    assert settings.redis_url is not None, "a store of its own would be gone with the pod"
    (port,) = container()["ports"]
    assert (port["containerPort"], port["name"]) == (settings.listen.port, "http")


def test_the_manifest_mounts_its_configuration_where_relay_looks_for_it() -> None:
    (name,) = MANIFEST["Secret"]["stringData"]
    (config,) = (each for each in container()["env"] if each["name"] == "RELAY_CONFIG")
    mounts = {each["name"]: each["mountPath"] for each in container()["volumeMounts"]}
    volumes = {each["name"]: each for each in POD["spec"]["volumes"]}
    assert config["value"] == f"{mounts['config']}/{name}"
    assert volumes["config"]["secret"]["secretName"] == MANIFEST["Secret"]["metadata"]["name"]
    assert mounts.keys() == volumes.keys()


def test_the_manifest_leaves_calls_their_time_to_end(tmp_path: Path) -> None:
    """``preStop`` takes its part of the grace."""
    drain_s = settings_of_the_manifest(tmp_path).drain_timeout_s
    sleep, seconds = container()["lifecycle"]["preStop"]["exec"]["command"]
    grace_s = POD["spec"]["terminationGracePeriodSeconds"]
    assert (sleep, drain_s) == ("sleep", DRAIN_S)
    assert grace_s >= drain_s + int(seconds) + GOODBYE_S
    assert f"at most {GOODBYE_S:g} s, in which phones that a carrier does not end within {HURRY_S} s" in PAGE
    assert f"`terminationGracePeriodSeconds: {grace_s}` is `drain_timeout_s` ({drain_s:g}), the {seconds} s of" in PAGE


def test_the_manifest_has_one_relay_at_a_time_and_signals_reach_it() -> None:
    spec = MANIFEST["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert container()["command"] == ["relay", "serve"]


def test_the_carrier_reaches_a_pod_that_takes_no_new_transfers() -> None:
    service = MANIFEST["Service"]["spec"]
    assert service["publishNotReadyAddresses"] is True
    assert service["selector"].items() <= POD["metadata"]["labels"].items()
    assert MANIFEST["Deployment"]["spec"]["selector"]["matchLabels"] == service["selector"]
    (port,) = service["ports"]
    assert port["targetPort"] == container()["ports"][0]["name"]


def test_the_probes_ask_what_they_mean_to() -> None:
    """A pod that is full or drains must not be restarted for it."""
    asked = {name: container()[f"{name}Probe"]["httpGet"] for name in ("readiness", "liveness")}
    assert asked == {"readiness": {"path": "/readyz", "port": "http"}, "liveness": {"path": "/healthz", "port": "http"}}


def test_the_pod_has_memory_for_all_its_transfers_and_no_quota(tmp_path: Path) -> None:
    limits = container()["resources"]["limits"]
    (gib,) = re.findall(r"(\d+)Gi", limits["memory"])
    assert (int(gib) << 30) * 0.85 >= settings_of_the_manifest(tmp_path).max_transfers * WORKER_MEMORY_BYTES
    assert "cpu" not in limits


def test_the_pod_may_do_no_more_than_it_must() -> None:
    security = container()["securityContext"]
    assert (security["readOnlyRootFilesystem"], security["allowPrivilegeEscalation"]) == (True, False)
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert POD["spec"]["securityContext"]["runAsNonRoot"] is True
    assert POD["spec"]["automountServiceAccountToken"] is False
