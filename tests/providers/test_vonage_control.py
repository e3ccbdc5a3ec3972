"""Vonage's control side: the recorded exchanges, and whatever else may be asked of it or answered to it."""

import json
from typing import Any

import jwt
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
from relay.providers.vonage import VonageAdapter
from relay.providers.vonage_control import VonageControl
from tests.providers.proofs import proven
from tests.providers.twilio_requests import FROM, TO, reply
from tests.providers.vonage_requests import (
    APPLICATION_ID,
    CALL_ID,
    CALLS_URL,
    DIAL_ANSWERS,
    DIALLED_S,
    EXCHANGES,
    MEDIA_URL,
    SECRET,
    STREAM_TOKEN,
    VECTORS,
    call_order,
    control,
    pem,
    problem,
    recorded_reply,
    rsa_key,
)


def typed() -> CarrierControl:
    """Typed as the protocol: that the class satisfies it is checked here too."""
    return control()


def claims_of(request: HttpRequest) -> dict[str, Any]:
    """Of the request's token, verified by PyJWT but for its times: those are compared."""
    scheme, token = request.headers["Authorization"].split(" ")
    assert scheme == "Bearer"
    read: dict[str, Any] = jwt.decode(
        token, rsa_key().public_key(), algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
    )
    return read


def as_recorded(name: str, request: HttpRequest) -> None:
    """But for the proofs in URLs."""
    recorded = EXCHANGES[name]["request"]
    assert (request.method, request.url) == (recorded["method"], recorded["url"])
    urls = {each: [proven(recorded["body"][each][0], SECRET)] for each in ("answer_url", "event_url") if name == "dial"}
    assert request.body == orjson.dumps({**recorded["body"], **urls})
    assert {*request.headers} == {*recorded["headers"]}
    assert request.headers["Content-Type"] == "application/json"
    claims_of(request)


# --- The recorded exchanges ---


def test_the_recorded_dial_is_sent_byte_for_byte() -> None:
    as_recorded("dial", typed().dial(call_order()))


def test_each_request_has_a_token_of_its_own_that_is_good_for_a_while() -> None:
    requests = [typed().dial(call_order()), typed().hang_up(CALL_ID), *typed().find_calls(call_order())]
    claims = [claims_of(request) for request in requests]
    assert len({each.pop("jti") for each in claims}) == len(requests)
    recorded = VECTORS["rest_application_jwt"]["claims"]
    assert [each | {"jti": recorded["jti"]} for each in claims] == [recorded] * len(requests)


def test_a_token_says_when_it_was_made() -> None:
    times = iter([DIALLED_S, DIALLED_S + 3600.9])
    account = control(now_s=lambda: next(times))
    assert [claims_of(account.hang_up(CALL_ID))["iat"] for _ in range(2)] == [DIALLED_S, DIALLED_S + 3600]


def test_without_detection_nothing_of_it_is_asked() -> None:
    assert "machine_detection" not in typed().dial(call_order(detection_url=None)).body.decode()


def test_a_call_is_never_longer_than_vonage_takes() -> None:
    sent = json.loads(typed().dial(call_order(max_duration_s=90_000)).body)
    assert sent["length_timer"] == 86_400


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("answer_url", "wss://relay.example.com/"),
        ("status_url", "https://relay.example.com/a\r\nb"),
        ("to", "+14155550123\n"),
        ("from_number", "relay"),
        ("ring_timeout_s", 121),
        ("max_duration_s", 0),
    ],
)
def test_t21_what_may_not_go_into_a_dial_is_refused_and_not_shown(field: str, value: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"^vonage {field}: expected ") as refused:
        typed().dial(call_order(**{field: value}))
    assert not isinstance(value, str) or value not in str(refused.value)


def test_the_recorded_answer_to_a_dial_is_read() -> None:
    assert typed().read_dial(recorded_reply("dial")) == CallPlaced(CALL_ID)


def test_the_recorded_hang_up_is_sent_and_its_answer_read() -> None:
    as_recorded("hangup", typed().hang_up(CALL_ID))
    assert typed().read_hang_up(recorded_reply("hangup"))


