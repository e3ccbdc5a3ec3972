"""Asterisk's control side: the recorded exchanges, and whatever else may be asked of it or answered to it."""

import json
import random
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.conformance.mutations import with_a_byte_changed
from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.providers.asterisk import AsteriskAdapter
from relay.providers.asterisk_control import AsteriskControl
from relay.providers.basic_auth import authorization
from relay.providers.control import (
    CallPlaced,
    CallRefused,
    CallUnclear,
    CarrierBusy,
    CarrierControl,
    HttpReply,
    HttpRequest,
    Webhook,
)
from tests.providers.asterisk_requests import (
    ACCOUNT,
    ARI_URL,
    BASIC,
    BRIDGE_ID,
    CALL_ID,
    DIAL_ANSWERS,
    EXCHANGES,
    FROM,
    MEDIA_ID,
    MEDIA_URL,
    TO,
    TOKEN,
    VECTORS,
    call_order,
    channel,
    control,
    missing,
    query,
    reply,
)


def typed() -> CarrierControl:
    """Typed as the protocol: that the class satisfies it is checked here too."""
    return control()


def recorded_query(name: str) -> dict[str, str]:
    request = EXCHANGES[name]["request"]
    return query(HttpRequest(request["method"], request["url"], {}))


def recorded_head(name: str) -> tuple[str, str, dict[str, str]]:
    request = EXCHANGES[name]["request"]
    return request["method"], request["url"].partition("?")[0], request["headers"]


def head(request: HttpRequest) -> tuple[str, str, dict[str, str]]:
    return request.method, request.url.partition("?")[0], dict(request.headers)


# --- The recorded exchanges ---


def test_the_dial_is_the_recorded_one_with_an_id_of_our_own() -> None:
    sent = typed().dial(call_order())
    assert head(sent) == recorded_head("ari_originate")
    ours = {"channelId": CALL_ID}
    theirs = {"appArgs": "leg-agent-7"}
    assert query(sent) | theirs == recorded_query("ari_originate") | ours


def test_a_dial_byte_for_byte() -> None:
    assert typed().dial(call_order()) == HttpRequest(
        "POST",
        f"{ARI_URL}/channels?endpoint=PJSIP%2F%2B14155550123%40trunk&app=relay&callerId=%2B14155550100&timeout=30"
        f"&channelId={CALL_ID}",
        {**BASIC, "Content-Type": "application/json"},
        b'{"variables":{"TIMEOUT(absolute)":"7230"}}',
    )


def test_the_media_is_asked_for_as_recorded_with_an_id_and_a_token() -> None:
    media = control().open_media(CALL_ID, MEDIA_URL)
    assert head(media) == recorded_head("ari_external_media")
    ours = {
        "channelId": MEDIA_ID,
        "connection_type": "client",
        "transport_data": f"f(json)v(transfer={CALL_ID},token={TOKEN})",
    }
    assert query(media) == recorded_query("ari_external_media") | ours
    assert media.body == b""


def test_the_recorded_hang_up_is_sent_and_its_answer_read() -> None:
    recorded = EXCHANGES["ari_hangup"]
    url = recorded["request"]["url"].replace("1767225601.7", CALL_ID)
    assert typed().hang_up(CALL_ID) == HttpRequest("DELETE", url, recorded["request"]["headers"])
    assert typed().read_hang_up(reply(recorded["response"]["status"], b""))


def test_no_recorded_exchange_is_left_out() -> None:
    keys = {"ari_dtmf"}  # in test_sends_dtmf.py
    assert keys | {"ari_originate", "ari_external_media", "ari_hangup"} == {*EXCHANGES}


def test_the_recorded_credentials_are_sent_and_checked() -> None:
    ari, media = VECTORS["ari_basic_auth"], VECTORS["ws_basic_auth_websocket_client_conf"]
    expected = ari["expect_header"]["Authorization"]
    assert control(ari_user=ari["ari_user"], ari_password=ari["ari_password"]).events().headers == {
        "Authorization": expected
    }
    conf = media["websocket_client_conf"]
    ours = control(media_user=conf["username"], media_password=conf["password"])
    headers = {name.lower(): value for name, value in media["expect_header"].items()}
    assert ours.verify_upgrade(Webhook("GET", MEDIA_URL, headers))
    assert headers["sec-websocket-protocol"] == AsteriskAdapter.capabilities.subprotocol


# --- What a dial may be answered ---


@pytest.mark.parametrize("case", DIAL_ANSWERS)
def test_f5_f7_each_answer_to_a_dial_has_its_meaning(case: str) -> None:
    answer, meaning = DIAL_ANSWERS[case]
    assert typed().read_dial(answer) == meaning


@given(status=st.integers(0, 599), body=st.binary(max_size=40) | st.just(json.dumps(channel()).encode()))
def test_f7_no_answer_raises_and_none_quotes_its_text(status: int, body: bytes) -> None:
    answer = typed().read_dial(HttpReply(status, {}, body))
    assert isinstance(answer, CallPlaced | CallRefused | CallUnclear | CarrierBusy)
    if not 200 <= status < 300:
        assert not isinstance(answer, CallPlaced)
    typed().read_hang_up(HttpReply(status, {}, body))
    typed().read_find_calls(HttpReply(status, {}, body), call_order())


