"""The messages between a front and its workers: what is sent is what comes, and nothing else is taken."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.bridge.messages import (
    FROM_FRONT,
    FROM_WORKER,
    MESSAGE_MAX_BYTES,
    PROTOCOL_VERSION,
    SEAT_FROM_FRONT,
    SEAT_FROM_WORKER,
    Admit,
    Assign,
    Configure,
    End,
    FromFront,
    FromWorker,
    HandOver,
    Incoming,
    Join,
    Message,
    Order,
    Over,
    Ready,
    Ring,
    RoomSpec,
    Seat,
    SendDigits,
    Statistics,
    Told,
    encode,
)
from relay.bridge.settings import BridgeSettings
from relay.bridge.stats import BridgeStats
from relay.transfers import ports
from relay.transfers.reasons import Reason

TOKEN = "meeting-token-canary"  # noqa: S105 - of nobody

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
st.register_type_strategy(str, texts)
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(int, st.integers(-(2**53), 2**53))
st.register_type_strategy(bytes, st.binary(max_size=2000))
positive = st.floats(0.001, 1e6)
settings = st.builds(
    BridgeSettings,
    **{each.name: positive for each in dataclasses.fields(BridgeSettings) if each.type == "float"},
    queue_max_ms=st.integers(80, 10_000),
    bad_messages_max=st.integers(1, 10_000),
)
FRONT: dict[type[Any], st.SearchStrategy[Any]] = {
    **{kind: st.from_type(kind) for kind in get_args(FromFront)},
    Assign: st.builds(Assign, settings=settings),
}
WORKER: dict[type[Any], st.SearchStrategy[Any]] = {kind: st.from_type(kind) for kind in get_args(FromWorker)}


def stats(**changes: Any) -> BridgeStats:
    none = BridgeStats(
        age_s=1.0, joined=False, participants=0, agent_to_room=None, room_to_agent=None, round_trip_ms=0.0, faults={}
    )
    return dataclasses.replace(none, **changes)


def front() -> Incoming:
    """Reads a front's messages, from the first on."""
    return Incoming(FROM_FRONT)


def assigned() -> Incoming:
    reading = front()
    reading.read(encode(Configure()))
    reading.read(encode(Assign(transfer_id="t-1", room=RoomSpec(kind="local", url="http://127.0.0.1/rooms/blue"))))
    return reading


def ready() -> Incoming:
    reading = Incoming(FROM_WORKER)
    reading.read(encode(Ready(1)))
    return reading


@given(
    FRONT[Configure],
    FRONT[Assign],
    st.lists(st.one_of(*(FRONT[kind] for kind in (Join, HandOver, Ring, Admit, SendDigits, End)))),
)
def test_what_a_front_says_comes_as_it_was_said(first: Configure, second: Assign, others: list[Message]) -> None:
    comes_as_it_was_said(FROM_FRONT, [Seat(), Seat(), first, second, *others])
    comes_as_it_was_said(SEAT_FROM_FRONT, [second, *others])


@given(WORKER[Ready], st.lists(st.one_of(WORKER[Told], WORKER[Statistics])), WORKER[Over])
@pytest.mark.long
def test_what_a_worker_says_comes_as_it_was_said(first: Ready, others: list[Message], last: Over) -> None:
    comes_as_it_was_said(FROM_WORKER, [first, *others, last])
    comes_as_it_was_said(SEAT_FROM_WORKER, [*others, last])


def comes_as_it_was_said(order: Order, said: list[Message]) -> None:
    reading = Incoming(order)
    assert [reading.read(encode(message)) for message in said] == said


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (SEAT_FROM_FRONT, Join()),
        (SEAT_FROM_FRONT, Configure()),
        (SEAT_FROM_FRONT, Seat()),
        (SEAT_FROM_WORKER, Ready(1)),
    ],
    ids=lambda each: type(each).__name__,
)
def test_on_the_pair_of_a_seat_nothing_comes_before_a_transfer(order: Order, said: Message) -> None:
    with pytest.raises(ValueError, match="expected "):
        Incoming(order).read(encode(said))


def test_every_message_has_its_side_and_every_event_its_message() -> None:
    assert set(FROM_FRONT) == set(get_args(FromFront))
    assert set(FROM_WORKER) == set(get_args(FromWorker))
    for event in get_args(ports.BridgeEvent):
        given_fields = {"reason": Reason.BUSY}
        made = event(**{each.name: given_fields.get(each.name, "x") for each in dataclasses.fields(event)})
        assert ready().read(encode(Told(made))) == Told(made)


def test_durations_that_are_no_numbers_do_not_keep_a_report_from_being_sent() -> None:
    came = ready().read(encode(Statistics(stats(age_s=math.nan, round_trip_ms=math.inf))))
    assert math.isnan(came.stats.age_s)
    assert math.isnan(came.stats.round_trip_ms)


def test_longest_upgrade_request_fits() -> None:
    request = b"\0" * (1 << 16)
    assert assigned().read(encode(HandOver(request, "twilio"))) == HandOver(request, "twilio")


