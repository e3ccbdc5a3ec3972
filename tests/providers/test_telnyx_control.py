"""Telnyx's control side: the recorded exchanges, and whatever else may be asked of it or answered to it."""

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import LocalProtocolError
from relay.providers.control import (
    CallPlaced,
    CallRefused,
    CallUnclear,
    CarrierBusy,
    CarrierControl,
    HttpReply,
    HttpRequest,
)
from relay.providers.telnyx import TelnyxAdapter
from relay.providers.telnyx_control import TelnyxControl
from tests.providers.proofs import proven
from tests.providers.telnyx_requests import (
    API_KEY,
    CALL_ID,
    DIAL_ANSWERS,
    EXCHANGES,
    MEDIA_URL,
    PUBLIC_KEY,
    STATUS_URL,
    STREAM_TOKEN,
    call_order,
    client_state,
    control,
    recorded_reply,
    refusal,
)
from tests.providers.twilio_requests import FROM, TO, reply

ACTIVE_CALLS_URL = "https://api.telnyx.com/v2/connections/1234567890/active_calls?page%5Blimit%5D=250"


def typed() -> CarrierControl:
    """Typed as the protocol: that the class satisfies it is checked here too."""
    return control()


def dialled(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(typed().dial(call_order(**changes)).body)
    return body


def as_recorded(name: str, request: HttpRequest) -> None:
    recorded = EXCHANGES[name]["request"]
    assert (request.method, request.url) == (recorded["method"], recorded["url"])
    assert dict(request.headers) == {"Content-Type": "application/json", **recorded["headers"]}


# --- The recorded exchanges ---


def test_the_recorded_dial_is_sent_byte_for_byte() -> None:
    """But for what each order or process has of its own."""
    request = typed().dial(call_order())
    as_recorded("dial", request)
    sent = json.loads(request.body)
    own = {"client_state": sent["client_state"], "command_id": sent["command_id"], "stream_auth_token": STREAM_TOKEN}
    own["webhook_url"] = proven(STATUS_URL, API_KEY)
    assert request.body == orjson.dumps({**EXCHANGES["dial"]["request"]["body"], **own})


def test_the_stream_is_asked_for_in_one_codec_both_ways() -> None:
    assert {name: value for name, value in dialled().items() if name.startswith("stream_")} == {
        "stream_url": MEDIA_URL,
        "stream_track": "inbound_track",
        "stream_codec": "PCMU",
        "stream_bidirectional_mode": "rtp",
        "stream_bidirectional_codec": "PCMU",
        "stream_bidirectional_sampling_rate": 8000,
        "stream_auth_token": STREAM_TOKEN,
    }
    wide = json.loads(control(wideband=True).dial(call_order()).body)
    assert (wide["stream_codec"], wide["stream_bidirectional_codec"]) == ("L16", "L16")
    assert wide["stream_bidirectional_sampling_rate"] == 16000


def test_without_detection_nothing_of_it_is_asked() -> None:
    assert "answering_machine_detection" not in dialled(detection_url=None)


def test_f7_a_dial_that_is_sent_again_is_the_same_command() -> None:
    assert dialled()["command_id"] == dialled(media_url=MEDIA_URL + "2")["command_id"]
    another = dialled(status_url=STATUS_URL + "2")
    assert dialled()["command_id"] != another["command_id"]
    assert dialled()["client_state"] != another["client_state"]


@pytest.mark.parametrize(
    ("asked", "ring_s", "duration_s"),
    [((3, 60), 5, 60), ((5, 14_400), 5, 14_400), ((600, 14_460), 600, 14_400), ((30, 86_400), 30, 14_400)],
)
def test_times_are_what_telnyx_takes(asked: tuple[int, int], ring_s: int, duration_s: int) -> None:
    sent = dialled(ring_timeout_s=asked[0], max_duration_s=asked[1])
    assert (sent["timeout_secs"], sent["time_limit_secs"]) == (ring_s, duration_s)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("media_url", None),
        ("media_url", "https://relay.example.com/media"),
        ("media_url", "wss://relay.example.com/a\r\nb"),
        ("status_url", "wss://relay.example.com/"),
        ("to", "+14155550123\n"),
        ("from_number", "relay"),
        ("ring_timeout_s", 601),
        ("max_duration_s", 0),
    ],
)
def test_t21_what_may_not_go_into_a_dial_is_refused_and_not_shown(field: str, value: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"^telnyx {field}: expected ") as refused:
        typed().dial(call_order(**{field: value}))
    assert not isinstance(value, str) or value not in str(refused.value)


