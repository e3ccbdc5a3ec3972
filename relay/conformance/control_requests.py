"""What is asked of the carrier, and what is made of its answers: no call is thought placed, or not, for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.conformance.case import expect
from relay.conformance.control_case import ControlCase, expect_discreet, expect_refused, expect_request
from relay.conformance.mutations import disturbed
from relay.errors import LocalProtocolError
from relay.providers.control import (
    CallOrder,
    CallPlaced,
    CallRefused,
    CarrierBusy,
    DialReply,
    HttpReply,
)
from relay.providers.rest import reply_object

BAD_NUMBERS: Final = (
    "",
    "+",
    "14155550123",
    "+1415\r\n5550123",
    "+14155550123,+19005550100",
    "sip:a@b.example",
    "+١٢٣",
)
ANOTHER_NUMBER: Final = "+14155550187"
"""None that an error has for an example of what is right."""
BAD_URLS: Final = (
    "",
    "relay.example.com",
    "https://relay.example.com/\r\nX: y",
    "https://relay.example.com/é",
    "ftp://a/b",
)
BAD_CALL_IDS: Final = ("", "..", "../x", "a/b", "a?b", "a#b", "a%2fb", "a b", "a\r\nX: y", "é", "\ud800", "x" * 10_000)
MEDIA_URL: Final = "wss://relay.example.com/carriers/{name}/{call}/media/{token}"
TOKEN: Final = "aB3_-" * 8 + "xyz"  # 43 characters, as the service makes them


def control_says_who_it_is(case: ControlCase) -> None:
    """One name with its adapters; nothing secret in its repr."""
    control = case.new_control()
    expect(case, "has a name", bool(control.name), expected=True)
    adapter = control.media_adapter()
    expect(case, "name of its adapter", adapter.name, control.name)
    expect(case, "another adapter for each stream", adapter is not control.media_adapter(), expected=True)
    expect(case, "opens_stream", control.capabilities.opens_stream in ("answer", "dial"), expected=True)
    expect_discreet(case, "its repr", repr(control))


def dial_can_be_sent_and_is_what_was_ordered(case: ControlCase) -> None:
    """Over TLS; to the number, and, where the stream is opened with the dial, with its URL."""
    control = case.new_control()
    request = control.dial(case.order)
    expect_request(case, "the dial", request)
    said = request.body + request.url.encode()
    for number in (case.order.to, case.order.from_number):
        last = number[-10:].encode()  # some write them without the country
        expect(case, "a number's last digits in the dial", last in said, expected=True)
    if control.capabilities.opens_stream == "dial":
        expect(
            case, "the media URL's token in the dial", bool(case.token) and case.token.encode() in said, expected=True
        )
        expect_refused(case, "a dial without a media URL", partial(control.dial, replace(case.order, media_url=None)))
    for asked in control.find_calls(case.order):
        expect_request(case, "the request for calls alive", asked)


def _bad_orders(order: CallOrder) -> dict[str, CallOrder]:
    orders = {f"to {number[:6]!r}": replace(order, to=number) for number in BAD_NUMBERS}
    orders |= {f"from {number[:6]!r}": replace(order, from_number=number) for number in BAD_NUMBERS}
    for url in BAD_URLS:
        orders |= {
            f"answer_url {url!r}": replace(order, answer_url=url),
            f"status_url {url!r}": replace(order, status_url=url),
        }
        if order.media_url is not None:
            orders[f"media_url {url!r}"] = replace(order, media_url=url)
    return orders | {
        "a ring time-out of 0 s": replace(order, ring_timeout_s=0),
        "a call of 0 s": replace(order, max_duration_s=0),
    }


def order_that_may_not_go_into_a_request_is_refused(case: ControlCase) -> None:
    """Numbers that are not E.164, URLs with a line break, times that are none: nobody else looks."""
    case = replace(case, order=replace(case.order, from_number=ANOTHER_NUMBER))
    control = case.new_control()
    for what, order in _bad_orders(case.order).items():
        expect_refused(case, f"a dial with {what}", partial(control.dial, order))


def hang_up_can_be_sent_of_the_carriers_own_calls_only(case: ControlCase) -> None:
    """An id becomes part of a URL. Where it only asks, closing the stream has to end the call."""
    control = case.new_control()
    ends_by_closing = control.media_adapter().capabilities.close_ends_call
    for call_id in case.call_ids:
        request = control.hang_up(call_id)
        expect_request(case, "the hang-up", request)
        expect(
            case,
            "the hang-up ends the call, or its stream does",
            request.method != "GET" or ends_by_closing,
            expected=True,
        )
    for call_id in BAD_CALL_IDS:
        expect_refused(case, f"a hang-up of {call_id[:9]!r}", partial(control.hang_up, call_id))


def dial_answers_mean_what_they_should(case: ControlCase) -> None:
    """One of each kind or more, and no detail quotes what the carrier's text does."""
    for name, (reply, meaning) in case.dial_answers.items():
        got = case.new_control().read_dial(reply)
        expect(case, f"{name}: meaning", got, meaning)
        _check_meaning(case, name, reply, got)
    kinds = {type(meaning) for _, meaning in case.dial_answers.values()}
    missing = [kind.__name__ for kind in get_args(DialReply) if kind not in kinds]
    expect(case, "kinds of answers that are not in the case", missing, [])