def test_no_recorded_exchange_is_left_out() -> None:
    """Events are in test_vonage_report.py; relay sends no keys over REST."""
    events = {"answer_webhook", "event_answered", "event_unanswered", "event_machine"}
    assert events | {"dial", "hangup", "send_dtmf"} == {*EXCHANGES}


# --- What a dial may be answered ---


@pytest.mark.parametrize("case", DIAL_ANSWERS)
def test_f5_f7_each_answer_to_a_dial_has_its_meaning(case: str) -> None:
    answer, meaning = DIAL_ANSWERS[case]
    assert typed().read_dial(answer) == meaning


@pytest.mark.parametrize(
    ("wrong", "is_invalid"),
    [
        ({"to": "a"}, True),
        ([{"name": "to", "reason": "a"}], True),
        ([{"name": "to[0].number"}], True),
        ([{"name": "to.number"}], True),
        ([{"name": "to[0]"}], True),
        ([{"name": "tokens"}], False),
        ([{"name": 1}, "to", {}], False),
        ("to", False),
        (None, False),
    ],
)
def test_f5_a_wrong_number_is_known_by_its_field(wrong: Any, is_invalid: bool) -> None:  # noqa: FBT001  # a table
    answer = typed().read_dial(problem(400, invalid_parameters=wrong))
    assert isinstance(answer, CallRefused)
    assert (answer.refusal == "invalid_number") is is_invalid


@pytest.mark.parametrize("body", [b"", [], {}, {"uuid": None}, {"uuid": "a"}, {"uuid": CALL_ID + "/"}, {"uuid": [1]}])
def test_f7_a_success_without_a_call_is_unclear(body: Any) -> None:
    assert typed().read_dial(reply(201, body)) == CallUnclear("HTTP 201 without a call's id")


KEYS = ["uuid", "title", "invalid_parameters", "name", "_embedded", "calls", "count", "to", "from", "number"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=8,
)
REPLIES = st.builds(
    lambda status, body, after: reply(status, body, retry_after=after),
    st.sampled_from([200, 201, 400, 404, 429]) | st.integers(-1, 1000),
    st.binary() | JSON,
    st.text(),
)


@given(REPLIES)
def test_no_reply_whatever_raises(answer: HttpReply) -> None:
    assert isinstance(typed().read_dial(answer), CallPlaced | CallRefused | CarrierBusy | CallUnclear)
    assert typed().read_hang_up(answer) in {True, False}
    found = typed().read_find_calls(answer, call_order())
    assert found is None or all(isinstance(each, str) for each in found)


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_no_reading_of_an_error_repeats_a_phone_number(status: int) -> None:
    answer = problem(status, invalid_parameters=[{"name": "to", "reason": TO}])
    assert "5550123" not in repr(typed().read_dial(answer))


# --- Hanging up and finding calls ---


@pytest.mark.parametrize(
    ("answer", "over"),
    [
        (reply(204, b""), True),
        (reply(200, {}), True),
        (problem(404), True),
        (reply(404, {"type": "NOT_FOUND", "error_title": "a"}), True),
        (reply(404, b"<html>"), False),  # a proxy's, or of another API URL
        (reply(404, {}), False),
        (problem(400), False),
        (problem(401), False),
        (problem(429), False),
        (problem(500), False),
        (reply(302, b""), False),
    ],
)
def test_a_call_is_over_only_if_vonage_says_so(answer: HttpReply, over: bool) -> None:  # noqa: FBT001  # a table
    assert typed().read_hang_up(answer) is over


@pytest.mark.parametrize("call_id", ["", "a", CALL_ID + "\n", CALL_ID + "/../x", CALL_ID + "?a", "-" * 20, "a" * 65])
def test_t21_what_is_no_call_id_does_not_become_part_of_a_url(call_id: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"^vonage call_id: expected 8 to 64 letters, digits and hyphens"):
        typed().hang_up(call_id)


def test_calls_alive_are_asked_for_by_each_status() -> None:
    asked = typed().find_calls(call_order())
    assert [request.url for request in asked] == [
        f"{CALLS_URL}?status={status}&page_size=100&order=desc" for status in ("started", "ringing", "answered")
    ]
    assert {(request.method, request.body, *request.headers) for request in asked} == {("GET", b"", "Authorization")}


