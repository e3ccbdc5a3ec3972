"""Exotel's control side: the recorded exchanges, and whatever else may be asked of it or answered to it."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.providers.basic_auth import password_for
from relay.providers.control import (
    CallPlaced,
    CallRefused,
    CallUnclear,
    CarrierBusy,
    CarrierControl,
    HttpReply,
    Webhook,
)
from relay.providers.exotel import ExotelAdapter
from relay.providers.exotel_control import RATES_HZ, STREAM_URL_MAX_CHARS
from relay.providers.hang_up_steps import HangsUpInSteps
from tests.providers.control_samples import reply
from tests.providers.exotel_requests import (
    API_TOKEN,
    CALL_ID,
    CALLBACKS,
    DIAL_ANSWERS,
    EXCHANGES,
    FROM,
    MEDIA_URL,
    PASSWORD,
    TO,
    call_order,
    control,
    error,
    sent_fields,
    status_url,
    xml_call,
    xml_error,
)


def typed() -> CarrierControl:
    """Typed as the protocol: that the class satisfies it is checked here too."""
    return control()


def details(status: int, call_status: Any) -> HttpReply:
    """A call's details, whose numbers are local ones."""
    return reply(status, {"Call": {"Sid": CALL_ID, "From": "09876543210", "Status": call_status}})


# --- The dial ---


def test_the_recorded_dial_is_sent_field_by_field() -> None:
    recorded = EXCHANGES["dial_connect_stream"]["request"]
    request = typed().dial(call_order())
    assert {"method": request.method, "url": request.url, "headers": dict(request.headers)} == {
        name: recorded[name] for name in ("method", "url", "headers")
    }
    expected = {
        **dict(recorded["body"]),
        "StreamUrl": MEDIA_URL.replace("wss://", f"wss://relay:{PASSWORD}@"),
        "StatusCallback": status_url(),
        "StatusCallbackContentType": "application/json",
        "TimeOut": "30",
    }
    del expected["CustomField"]  # the URLs say whose call it is
    assert dict(sent_fields()) == expected
    order = [name for name, _ in recorded["body"] if name in expected]
    assert [name for name, _ in sent_fields() if name in dict(recorded["body"])] == order


@pytest.mark.parametrize(
    ("number", "local"),
    [
        ("+918012345678", "08012345678"),
        ("+919876543210", "09876543210"),
        ("+911800123456", "01800123456"),
        ("+9180123456789", "+9180123456789"),  # eleven digits are no Indian number
        ("+910123456789", "+910123456789"),
        ("+6531234567", "+6531234567"),
        ("+14155550100", "+14155550100"),
    ],
)
def test_an_indian_number_of_the_account_is_sent_as_a_local_one(number: str, local: str) -> None:
    assert dict(sent_fields(from_number=number))["CallerId"] == local


def test_who_is_called_is_sent_in_e164() -> None:
    assert dict(sent_fields())["From"] == TO
    assert "To" not in dict(sent_fields())


def test_a_call_may_last_four_hours_at_most() -> None:
    assert dict(sent_fields(max_duration_s=86_400))["TimeLimit"] == "14400"
    assert dict(sent_fields(max_duration_s=60))["TimeLimit"] == "60"


def test_nothing_of_detection_is_asked_as_exotel_has_none_to_ask_for() -> None:
    assert sent_fields(detection_url="https://relay.example.com/detection") == sent_fields()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize(("media_url", "joint"), [(MEDIA_URL, "&"), ("wss://relay.example.com/media/t0k3n", "?")])
def test_wideband_is_asked_for_in_the_streams_url(rate_hz: int, media_url: str, joint: str) -> None:
    url = dict(sent_fields(control(sample_rate_hz=rate_hz), media_url=media_url))["StreamUrl"]
    asked = "" if rate_hz == 8000 else f"{joint}sample-rate={rate_hz}"
    password = password_for(API_TOKEN, media_url.partition("?")[0])
    assert url == media_url.replace("wss://", f"wss://relay:{password}@") + asked