def _check_meaning(case: ControlCase, name: str, reply: HttpReply, got: DialReply) -> None:
    """A call is placed by a 2xx only; and surely not placed after a 4xx only, as a time-out is none."""
    expect(case, f"{name}: an answer", type(got) in get_args(DialReply), expected=True)
    if isinstance(got, CallPlaced):
        expect(case, f"{name}: placed by a 2xx", reply.status // 100, 2)
        return
    expect_discreet(case, f"{name}: detail", got.detail)
    if isinstance(got, CallRefused | CarrierBusy):
        expect(case, f"{name}: no call is sure after a 4xx, but 408", reply.status // 100, 4)
        expect(case, f"{name}: 408 is unclear", reply.status != 408, expected=True)
    if isinstance(got, CallRefused):
        expect_discreet(case, f"{name}: code", got.code)
    if isinstance(got, CarrierBusy) and got.retry_after_s is not None:
        expect(case, f"{name}: a time to wait", got.retry_after_s >= 0, expected=True)


def _replies(case: ControlCase) -> st.SearchStrategy[HttpReply]:
    replies = [reply for reply, _ in case.dial_answers.values()]
    bodies: Sequence[Any] = [dict(reply_object(reply)) or reply.body for reply in replies]
    statuses = st.integers(100, 599) | st.sampled_from([reply.status for reply in replies])
    headers = st.dictionaries(st.just("retry-after"), st.text(max_size=12) | st.just("5"), max_size=1)
    return st.builds(HttpReply, statuses, headers, disturbed(bodies) | st.binary(max_size=60))


@settings(deadline=None)
@given(data=st.data())
def any_answer_is_read(case: ControlCase, data: st.DataObject) -> None:
    """Whatever a proxy between, or a carrier that has changed, may answer: nothing raises, and no 5xx is certain."""
    control, reply = case.new_control(), data.draw(_replies(case))
    _check_meaning(case, f"HTTP {reply.status}", reply, control.read_dial(reply))
    is_over = control.read_hang_up(reply)
    if reply.status >= 500:
        expect(case, f"HTTP {reply.status}: the call is over", is_over, expected=False)
    found = control.read_find_calls(reply, case.order)
    for call_id in found or ():
        expect_request(case, "the hang-up of a call that was found", control.hang_up(call_id))


def documents_lead_to_the_stream_and_show_no_token(case: ControlCase) -> None:
    """Or there are none, which is said by a refusal."""
    control = case.new_control()
    for call_id in case.call_ids:
        url = MEDIA_URL.format(name=control.name, call="tr_1", token=TOKEN)
        say = 'A refund <&> "more"' if control.capabilities.can_say else None
        try:
            document = control.stream_document(url, then_url="https://relay.example.com/a", say=say, call_id=call_id)
            end = control.hang_up_document()
        except LocalProtocolError as error:
            expect(case, "a carrier without documents says nothing", control.capabilities.can_say, expected=False)
            expect(case, "the token in the error of a document", TOKEN in str(error), expected=False)
            continue
        expect(case, "the media URL in the document", url.encode() in document.body, expected=True)
        expect(case, "the token in the repr of the document", TOKEN in repr(document), expected=False)
        expect(case, "the media URL in the document that ends the call", url.encode() in end.body, expected=False)
        expect_discreet(case, "the repr of the document", repr(document))


CHECKS = (
    control_says_who_it_is,
    dial_can_be_sent_and_is_what_was_ordered,
    order_that_may_not_go_into_a_request_is_refused,
    hang_up_can_be_sent_of_the_carriers_own_calls_only,
    dial_answers_mean_what_they_should,
    any_answer_is_read,
    documents_lead_to_the_stream_and_show_no_token,
)