# --- Its own call ---


def test_f7_a_lost_answer_is_asked_for_by_the_call_s_own_id() -> None:
    assert typed().find_calls(call_order()) == [HttpRequest("GET", f"{ARI_URL}/channels/{CALL_ID}", BASIC)]
    assert typed().read_find_calls(reply(200, channel(state="Ringing")), call_order()) == [CALL_ID]
    assert typed().read_find_calls(missing(), call_order()) == []


@pytest.mark.parametrize(
    "answer", [reply(404, b"<html>"), reply(500, {"message": "?"}), reply(200, {}), reply(200, []), reply(401, {})]
)
def test_f7_any_other_answer_says_nothing_of_the_call(answer: HttpReply) -> None:
    assert typed().read_find_calls(answer, call_order()) is None


@pytest.mark.parametrize(
    ("answer", "is_over"),
    [
        (reply(204, b""), True),
        (missing(), True),
        (reply(404, b"<html>"), False),  # a proxy's
        (reply(404, {}), False),
        (reply(500, {"message": "Allocation failed"}), False),
        (reply(400, {"message": "Invalid reason for hangup provided"}), False),
    ],
)
def test_a_call_is_over_when_asterisk_says_so(answer: HttpReply, *, is_over: bool) -> None:
    assert typed().read_hang_up(answer) is is_over


@pytest.mark.parametrize("call_id", ["", "1767225601.7", "a/b", "a?b", "a\r\n", "-media", f"{CALL_ID}-media", "x" * 65])
def test_nothing_but_a_call_s_id_becomes_part_of_a_url(call_id: str) -> None:
    join, opened = partial(control().join_media, is_first=True), partial(control().open_media, media_url=MEDIA_URL)
    for asking in (control().hang_up, control().end_media, join, opened):
        with pytest.raises(LocalProtocolError, match=r"^asterisk call_id: expected 1 to 64 letters"):
            asking(call_id)


# --- The media ---


def test_phone_and_media_are_put_into_one_bridge_and_taken_apart() -> None:
    bridge = control().open_bridge(CALL_ID)
    assert bridge == HttpRequest("POST", f"{ARI_URL}/bridges?type=mixing&bridgeId={BRIDGE_ID}", BASIC)
    join = f"{ARI_URL}/bridges/{BRIDGE_ID}/addChannel?channel={CALL_ID}%2C{MEDIA_ID}"
    assert control().join_media(CALL_ID, is_first=True) == HttpRequest("POST", join, BASIC)
    again = f"{ARI_URL}/bridges/{BRIDGE_ID}/addChannel?channel={MEDIA_ID}"
    assert control().join_media(CALL_ID, is_first=False) == HttpRequest("POST", again, BASIC)
    assert control().end_media(CALL_ID) == (
        HttpRequest("DELETE", f"{ARI_URL}/channels/{MEDIA_ID}", BASIC),
        HttpRequest("DELETE", f"{ARI_URL}/bridges/{BRIDGE_ID}", BASIC),
    )


@pytest.mark.parametrize("url", ["", "wss://relay.example.com/", f"{MEDIA_URL})c(opus", f"{MEDIA_URL}?a", "x" * 2000])
def test_nothing_but_a_media_url_becomes_part_of_a_dial_string(url: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"^asterisk media_url: expected \.\.\./<transfer>/media/<token>, got"):
        control().open_media(CALL_ID, url)


def test_events_are_those_of_the_application_alone() -> None:
    expected = "ws://asterisk.example.com:8088/ari/events?app=relay&subscribeAll=false"
    assert control().events() == HttpRequest("GET", expected, BASIC)
    secure = control(ari_url="https://asterisk.example.com:8089/ari/").events()
    assert secure.url == "wss://asterisk.example.com:8089/ari/events?app=relay&subscribeAll=false"


def test_all_channels_and_bridges_can_be_asked_for() -> None:
    assert control().list_channels() == HttpRequest("GET", f"{ARI_URL}/channels", BASIC)
    assert control().look_up_application() == HttpRequest("GET", f"{ARI_URL}/applications/relay", BASIC)
    assert control().list_bridges() == HttpRequest("GET", f"{ARI_URL}/bridges", BASIC)


# --- Who may open a stream ---


@pytest.mark.parametrize("header", ["", "Basic", "Basic cmVsYXk6czNjcmV0", "Bearer cmVsYXktbWVkaWE6bTNkaWE="])
def test_t1_an_upgrade_without_the_media_s_credentials_is_a_stranger_s(header: str) -> None:
    assert not typed().verify_upgrade(Webhook("GET", MEDIA_URL, {"authorization": header} if header else {}))