def test_the_recorded_answers_to_a_dial_are_read() -> None:
    assert typed().read_dial(recorded_reply("dial")) == CallPlaced(CALL_ID)
    assert isinstance(typed().read_dial(recorded_reply("dial_error")), CallRefused)


@pytest.mark.parametrize("name", ["hangup", "hangup_already_gone"])
def test_the_recorded_hang_up_is_sent_and_its_answer_read(name: str) -> None:
    request = typed().hang_up("v3:T02ll...")
    as_recorded(name, request)
    assert json.loads(request.body) == EXCHANGES[name]["request"]["body"]
    assert typed().read_hang_up(recorded_reply(name))


def test_no_recorded_exchange_is_left_out() -> None:
    """Events are in test_telnyx_report.py; relay sends no keys over REST, and has no use for TeXML."""
    here = {"dial", "dial_error", "hangup", "hangup_already_gone"}
    assert here | {"event_call_answered", "event_call_hangup", "send_dtmf", "texml_answer"} == {*EXCHANGES}


# --- What a dial may be answered ---


@pytest.mark.parametrize("case", DIAL_ANSWERS)
def test_f5_f7_each_answer_to_a_dial_has_its_meaning(case: str) -> None:
    answer, meaning = DIAL_ANSWERS[case]
    assert typed().read_dial(answer) == meaning


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", {"errors": []}, {"errors": [1]}, {"errors": {}}, {"errors": [{"code": "+1415555"}]}]
)
def test_f5_a_4xx_without_a_code_has_its_status_for_one(body: Any) -> None:
    assert typed().read_dial(reply(403, body)) == typed().read_dial(refusal(403, 403))


@pytest.mark.parametrize(
    "body", [b"", [], {}, {"data": None}, {"data": {}}, {"data": {"call_control_id": "v3:a/b"}}, {"data": [CALL_ID]}]
)
def test_f7_a_success_without_a_call_is_unclear(body: Any) -> None:
    """A command that came again may be answered so: there is a call, and its events will say which."""
    assert typed().read_dial(reply(200, body)) == CallUnclear("HTTP 200 without a call's id")


KEYS = ["data", "errors", "code", "source", "pointer", "call_control_id", "client_state", "meta", "total_items"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=8,
)
REPLIES = st.builds(
    lambda status, body, after: reply(status, body, retry_after=after),
    st.sampled_from([200, 201, 400, 404, 422, 429]) | st.integers(-1, 1000),
    st.binary() | JSON,
    st.text(),
)


@given(REPLIES)
def test_no_reply_whatever_raises(answer: HttpReply) -> None:
    assert isinstance(typed().read_dial(answer), CallPlaced | CallRefused | CarrierBusy | CallUnclear)
    assert typed().read_hang_up(answer) in {True, False}
    found = typed().read_find_calls(answer, call_order())
    assert found is None or all(isinstance(each, str) for each in found)


@pytest.mark.parametrize("status", [400, 401, 422, 429, 500])
def test_no_reading_of_an_error_repeats_a_phone_number(status: int) -> None:
    assert "5550123" not in repr(typed().read_dial(refusal(status, 10002)))


# --- Hanging up and finding calls ---


@pytest.mark.parametrize(
    ("answer", "over"),
    [
        (reply(200, {}), True),
        (reply(204, b""), True),
        (refusal(422, "90018"), True),
        (refusal(400, 90018), True),
        (refusal(404, "10005"), True),
        (reply(404, b"<html>"), False),  # a proxy's, or of another API URL
        (refusal(422, "90015"), False),
        (refusal(422, "10005"), False),
        (refusal(500, "90018"), False),
        (refusal(401, "10009"), False),
        (refusal(429, "10011"), False),
        (reply(302, b""), False),
    ],
)
def test_a_call_is_over_only_if_telnyx_says_so(answer: HttpReply, over: bool) -> None:  # noqa: FBT001  # a table
    assert typed().read_hang_up(answer) is over


@pytest.mark.parametrize(
    "call_id", ["", "v3:", "T02ll", CALL_ID + "\n", CALL_ID + "/../x", CALL_ID + "?a", "v3:a b", "v3:" + "a" * 201]
)
def test_t21_what_is_no_call_id_does_not_become_part_of_a_url(call_id: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"^telnyx call_id: expected v, digits, a colon and "):
        typed().hang_up(call_id)