def call(call_id: Any = CALL_ID, to: Any = TO[1:], caller: Any = FROM[1:], **more: Any) -> dict[str, Any]:
    ends = {"to": {"type": "phone", "number": to}, "from": {"type": "phone", "number": caller}}
    return {"uuid": call_id, "direction": "outbound", **ends, **more}


def listed(*calls: Any, count: Any = None) -> HttpReply:
    return reply(200, {"count": len(calls) if count is None else count, "_embedded": {"calls": list(calls)}})


def test_f7_of_all_calls_alive_those_between_the_orders_numbers_are_found() -> None:
    """Others are another transfer's, or of no transfer: they must not be hung up."""
    others = [
        call("b" * 8, to="14155550124"),
        call("c" * 8, caller="14155550101"),
        call("d" * 8, direction="inbound"),
        call("e" * 8, to=None),
        {"uuid": "f" * 8, "to": {"type": "websocket", "uri": MEDIA_URL}, "from": "a"},
        {},
    ]
    assert typed().read_find_calls(listed(*others, call()), call_order()) == [CALL_ID]
    assert typed().read_find_calls(listed(*others), call_order()) == []


def test_f7_a_list_that_is_not_whole_does_not_say_that_there_is_no_call() -> None:
    assert typed().read_find_calls(listed(call(to="1"), count=101), call_order()) is None
    assert typed().read_find_calls(listed(call(), count=101), call_order()) == [CALL_ID]


@pytest.mark.parametrize(
    "answer",
    [
        reply(500, {"_embedded": {"calls": []}}),
        reply(200, b""),
        reply(200, {}),
        reply(200, {"_embedded": []}),
        reply(200, {"_embedded": {"calls": {}}}),
        listed(1),
        listed(call("../x")),
        listed(call(None)),
    ],
)
def test_a_list_that_cannot_be_read_is_none(answer: HttpReply) -> None:
    assert typed().read_find_calls(answer, call_order()) is None


# --- The account ---


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("application_id", ""),
        ("application_id", APPLICATION_ID + "/"),
        ("private_key", ""),
        ("private_key", "-----BEGIN PRIVATE KEY-----\nMIIE"),
        ("signature_secret", ""),
        ("api_url", "api.nexmo.com"),
        ("stream_auth_token", "short"),
        ("stream_auth_token", "a" * 20 + "\n"),
    ],
)
def test_t3_an_account_without_its_secrets_is_refused_and_shows_none(field: str, value: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^vonage {field}: expected ") as refused:
        control(**{field: value})
    assert field == "application_id" or not value or value not in str(refused.value)


def test_each_stream_has_its_own_adapter() -> None:
    adapters = [typed().media_adapter() for _ in range(2)]
    assert isinstance(adapters[0], VonageAdapter)
    assert adapters[0] is not adapters[1]


def test_the_api_of_a_region_is_asked_instead() -> None:
    assert control(api_url="https://api-us.vonage.com/").hang_up(CALL_ID).url == (
        f"https://api-us.vonage.com/v1/calls/{CALL_ID}"
    )


def test_each_process_has_a_stream_token_of_its_own() -> None:
    values = set()
    for _ in range(2):
        account = VonageControl(
            application_id=APPLICATION_ID, private_key=pem(), signature_secret=SECRET, now_s=lambda: 0.0
        )
        [connect] = json.loads(account.stream_document(MEDIA_URL, then_url=None, call_id=CALL_ID).body)
        values.add(connect["endpoint"][0]["authorization"]["value"])
    assert [len(value) for value in values] == [len("Bearer ") + 43] * 2


def test_no_repr_shows_a_secret_or_a_phone_number() -> None:
    request = control().dial(call_order())
    made = repr((control(), request, *control().find_calls(call_order())))
    token = request.headers["Authorization"].removeprefix("Bearer ")
    for word in (SECRET, STREAM_TOKEN, token, pem().splitlines()[1], TO.removeprefix("+")):
        assert word not in made