@pytest.mark.parametrize(
    "media_url", [None, "", "https://relay.example.com/", "wss://", "wss://a/\r\n", "wss://é/", "wss://a b"]
)
def test_t21_a_media_url_that_is_none_is_refused_and_not_shown(media_url: str | None) -> None:
    got = "none" if media_url is None else f"{len(media_url)} other characters"
    with pytest.raises(LocalProtocolError, match=f"^exotel media_url: expected a wss or ws URL .*, got {got}$"):
        typed().dial(call_order(media_url=media_url))


def test_a_stream_url_that_exotel_would_not_take_is_refused() -> None:
    longest = "wss://a/" + "x" * (STREAM_URL_MAX_CHARS - len(f"relay:{PASSWORD}@") - len("wss://a/"))
    assert len(dict(sent_fields(media_url=longest))["StreamUrl"]) == STREAM_URL_MAX_CHARS
    with pytest.raises(LocalProtocolError, match=r"^exotel media_url: expected up to 599 characters .*, got 600$"):
        typed().dial(call_order(media_url=longest + "x"))


@pytest.mark.parametrize("field", ["to", "from_number", "status_url"])
def test_t21_a_line_break_in_an_order_is_refused(field: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^exotel {field}: expected "):
        typed().dial(call_order(**{field: getattr(call_order(), field) + "\r\n"}))


# --- What it may be answered ---


@pytest.mark.parametrize("case", DIAL_ANSWERS)
def test_f5_f7_each_answer_to_a_dial_has_its_meaning(case: str) -> None:
    answer, meaning = DIAL_ANSWERS[case]
    assert typed().read_dial(answer) == meaning


def test_names_in_lower_case_are_read_too() -> None:
    assert typed().read_dial(reply(200, {"call": {"sid": CALL_ID, "status": "in-progress"}})) == CallPlaced(CALL_ID)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", {}, {"Call": None}, {"Call": []}, {"Call": {"Sid": None}}, {"Call": {"Sid": ""}}),
        *({"Call": {"Sid": "../x"}}, {"Call": {"Sid": [CALL_ID]}}, {"Sid": CALL_ID}, b"<Call><Sid></Sid></Call>"),
        *(b"<Call>", b"<Sid>" + CALL_ID.encode() + b"</Sid>", b"<Call></Call><Sid>" + CALL_ID.encode()),
    ],
)
def test_f7_a_success_without_a_call_is_unclear(body: Any) -> None:
    assert typed().read_dial(reply(200, body)) == CallUnclear("HTTP 200 without a call's id")


@pytest.mark.parametrize("status", [0, 100, 302, 408, 500, 502, 503, 599])
def test_f7_whatever_may_have_reached_the_carrier_is_unclear(status: int) -> None:
    assert isinstance(typed().read_dial(error(status, 34001)), CallUnclear)


@pytest.mark.parametrize("made", [error, xml_error])
def test_no_reading_of_an_error_repeats_a_phone_number(made: Any) -> None:
    assert "9876543210" not in repr(typed().read_dial(made(400, 34001)))
    assert "9876543210" not in repr(typed().read_dial(made(400, 9876543210)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Call", "Sid", "Status", "RestException", "Code"]), inner)
    ),
    max_leaves=8,
)
XML = st.lists(
    st.sampled_from(["<Call>", "</Call>", "<Sid>", "</Sid>", "<Status>", "completed", CALL_ID, "<", "é", "\x00"])
).map(lambda pieces: "".join(pieces).encode())


@given(st.integers(-1, 1000) | st.sampled_from([200, 400, 429]), st.binary() | XML | JSON, st.text())
def test_no_reply_whatever_raises(status: int, body: Any, after: str) -> None:
    answer = reply(status, body, retry_after=after)
    assert isinstance(typed().read_dial(answer), CallPlaced | CallRefused | CarrierBusy | CallUnclear)
    assert typed().read_hang_up(answer) in {True, False}
    assert typed().read_find_calls(answer, call_order()) is None


# --- Hanging up: it can only be asked whether the call is over ---