def test_calls_alive_are_asked_for_by_the_application() -> None:
    [request] = typed().find_calls(call_order(media_url=None))
    assert (request.method, request.url, request.body) == ("GET", ACTIVE_CALLS_URL, b"")
    assert dict(request.headers) == {"Authorization": f"Bearer {API_KEY}"}


def active(*calls: tuple[str, str | None], total: Any = None) -> HttpReply:
    data = [{"call_control_id": call_id, "client_state": state, "record_type": "call"} for call_id, state in calls]
    return reply(200, {"data": data, "meta": {"total_items": len(data) if total is None else total}})


def test_f7_of_all_calls_alive_the_orders_own_are_found() -> None:
    """Others are another transfer's, or of no transfer: they must not be hung up."""
    mine, another = client_state(), client_state(STATUS_URL + "2")
    listed = active(("v3:in", None), ("v3:other", another), (CALL_ID, mine), ("v3:app", "aGF2ZSBhIG5pY2UgZGF5ID1d"))
    assert typed().read_find_calls(listed, call_order()) == [CALL_ID]
    assert typed().read_find_calls(active(("v3:in", None)), call_order()) == []


def test_f7_a_list_that_is_not_whole_does_not_say_that_there_is_no_call() -> None:
    assert typed().read_find_calls(active(("v3:in", None), total=251), call_order()) is None
    assert typed().read_find_calls(active((CALL_ID, client_state()), total=251), call_order()) == [CALL_ID]


@pytest.mark.parametrize(
    "answer",
    [
        reply(500, {"data": []}),
        reply(200, b""),
        reply(200, {}),
        reply(200, {"data": {}}),
        reply(200, {"data": [1]}),
        active(("../x", client_state())),
    ],
)
def test_a_list_that_cannot_be_read_is_none(answer: HttpReply) -> None:
    assert typed().read_find_calls(answer, call_order()) is None


# --- Documents and streams ---


def test_there_are_no_documents() -> None:
    assert (typed().capabilities.opens_stream, typed().capabilities.can_say) == ("dial", False)
    with pytest.raises(LocalProtocolError, match=r"^telnyx document: expected commands over REST"):
        typed().stream_document(MEDIA_URL, then_url=None)
    with pytest.raises(LocalProtocolError, match=r"^telnyx document: expected commands over REST"):
        typed().hang_up_document()


def test_each_stream_has_its_own_adapter() -> None:
    adapters = [typed().media_adapter() for _ in range(2)]
    assert isinstance(adapters[0], TelnyxAdapter)
    assert adapters[0] is not adapters[1]


# --- The account ---


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("api_key", ""),
        ("api_key", "KEY\r\nX: y"),
        ("public_key", ""),
        ("public_key", PUBLIC_KEY[:-4]),
        ("public_key", PUBLIC_KEY + "\n"),
        ("public_key", "é" * 44),
        ("connection_id", ""),
        ("connection_id", "1/2"),
        ("api_url", "api.telnyx.com"),
        ("stream_auth_token", "short"),
        ("stream_auth_token", "a" * 20 + "\n"),
    ],
)
def test_t3_an_account_without_its_secrets_is_refused_and_shows_none(field: str, value: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^telnyx {field}: expected ") as refused:
        control(**{field: value})
    assert field == "connection_id" or not value or value not in str(refused.value)


def test_the_api_of_a_simulated_carrier_is_asked_instead() -> None:
    assert control(api_url="http://127.0.0.1:9/").hang_up(CALL_ID).url.startswith("http://127.0.0.1:9/v2/calls/v3:")


def test_each_process_has_a_stream_token_of_its_own() -> None:
    account: dict[str, Any] = {"api_key": API_KEY, "public_key": PUBLIC_KEY, "connection_id": "1"}
    tokens = {json.loads(TelnyxControl(**account).dial(call_order()).body)["stream_auth_token"] for _ in range(2)}
    assert [len(token) for token in tokens] == [43, 43]


def test_no_repr_shows_a_secret_or_a_phone_number() -> None:
    order = call_order()
    made = repr((control(), control().dial(order), *control().find_calls(order), replace(order)))
    for word in (API_KEY, STREAM_TOKEN, TO.removeprefix("+"), FROM.removeprefix("+"), MEDIA_URL):
        assert word not in made
