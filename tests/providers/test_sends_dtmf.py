"""Keys for the phone, by REST: the recorded exchanges, and who takes which keys."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from relay.errors import LocalProtocolError
from relay.providers.control import HttpReply, HttpRequest
from relay.providers.sends_dtmf import SendsDtmf
from tests.providers.all_requests import MODULES

BY_REST = [
    name for name, module in MODULES.items() if module.control().media_adapter().capabilities.dtmf_sent == "rest"
]
CALL_IDS = {
    "telnyx": "v3:T02ll",
    "vonage": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
    "jambonz": "1a6f9c34-0000-4000-8000-000000000001",
    "asterisk": "1767225601.7",
}
every = pytest.mark.parametrize("name", BY_REST)


def control(name: str) -> SendsDtmf:
    """Typed as the protocol: that the class satisfies it is checked here too."""
    made: SendsDtmf = MODULES[name].control()
    return made


def keys_of(name: str) -> str:
    keys: str = MODULES[name].control().media_adapter().capabilities.dtmf_keys
    return keys


def as_recorded(request: HttpRequest) -> dict[str, Any]:
    return {"method": request.method, "url": request.url, "body": json.loads(request.body)}


def recorded(name: str) -> dict[str, Any]:
    exchange: dict[str, Any] = MODULES[name].EXCHANGES["ari_dtmf" if name == "asterisk" else "send_dtmf"]
    return exchange


def test_these_send_keys_by_rest_and_no_others() -> None:
    assert {*BY_REST} == {*CALL_IDS}
    assert {name for name, module in MODULES.items() if isinstance(module.control(), SendsDtmf)} == {*BY_REST}


def test_telnyxs_recorded_request_is_sent_but_for_what_is_the_default() -> None:
    [request] = control("telnyx").send_dtmf(CALL_IDS["telnyx"], "1234#")
    exchange = recorded("telnyx")["request"]
    assert (request.method, as_recorded(request)["body"]) == (
        exchange["method"],
        {"digits": exchange["body"]["digits"]},
    )
    assert request.url == f"https://api.telnyx.com/v2/calls/{CALL_IDS['telnyx']}/actions/send_dtmf"


def test_vonages_recorded_request_is_sent_with_its_own_pauses() -> None:
    [request] = control("vonage").send_dtmf(CALL_IDS["vonage"], "1234#")
    exchange = recorded("vonage")["request"]
    sent = as_recorded(request)
    assert (sent["method"], sent["url"], sent["body"]) == (exchange["method"], exchange["url"], exchange["body"])
    [paused] = control("vonage").send_dtmf(CALL_IDS["vonage"], "1w2W3")
    assert as_recorded(paused)["body"] == {"digits": "1p2pp3"}


def test_jambonz_is_asked_for_one_key_at_a_time() -> None:
    requests = [as_recorded(each) for each in control("jambonz").send_dtmf(CALL_IDS["jambonz"], "12#")]
    assert [each["body"] for each in requests] == [{"dtmf": {"digit": digit}} for digit in "12#"]
    assert {(each["method"], each["url"].rpartition("/")[2]) for each in requests} == {("PUT", CALL_IDS["jambonz"])}


def test_asterisks_recorded_request_is_sent() -> None:
    [request] = control("asterisk").send_dtmf(MODULES["asterisk"].CALL_ID, "1234")
    exchange = recorded("asterisk")["request"]
    url = exchange["url"].replace(CALL_IDS["asterisk"], MODULES["asterisk"].CALL_ID)
    assert (request.method, request.url, dict(request.headers)) == (exchange["method"], url, exchange["headers"])
    [others] = control("asterisk").send_dtmf(MODULES["asterisk"].CALL_ID, "#*")
    assert parse_qsl(urlsplit(others.url).query) == [("dtmf", "#*")]


@every
def test_what_is_taken_is_read_as_that(name: str) -> None:
    for status in (200, 202, 204):
        assert control(name).read_dtmf(HttpReply(status, {}, b""))
    for status in (302, 400, 404, 409, 422, 429, 500, 503):
        assert not control(name).read_dtmf(HttpReply(status, {}, b""))


@every
def test_keys_that_it_does_not_take_are_refused_and_not_shown(name: str) -> None:
    call_id = getattr(MODULES[name], "CALL_ID", CALL_IDS[name])
    assert control(name).send_dtmf(call_id, keys_of(name))
    for digits in ("", "9876543210" * 4, "9876543210E", "1&x=2", "1\r\n", "é", *{*"wWABCD"} - {*keys_of(name)}):
        with pytest.raises(LocalProtocolError, match=f"^{name} digits: expected 1 to 32 of ") as caught:
            control(name).send_dtmf(call_id, digits)
        assert "9876543210" not in str(caught.value)


@every
@pytest.mark.parametrize("call_id", ["", "../x", "a b", "a/b", "x" * 300])
def test_t21_a_call_that_is_none_is_refused(name: str, call_id: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{name} call_id: expected "):
        control(name).send_dtmf(call_id, "1")