def test_to_hang_up_is_to_ask_for_the_calls_details() -> None:
    request = typed().hang_up(CALL_ID)
    assert (request.method, request.body) == ("GET", b"")
    assert request.url == f"https://api.in.exotel.com/v1/Accounts/exoaccount1/Calls/{CALL_ID}.json"
    assert request.headers == {"Authorization": "Basic ZXhvX2tleTpleG9fdG9rZW4="}
    assert not isinstance(typed(), HangsUpInSteps)


NO_ENDS: list[Any] = ["queued", "ringing", "in-progress", "", "Completed", None, []]


@pytest.mark.parametrize(
    ("answer", "over"),
    [
        *((details(200, status), True) for status in ("completed", "busy", "no-answer", "failed", "canceled")),
        *((details(200, status), False) for status in NO_ENDS),
        (xml_call(call_status="completed"), True),
        (xml_call(call_status="in-progress"), False),
        (details(404, "completed"), False),
        (error(404), False),  # Exotel says itself that details may come late
        (error(401), False),
        (error(429), False),
        (reply(500, b""), False),
        (reply(302, b""), False),
    ],
)
def test_a_call_is_over_only_if_its_details_say_so(answer: HttpReply, over: bool) -> None:  # noqa: FBT001  # a table
    assert typed().read_hang_up(answer) is over


@pytest.mark.parametrize("call_id", ["", "CA1", CALL_ID + "\n", CALL_ID + "/../x", f"../{CALL_ID}", "é" * 32, "a" * 65])
def test_t21_what_is_no_call_id_does_not_become_part_of_a_url(call_id: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"^exotel call_id: expected 8 to 64 letters and digits"):
        typed().hang_up(call_id)


def test_no_list_is_asked_for_as_none_has_a_call_that_goes_on() -> None:
    assert list(typed().find_calls(call_order())) == []
    with pytest.raises(LocalProtocolError, match=r"^exotel to: "):
        typed().find_calls(call_order(to="911"))


# --- There are no documents ---


def test_what_has_no_answer_webhook_has_no_documents() -> None:
    assert (typed().capabilities.opens_stream, typed().capabilities.can_say) == ("dial", False)
    with pytest.raises(LocalProtocolError, match=r"^exotel document: expected the stream's URL in the dial"):
        typed().stream_document(MEDIA_URL, then_url=None)
    with pytest.raises(LocalProtocolError, match=r"^exotel document: expected the stream's URL in the dial"):
        typed().hang_up_document()


# --- The account ---


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("account_sid", value) for value in ("", "a/b", "a b", "é", "a" * 65, "a\n")),
        *(("api_key", ""), ("api_token", "")),
        *(("api_url", "api.exotel.com"), ("sample_rate_hz", 48000), ("sample_rate_hz", 0)),
    ],
)
def test_t3_an_account_without_its_secrets_is_refused(option: str, value: Any) -> None:
    with pytest.raises(LocalProtocolError, match=f"^exotel {option}: expected "):
        control(**{option: value})


def test_the_api_of_a_region_is_asked_instead() -> None:
    assert control(api_url="https://api.exotel.com/").hang_up(CALL_ID).url == (
        f"https://api.exotel.com/v1/Accounts/exoaccount1/Calls/{CALL_ID}.json"
    )


def test_no_repr_shows_a_secret_or_a_phone_number() -> None:
    made = (control(), typed().dial(call_order()), *CALLBACKS.values(), call_order())
    basic = base64.b64encode(b"exo_key:exo_token").decode()
    for word in (API_TOKEN, basic, PASSWORD, TO.removeprefix("+"), FROM.removeprefix("+91"), "t0k3n"):
        assert word not in repr(made)


def test_each_stream_has_its_own_adapter() -> None:
    adapters = [typed().media_adapter() for _ in range(2)]
    assert all(isinstance(each, ExotelAdapter) for each in adapters)
    assert adapters[0] is not adapters[1]


@pytest.mark.parametrize("kind", CALLBACKS)
def test_a_callback_is_read_by_the_control_as_by_its_module(kind: str) -> None:
    assert typed().read_report(CALLBACKS[kind]).call_id == CALL_ID
    with pytest.raises(RemoteProtocolError):
        typed().read_report(Webhook("POST", status_url(), {}, b""))