# What is refused


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "expected JSON"),
        (b"\xff\xfe", "expected JSON"),
        (b'[2,{"is":"Configure"', "expected JSON"),
        (b"[" * 2000, "expected JSON"),
        (b"null", "expected one of Configure"),
        (b"[]", "expected one of Configure"),
        (b"[2]", "expected one of Configure"),
        (b"[2,{}]", "expected one of Configure"),
        (b'[2,{"is":["Configure"]}]', "expected one of Configure"),
        (b'[2,{"is":"Ready","pid":1}]', "expected one of Configure"),
        (b'[2,{"is":"Format"}]', "expected one of Configure"),
        (b'[true,{"is":"Configure"}]', "expected one of Configure"),
        (b'["1",{"is":"Configure"}]', "expected one of Configure"),
        (b'[2,{"is":"Configure"},3]', "expected one of Configure"),
        (b'[2,{"is":"Configure"}]', "Configure: expected log_level"),
        (b'[1,{"is":"Configure"}]', "expected version 2, got 1"),
        (b"[0]", "expected version 2, got 0"),
        (b" " * (MESSAGE_MAX_BYTES + 1), "expected 131072 bytes at most, got 131073"),
    ],
)
def test_bytes_that_are_no_message_of_this_version_are_refused(content: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        front().read(content)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_be_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^message: "):
        front().read(content)


def changed(message: Message, **fields: object) -> bytes:
    """The message with other fields, as nobody can send it here."""
    version, content = orjson.loads(encode(message))
    return orjson.dumps([version, content | fields])


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (HandOver(b"", "twilio"), {"request": "?"}),
        (HandOver(b"", "twilio"), {"provider": None}),
        (HandOver(b"", "twilio"), {"descriptor": 3}),
        (End(Reason.BUSY), {"reason": "tired"}),
        (End(Reason.BUSY), {"reason": None}),
        (Ring(), {"loudly": True}),
    ],
)
def test_message_with_other_fields_than_its_own_is_refused(message: Message, fields: dict[str, object]) -> None:
    reading = assigned()
    with pytest.raises(ValueError, match="expected"):
        reading.read(changed(message, **fields))
    assert reading.read(encode(message)) == message, "what was refused was not taken for the next"


def test_bounds_that_no_bridge_may_have_are_refused() -> None:
    reading = front()
    reading.read(encode(Configure()))
    _, content = orjson.loads(
        encode(Assign(transfer_id="t-1", room=RoomSpec(kind="local", url="http://127.0.0.1/rooms/blue")))
    )
    content["settings"]["media_timeout_s"] = -1
    with pytest.raises(ValueError, match=r"expected a media_timeout_s above zero, got -1"):
        reading.read(orjson.dumps([PROTOCOL_VERSION, content]))


ASSIGN = Assign(transfer_id="t-1", room=RoomSpec(kind="daily", url="https://acme.daily.co/blue", token=TOKEN))


@pytest.mark.parametrize(
    "said",
    [
        [Assign], [Join], [End], [Configure, Configure], [Configure, Join], [Configure, HandOver], [Configure, End],
        [Configure, Seat], [Configure, Assign, Seat],
        [Configure, Assign, Assign], [Configure, Assign, Configure], [Configure, Assign, End, Assign],
    ],
)  # fmt: skip
def test_message_of_a_front_that_is_out_of_order_is_refused(said: list[type[Message]]) -> None:
    made: dict[type[Message], Message] = {
        Configure: Configure(), Seat: Seat(), Assign: ASSIGN, Join: Join(), HandOver: HandOver(b"", "x"),
        End: End(Reason.BUSY),
    }  # fmt: skip
    reading = front()
    for kind in said[:-1]:
        reading.read(encode(made[kind]))
    with pytest.raises(ValueError, match=f"expected no {said[-1].__name__} at stage"):
        reading.read(encode(made[said[-1]]))


def test_message_of_a_worker_that_is_out_of_order_is_refused() -> None:
    told = Told(ports.RoomJoined())
    with pytest.raises(ValueError, match="expected no Told at stage 0"):
        Incoming(FROM_WORKER).read(encode(told))
    with pytest.raises(ValueError, match="expected no Ready at stage 1"):
        ready().read(encode(Ready(2)))
    with pytest.raises(ValueError, match="expected one of Ready"):
        ready().read(encode(Join()))


@pytest.mark.parametrize(
    "message",
    [
        HandOver(b"\0" * MESSAGE_MAX_BYTES, "twilio"),
        Told(ports.MediaLost("\ud800")),
        Statistics(stats(participants=1 << 80)),
    ],
    ids=["too large", "no text", "no number"],
)
def test_message_that_could_not_be_read_is_not_sent(message: Message) -> None:
    with pytest.raises(ValueError, match=type(message).__name__):
        encode(message)


def test_t11_t12_no_token_and_no_secret_is_in_a_messages_text() -> None:
    shown = repr([ASSIGN, Configure(secrets=(TOKEN,)), HandOver(f"GET /media/{TOKEN}".encode(), "twilio")])
    assert "daily.co" in shown
    assert TOKEN not in shown
    for content in (changed(ASSIGN, room=TOKEN), changed(ASSIGN, transfer_id=[TOKEN])):
        reading = front()
        reading.read(encode(Configure()))
        with pytest.raises(ValueError, match="expected") as refused:
            reading.read(content)
        assert TOKEN not in str(refused.value)
