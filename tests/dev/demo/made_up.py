"""Evidence that nobody had to play for: of one talk that went well, for tests to spoil."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from relay.client import Event, Reason, State, TransferEvent, TransferView
from relay.dev.demo.evidence import Direction, Evidence, PhoneCall, Tape
from relay.dev.demo.measure import Moment
from relay.dev.demo.timeline import Entry, Start, Who
from relay.dev.recording import Recording

START = Start(5_000_000_000, datetime(2026, 11, 26, 12, 0, tzinfo=UTC))
PATH = (State.REQUESTED, State.DIALING, State.RINGING, State.ANSWERED, State.JOINED, State.DISCONNECTED)
TRANSFER_ID = "tr_" + 32 * "1"
SILENCE = Recording(bytes(1600), 8000, START.monotonic_ns)
BRIDGE: dict[str, Any] = {
    "agent_to_room": {
        "playout": {"frames_received": 300, "frames_lost": 2, "frames_late": 1, "concealed_ms": 40.04},
    },
    "room_to_agent": {"frames": 310, "frames_dropped": 3},
}


def at(seconds: float) -> datetime:
    """So long after the start."""
    return START.utc + timedelta(seconds=seconds)


def transfer(*path: State, reason: Reason = Reason.CUSTOMER_LEFT) -> TransferView:
    """A transfer that has gone this way, a second a state."""
    return TransferView(
        transfer_id=TRANSFER_ID,
        state=path[-1],
        reason=reason,
        reason_text=reason.value,
        retryable=reason.retryable,
        sentence=reason.sentence,
        reconnecting=False,
        provider="twilio",
        provider_call_id="CA1",
        provider_code=None,
        destination="billing",
        to="+*********23",
        room_url="http://127.0.0.1:1/rooms/demo",
        customer_id="customer",
        bot_id="bot",
        accept="none",
        ring_timeout_s=30,
        max_duration_s=60,
        metadata={},
        created_at=at(0),
        updated_at=at(len(path) - 1),
        times={state: at(number) for number, state in enumerate(path)},
    )


def told(event: Event | None, state: State, seconds: float, reason: Reason | None = None) -> TransferEvent:
    """An event of the transfer."""
    return TransferEvent(
        entry_id=f"{seconds}",
        version=1,
        event=event,
        state=state,
        reason=reason,
        reason_text=reason,
        retryable=None,
        sentence=None,
        changes={},
        at=at(seconds),
    )


def moments(delay_ms: float, from_s: float, to_s: float) -> list[Moment]:
    """One each tenth of a second, with that delay."""
    first, last = round(10 * from_s), round(10 * to_s)
    return [Moment(START.monotonic_ns + tenth * 100_000_000, delay_ms, -0.1) for tenth in range(first, last)]


def evidence(**changes: Any) -> Evidence:
    """A talk from 4 s to 9 s with a delay of 60 ms to the customer and 40 ms to the agent."""
    good = Evidence(
        start=START,
        entries=(Entry(0.5, Who.BOT, "asks"), Entry(0.1, Who.CUSTOMER, "comes")),
        transfer=transfer(*PATH),
        events=(told(None, State.REQUESTED, 0), told(Event.JOINED, State.JOINED, 4)),
        bridge=BRIDGE,
        dial_requests=1,
        calls=(PhoneCall("completed", 9.2, streams=1, gaps=2, gaps_ms=40.0),),
        live_calls=0,
        violations=(),
        ours_in_room=(),
        tapes={direction: Tape(SILENCE, SILENCE) for direction in Direction},
        moments={Direction.AGENT_TO_ROOM: moments(60, 4, 9), Direction.ROOM_TO_AGENT: moments(40, 4, 9)},
        acts={"the customer leaving": 9.0},
    )
    return replace(good, **changes)
