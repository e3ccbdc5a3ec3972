"""A carrier's account over real HTTP: what is sent, what each answer means, and what a broken one does not hide."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import uvloop

from relay.app.carriers import REPLY_MAX_BYTES, CarrierAccount
from relay.app.phone_reports import phone_reports
from relay.providers.control import AnsweredBy, CallReport, CallStatus
from relay.transfers.ports import (
    DialAnswer,
    DialOrder,
    MachineDetected,
    PhoneAlive,
    PhoneAnswered,
    PhoneEnded,
    PhoneNews,
    PhoneRang,
    PhoneReport,
    Placed,
    Refused,
    TryLater,
    Unclear,
)
from relay.transfers.reasons import Reason
from tests.app.accounts import (
    CALL,
    CALLS,
    NO_CALL,
    OTHER,
    PUBLIC,
    TIMEOUT_S,
    TRANSFER,
    account,
    ask,
    counted,
    error,
    order,
)
from tests.app.stand_in_rest import Answer, nothing, raw, reply, reset

# --- Dialling ---


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply(201, {"sid": CALL, "status": "queued"}), Placed(CALL)),
        (reply(200, {"sid": CALL}), Placed(CALL)),
        (reply(400, error(21211)), Refused(Reason.INVALID_NUMBER, "21211", "HTTP 400, error 21211")),
        (reply(403, error(21215)), Refused(Reason.REJECTED, "21215", "HTTP 403, error 21215")),
        (reply(401, error(20003)), Refused(Reason.REJECTED, "20003", "HTTP 401, error 20003")),
        (reply(404, b"<html>"), Refused(Reason.REJECTED, "404", "HTTP 404, error 404")),
        (reply(429, error(20429)), TryLater(None, "HTTP 429, error 20429")),
        (reply(429, error(20429), RETRY_AFTER="7"), TryLater(7.0, "HTTP 429, error 20429")),
        (reply(201, b"{"), Unclear("HTTP 201 without a call's id")),
        (reply(201, {"sid": "CA1"}), Unclear("HTTP 201 without a call's id")),
        (reply(408, b""), Unclear("HTTP 408, error 408")),
        (reply(500, error(20500)), Unclear("HTTP 500, error 20500")),
        (reply(503, b""), Unclear("HTTP 503, error 503")),
    ],
)
def test_each_answer_to_a_dial_means_one_thing(answer: Answer, expected: DialAnswer) -> None:
    came, rest = ask(answer, lambda carrier: carrier.dial(order()))
    assert (came, len(rest.requests)) == (expected, 1)


@pytest.mark.parametrize(
    "answer",
    [
        reset,
        raw(b""),
        raw(b"SMTP ready\r\n\r\n"),
        raw(b"HTTP/1.1 201 Created\r\nContent-Le"),
        raw(b'HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\n{"sid": '),
        raw(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
        raw(b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
    ],
    ids=["reset", "closed", "no HTTP", "half a head", "half a body", "half a chunk", "no gzip"],
)
def test_what_is_lost_after_a_dial_was_sent_may_have_made_a_call_and_is_not_sent_again(answer: Answer) -> None:
    came, rest = ask(answer, lambda carrier: carrier.dial(order()))
    assert (type(came), len(rest.requests)) == (Unclear, 1)


def test_a_carrier_that_does_not_answer_is_waited_for_no_longer_than_set() -> None:
    async def dial(carrier: CarrierAccount) -> DialAnswer:
        async with asyncio.timeout(10 * TIMEOUT_S):
            return await carrier.dial(order())

    came, rest = ask(nothing, dial, timeout_s=TIMEOUT_S)
    assert (came, len(rest.requests)) == (Unclear("TimeoutError"), 1)


def test_an_order_that_no_carrier_takes_is_refused_and_not_sent() -> None:
    wrong = DialOrder(TRANSFER, "not a number", "+14155550100", 30.0, 3600.0, detect_machine=False)
    answer, rest = ask(nothing, lambda carrier: carrier.dial(wrong))
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.PROVIDER_ERROR
    assert "not a number" not in answer.detail
    assert rest.requests == []


def test_a_carrier_that_is_not_there_has_made_no_call() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        async with account(f"http://127.0.0.1:{port}") as (carrier, metrics):
            came = await carrier.dial(order())
            assert came == TryLater(None, "no connection to the carrier: ClientConnectorError")
            assert not await carrier.hang_up(CALL)
            assert await carrier.find_calls(order(), sent_s=None) is None
        assert counted(metrics) == {
            ("dial", "failed"): 1.0,
            ("hang_up", "failed"): 1.0,
            ("find_calls", "failed"): 1.0,
        }

    uvloop.run(scenario())


def test_a_carrier_that_does_not_take_the_connection_in_time_has_made_no_call() -> None:
    """Its queue of connections is full: what Linux does with one more is what a network does that drops packets."""

    async def scenario() -> None:
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.settimeout(0)
                with contextlib.suppress(BlockingIOError):
                    waiting.connect(listener.getsockname())
            async with account(f"http://127.0.0.1:{listener.getsockname()[1]}") as (carrier, _):
                came = await carrier.dial(order())
        assert came == TryLater(None, "no connection to the carrier: ConnectionTimeoutError")

    uvloop.run(scenario())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    came, rest = ask(reply(status, Location="/elsewhere"), lambda carrier: carrier.dial(order()))
    assert (type(came), [request.target for request in rest.requests]) == (Unclear, [f"{CALLS}.json"])


def test_an_answer_in_many_pieces_is_read_to_its_end() -> None:
    padded = {"padding": "p" * (REPLY_MAX_BYTES // 2), "sid": CALL}
    came, _ = ask(reply(201, padded), lambda carrier: carrier.dial(order()))
    assert came == Placed(CALL)


def test_an_answer_without_an_end_is_not_read_for_ever() -> None:
    sent_bytes = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent_bytes
        writer.write(b"HTTP/1.1 201 Created\r\n\r\n")
        while True:
            writer.write(b" " * 65536)
            sent_bytes += 65536
            await writer.drain()

    came, _ = ask(endless, lambda carrier: carrier.dial(order()))
    assert came == Unclear("HTTP 201 without a call's id")
    assert REPLY_MAX_BYTES <= sent_bytes < 20 * REPLY_MAX_BYTES  # what the kernel buffers is sent too


# --- The order ---


def form_of(order: DialOrder) -> dict[str, str]:
    _, rest = ask(reply(201, {"sid": CALL}), lambda carrier: carrier.dial(order))
    return rest.requests[0].form


def test_a_dial_says_whom_to_call_and_where_to_come_back_to() -> None:
    _, rest = ask(reply(201, {"sid": CALL}), lambda carrier: carrier.dial(order()))
    (request,) = rest.requests
    form = request.form
    assert (request.method, request.target) == ("POST", f"{CALLS}.json")
    assert (form["To"], form["From"]) == ("+14155550123", "+14155550100")
    assert form["Url"] == f"{PUBLIC}/carriers/twilio/{TRANSFER}/answer/0"
    assert form["StatusCallback"] == f"{PUBLIC}/carriers/twilio/{TRANSFER}/status"


def test_only_who_wants_machines_to_be_detected_asks_for_it() -> None:
    assert "MachineDetection" not in form_of(order())
    form = form_of(order(detect_machine=True, detection_timeout_s=8.5))
    assert form["MachineDetectionTimeout"] == "8"
    assert form["AsyncAmdStatusCallback"] == f"{PUBLIC}/carriers/twilio/{TRANSFER}/detection"


@pytest.mark.parametrize("ring_timeout_s", [10, 10.9, 12, 30, 119.5, 120])
def test_the_carrier_stops_ringing_before_the_transfer_gives_up(ring_timeout_s: float) -> None:
    rings_s = int(form_of(order(ring_timeout_s=ring_timeout_s))["Timeout"])
    assert ring_timeout_s - 8 <= rings_s <= ring_timeout_s - 7


def test_the_carrier_always_lets_it_ring_for_a_while() -> None:
    assert form_of(order(ring_timeout_s=1))["Timeout"] == "3"


@pytest.mark.parametrize(("max_duration_s", "limit_s"), [(1, 61), (59.5, 120), (3600, 3660), (86_400, 86_400)])
def test_the_carrier_ends_a_call_only_if_nobody_else_has(max_duration_s: float, limit_s: int) -> None:
    assert form_of(order(max_duration_s=max_duration_s))["TimeLimit"] == str(limit_s)


# --- Other requests ---


@pytest.mark.parametrize(
    ("answer", "is_over"),
    [
        (reply(200, {"sid": CALL, "status": "completed"}), True),
        (reply(404, NO_CALL), True),
        (reply(400, error(21220)), True),
        (reply(404, b"<html>"), False),
        (reply(401, error(20003)), False),
        (reply(429, error(20429)), False),
        (reply(500, b""), False),
        (reply(302, Location="/elsewhere"), False),
        (reset, False),
        (raw(b""), False),
    ],
)
def test_a_phone_counts_as_hung_up_if_the_carrier_says_so(answer: Answer, is_over: bool) -> None:  # noqa: FBT001 - a parameter of the test
    came, rest = ask(answer, lambda carrier: carrier.hang_up(CALL))
    assert came is is_over
    assert [(each.target, each.form) for each in rest.requests] == [(f"{CALLS}/{CALL}.json", {"Status": "completed"})]


def calls(*ids: str) -> Answer:
    return reply(200, {"calls": [{"sid": each, "direction": "outbound-api"} for each in ids]})


def in_turn(*answers: Answer) -> Answer:
    remaining = iter(answers)

    async def write(writer: asyncio.StreamWriter) -> None:
        await next(remaining)(writer)

    return write


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ((calls(), calls(), calls()), []),
        ((calls(), calls(CALL), calls(OTHER)), [CALL, OTHER]),
        ((calls(CALL), calls(CALL, OTHER), calls(CALL)), [CALL, OTHER]),
        ((calls(CALL), reply(500), calls()), None),
        ((calls(CALL), calls(), reset), None),
        ((reply(200, b"[]"), calls(), calls()), None),
    ],
    ids=["none", "some", "one that goes on meanwhile", "an error", "a reset", "unreadable"],
)
def test_calls_are_found_once_each_or_not_at_all(answers: tuple[Answer, ...], found: list[str] | None) -> None:
    came, rest = ask(in_turn(*answers), lambda carrier: carrier.find_calls(order(), sent_s=None))
    assert came == found
    assert {each.method for each in rest.requests} == {"GET"}
    assert all("To=%2B14155550123" in each.target for each in rest.requests)


@pytest.mark.parametrize(
    ("ages_s", "dialed_s_ago", "found"),
    [
        ([0, 3600], 0, [CALL]),
        ([4, 6], 0, [CALL]),
        ([33, 36], 30, [CALL]),
        ([None, 36], 30, [CALL]),
        ([33, -1], 30, [CALL, OTHER]),
        ([36, 3600], None, [CALL, OTHER]),
    ],
    ids=["ours", "by a clock that goes wrong", "some time ago", "without a date", "younger", "nobody knows since when"],
)
def test_f7_a_call_that_is_older_than_the_dial_is_somebody_elses(
    ages_s: list[int | None], dialed_s_ago: float | None, found: list[str]
) -> None:
    now = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)  # the carrier's; it need not be ours
    made = [None if age_s is None else format_datetime(now - timedelta(seconds=age_s)) for age_s in ages_s]
    listed = [{"sid": sid, "date_created": date} for sid, date in zip([CALL, OTHER], made, strict=True)]
    answer = reply(200, {"calls": listed}, Date=format_datetime(now, usegmt=True))
    sent_s = None if dialed_s_ago is None else time.monotonic() - dialed_s_ago
    came, _ = ask(answer, lambda carrier: carrier.find_calls(order(), sent_s=sent_s))
    assert came == found


@pytest.mark.parametrize("answer", [reply(500), reply(201, b"{"), reset])
def test_f7_an_unclear_dial_says_when_it_was_sent(answer: Answer) -> None:
    before_s = time.monotonic()
    came, _ = ask(answer, lambda carrier: carrier.dial(order()))
    assert before_s < came.sent_s < time.monotonic()


# --- Reports ---


@pytest.mark.parametrize(
    ("status", "news"),
    [
        (CallStatus.DIALING, PhoneAlive()),
        (CallStatus.RINGING, PhoneRang()),
        (CallStatus.ANSWERED, PhoneAnswered()),
        (CallStatus.COMPLETED, PhoneEnded(Reason.AGENT_HUNG_UP, "31000")),
        (CallStatus.BUSY, PhoneEnded(Reason.BUSY, "31000")),
        (CallStatus.NO_ANSWER, PhoneEnded(Reason.NO_ANSWER, "31000")),
        (CallStatus.REJECTED, PhoneEnded(Reason.REJECTED, "31000")),
        (CallStatus.INVALID_NUMBER, PhoneEnded(Reason.INVALID_NUMBER, "31000")),
        (CallStatus.UNAVAILABLE, PhoneEnded(Reason.PROVIDER_BUSY, "31000")),
        (CallStatus.CANCELED, PhoneEnded(Reason.NO_ANSWER, "31000")),
        (CallStatus.FAILED, PhoneEnded(Reason.REJECTED, "31000")),
    ],
)
def test_each_status_is_news_of_the_phone(status: CallStatus, news: PhoneNews) -> None:
    assert phone_reports(CallReport(CALL, status, "id", code="31000")) == [PhoneReport(CALL, news, "id")]


def test_no_status_is_forgotten() -> None:
    for status in CallStatus:
        assert len(phone_reports(CallReport(CALL, status, "id"))) == 1


@pytest.mark.parametrize(
    ("answered_by", "is_machine"),
    [(AnsweredBy.HUMAN, False), (AnsweredBy.MACHINE, True), (AnsweredBy.UNKNOWN, None)],
)
def test_who_picked_up_comes_first_and_is_a_report_of_its_own(
    answered_by: AnsweredBy,
    is_machine: bool | None,  # noqa: FBT001 - a parameter of the test
) -> None:
    detected = PhoneReport(CALL, MachineDetected(is_machine), "id/answered_by")
    assert phone_reports(CallReport(CALL, None, "id", answered_by)) == [detected]
    both = phone_reports(CallReport(CALL, CallStatus.ANSWERED, "id", answered_by))
    assert both == [detected, PhoneReport(CALL, PhoneAnswered(), "id")]


def test_a_report_of_something_else_is_no_news() -> None:
    assert phone_reports(CallReport(CALL, None, "id")) == []
