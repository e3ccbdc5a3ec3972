"""Whatever carriers are told and show, a log line has none of it: as it is, in a header, in JSON or in a form (S11)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.app.accounts import ACCOUNTS
from relay.app.redaction import Redactor
from relay.app.settings import Settings, load_settings
from relay.dev.carriers.by_name import CARRIERS
from relay.providers.asterisk_control import AsteriskControl
from relay.providers.basic_auth import authorization
from relay.providers.control import CallOrder, CarrierControl, HttpRequest, Webhook
from tests.threats.canaries import spellings

TO, FROM = "+14155550123", "+14155550100"
TRANSFER = "tr_" + "0" * 32
TOKEN = "aB3_-" * 8 + "xyz"
SERVICE = {
    "RELAY_PUBLIC_URL": "https://relay.example.com",
    "RELAY_API_KEYS": "k" * 32,
    "RELAY_DAILY_DOMAINS": "example",
    "RELAY_ALLOWED_NUMBERS": "+1415",
}
CALL = "01234567-89ab-cdef-0123-456789abcdef"


def settings_of(carrier: str) -> Settings:
    given = CARRIERS[carrier]().settings("https://api.example.com", FROM)
    return load_settings({**SERVICE, **given}, Path("/nowhere"))


def order(control: CarrierControl) -> CallOrder:
    at = f"relay.example.com/carriers/{control.name}/{TRANSFER}"
    return CallOrder(
        to=TO,
        from_number=FROM,
        answer_url=f"https://{at}/answer/0",
        status_url=f"https://{at}/status",
        ring_timeout_s=30,
        max_duration_s=600,
        media_url=f"wss://{at}/media/{TOKEN}",
    )


def told(control: CarrierControl) -> list[str]:
    """Everything that opens a call's stream, as somebody might quote it."""
    placed = order(control)
    requests: list[HttpRequest] = [control.dial(placed)]
    bodies: list[bytes] = []
    if isinstance(control, AsteriskControl):
        requests.append(control.open_media(TRANSFER, str(placed.media_url)))
    elif control.capabilities.opens_stream == "answer":
        bodies = [control.stream_document(str(placed.media_url), then_url=None, call_id=CALL).body]
    bodies += [request.body for request in requests]
    texts = [f"{request.method} {request.url}" for request in requests]
    texts += [text for request in requests for text in (repr(dict(request.headers)), repr([*request.headers.items()]))]
    return texts + [text for body in bodies for text in (body.decode(), repr(body), json.dumps(body.decode()))]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_t12_nothing_that_a_carrier_is_told_is_seen(carrier: str) -> None:
    settings = settings_of(carrier)
    redactor = Redactor(settings.secrets())
    kept = {TOKEN, *settings.secrets()}
    texts = told(ACCOUNTS[carrier].control(settings))
    assert any(TOKEN in text for text in texts)
    for text in texts:
        seen = redactor.text(text)
        assert [secret for secret in kept if any(spelling in seen for spelling in spellings(secret))] == []


@pytest.mark.parametrize("carrier", CARRIERS)
def test_t12_what_opens_a_stream_is_known_by_its_looks(carrier: str) -> None:
    """Whoever logs it: with no secret known beforehand."""
    texts = told(ACCOUNTS[carrier].control(settings_of(carrier)))
    assert [text for text in map(Redactor().text, texts) if TOKEN in text] == []


def test_t12_the_password_in_a_stream_url_is_known_by_its_looks() -> None:
    control = ACCOUNTS["exotel"].control(settings_of("exotel"))
    texts = [text for text in told(control) if "relay%3A" in text]
    assert texts
    for text in texts:
        password = text.partition("relay%3A")[2].partition("%40")[0]
        assert len(password) == 43
        assert password not in Redactor().text(text)


def test_t13_the_keys_in_a_url_are_known_by_its_looks() -> None:
    control = ACCOUNTS["asterisk"].control(settings_of("asterisk"))
    assert isinstance(control, AsteriskControl)
    for request in control.send_dtmf(TRANSFER, "2468#*"):
        assert "2468" in request.url
        assert Redactor().text(request.url).endswith("dtmf=***")


SHOWN: dict[str, Callable[[str], dict[str, str]]] = {
    "telnyx": lambda secret: {"x-telnyx-streaming-auth-token": secret},
    "vonage": lambda secret: {"authorization": f"Bearer {secret}"},
    "jambonz": lambda secret: {"authorization": authorization("relay", secret)},
    "signalwire": lambda secret: {"authorization": f"Bearer {secret}"},
}


@pytest.mark.parametrize("carrier", SHOWN)
def test_t12_what_a_carrier_shows_at_its_streams_is_a_secret_that_is_known(carrier: str) -> None:
    """To the service and to its workers, who read the upgrade."""
    settings = settings_of(carrier)
    secret = settings.stream_secret(carrier)
    control = ACCOUNTS[carrier].control(settings)
    upgrade = Webhook("GET", str(order(control).media_url), SHOWN[carrier](secret))
    assert control.verify_upgrade(upgrade)
    assert secret in settings.secrets()
    assert settings_of(carrier).stream_secret(carrier) == secret, "the same after a restart"
    assert len({settings.stream_secret(name) for name in CARRIERS}) == len(CARRIERS)