def test_t3_a_thousand_changed_bytes_of_an_upgrade_are_a_stranger_s() -> None:
    """Of its credentials: the token in its URL is the coordinator's to judge."""
    choose, true = random.Random("upgrade"), authorization("relay-media", "m3dia")
    assert typed().verify_upgrade(Webhook("GET", MEDIA_URL, {"authorization": true}))
    forged = {with_a_byte_changed(true.encode(), choose).decode("latin-1") for _ in range(1000)}
    others = [each for each in forged if each[6:] != true[6:] or each[:6].lower() != "basic "]
    assert [each for each in others if typed().verify_upgrade(Webhook("GET", MEDIA_URL, {"authorization": each}))] == []


def test_t3_there_are_no_webhooks_and_none_is_believed() -> None:
    webhook = Webhook("POST", call_order().status_url, {"authorization": BASIC["Authorization"]}, b"{}")
    assert not typed().verify(webhook)
    with pytest.raises(RemoteProtocolError, match=r"^asterisk webhook: expected none, got one$"):
        typed().read_report(webhook)


def test_there_are_no_documents() -> None:
    for ask in (typed().hang_up_document, lambda: typed().stream_document(MEDIA_URL, then_url=None)):
        with pytest.raises(LocalProtocolError, match=r"^asterisk document: expected none"):
            ask()


# --- What may be asked of it ---


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"to": "4155550123"}, "asterisk to: expected a phone number in E.164"),
        ({"to": "+1415@evil&PJSIP/1"}, "asterisk to: expected a phone number in E.164"),
        ({"from_number": '"x" <1>'}, "asterisk from_number: expected a phone number"),
        ({"ring_timeout_s": 0}, "asterisk ring_timeout_s: expected 1 to 600 s"),
        ({"max_duration_s": 0}, "asterisk max_duration_s: expected at least 1 s"),
        ({"status_url": "https://relay.example.com/other"}, "asterisk status_url: expected .../<id>/status"),
        ({"detection_url": "https://relay.example.com/detection"}, "asterisk detection_url: expected none: ARI finds"),
    ],
)
def test_an_order_that_asterisk_cannot_take_is_not_sent(changes: dict[str, Any], error: str) -> None:
    with pytest.raises(LocalProtocolError) as raised:
        typed().dial(call_order(**changes))
    assert str(raised.value).startswith(error)
    assert TO not in str(raised.value)


@pytest.mark.parametrize(
    ("endpoint", "dialled"),
    [
        ("PJSIP/{number}@trunk", "PJSIP/+14155550123@trunk"),
        ("PJSIP/{digits}@trunk", "PJSIP/14155550123@trunk"),
        (
            "PJSIP/trunk/sip:{number}@sbc.example.com;transport=tls",
            "PJSIP/trunk/sip:+14155550123@sbc.example.com;transport=tls",
        ),
        ("Local/{digits}@outbound/n", "Local/14155550123@outbound/n"),
    ],
)
def test_the_number_has_its_place_in_what_is_dialled(endpoint: str, dialled: str) -> None:
    sent = query(control(endpoint=endpoint).dial(call_order()))
    assert (sent["endpoint"], sent["callerId"]) == (dialled, FROM)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ari_url", "asterisk:8088/ari"),
        ("ari_url", "http://asterisk\r\n/ari"),
        ("ari_user", ""),
        ("ari_password", ""),
        ("media_user", ""),
        ("media_password", ""),
        ("app", ""),
        ("app", "relay,other"),
        ("websocket_client", "a/b"),
        ("websocket_client", ""),
        ("endpoint", "PJSIP/trunk"),
        ("endpoint", "{number}"),
        ("endpoint", "PJSIP/{number}&PJSIP/{number}"),
        ("endpoint", "PJSIP/{number}@a,30"),
        ("endpoint", "PJSIP/{number}@{trunk}"),
        ("endpoint", "PJSIP/{number}{digits}"),
        ("endpoint", "PJSIP/{number} @trunk"),
        ("media_format", "opus"),
        ("media_format", "PCMU"),
    ],
)
def test_f42_an_account_that_cannot_work_is_refused(field: str, value: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^asterisk {field}: expected "):
        control(**{field: value})


def test_t12_no_secret_is_in_any_repr() -> None:
    requests = [
        control().dial(call_order()),
        control().events(),
        control().open_bridge(CALL_ID),
        control().open_media(CALL_ID, MEDIA_URL),
        control().join_media(CALL_ID, is_first=True),
    ]
    shown = repr([control(), *requests])
    for secret in (ACCOUNT["ari_password"], ACCOUNT["media_password"], BASIC["Authorization"], TOKEN, TO, FROM):
        assert secret not in shown


def test_what_it_is() -> None:
    assert AsteriskControl.name == "asterisk"
    assert (AsteriskControl.capabilities.opens_stream, AsteriskControl.capabilities.can_say) == ("answer", False)
    assert isinstance(typed().media_adapter(), AsteriskAdapter)
    assert typed().media_adapter() is not typed().media_adapter()
