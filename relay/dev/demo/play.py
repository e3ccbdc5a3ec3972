"""Plays a scenario on a stage, and gathers what there is to show of it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TextIO

import structlog
import uvloop

from relay.app.logs import configure_logging
from relay.app.redaction import Redactor
from relay.app.settings import LogFormat, LogLevel
from relay.client import ClientError, TransferView
from relay.dev.carrier_call import SimulatedCall
from relay.dev.carriers.dialect import Dialect
from relay.dev.carriers.twilio import Twilio
from relay.dev.demo.evidence import Direction, Evidence, PhoneCall, Tape
from relay.dev.demo.measure import moments
from relay.dev.demo.scenario import Scenario
from relay.dev.demo.stage import ROOM, Stage, Voices, staged
from relay.dev.demo.timeline import Start, Timeline
from relay.dev.recording import spliced
from relay.dev.speech import speech
from relay.rooms.wire import RATE_HZ

SETTLE_S: Final = 5.0
"""How long phone and room may outlive the transfer before they count as left behind."""
OURS: Final = "relay"
VOICE_S: Final = 20.0
AGENT_SEED, CUSTOMER_SEED = 0, 3  # a higher and a lower voice


def play(scenario: Scenario, timeline: Timeline, log_path: Path, dialect: Dialect | None = None) -> Evidence:
    """
    Play a scenario; what goes wrong on the way is evidence, and raises nothing.

    Args:
        scenario: what is played.
        timeline: what happens is noted there as it happens.
        log_path: where relay's own log goes.
        dialect: which carrier there is; Twilio unless given.

    Raises:
        OSError: the log cannot be written, or there is no port to listen on.
        StoreUnavailable: there is no server for the store.
    """
    agent, customer = _spoken()
    voices = Voices(agent, customer * (int(scenario.limit_s / VOICE_S) + 1))
    dialect = Twilio() if dialect is None else dialect
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with log_path.open("w") as log, _logging_to(log) as redactor, runner:
        evidence = runner.run(_perform(scenario, timeline, voices, log, dialect, hide=redactor.learn))
    with log_path.open() as lines:
        return replace(evidence, bridge=_bridge_statistics(lines))


def measured(evidence: Evidence) -> Evidence:
    """The evidence with what can be found out from the recordings; takes seconds."""
    heard = {direction: moments(tape.heard, tape.said) for direction, tape in evidence.tapes.items()}
    return replace(evidence, moments=heard)


@functools.cache
def _spoken() -> tuple[bytes, bytes]:
    return speech(VOICE_S, seed=AGENT_SEED), speech(VOICE_S, seed=CUSTOMER_SEED, rate_hz=RATE_HZ)


async def _perform(
    scenario: Scenario, timeline: Timeline, voices: Voices, log: TextIO, dialect: Dialect, *, hide: Callable[..., None]
) -> Evidence:
    async with staged(timeline, scenario.outcome, voices, log, dialect, hide=hide) as stage:
        broke = await _broken(_steps(scenario, stage), scenario.limit_s)
        # Before the service ends, and takes down what it has left behind.
        left = await _broken(_settled(stage), SETTLE_S)
        return await _gathered(stage, broke or left)


async def _steps(scenario: Scenario, stage: Stage) -> None:
    for step in scenario.steps:
        await step(stage)
    await stage.until_told()


async def _settled(stage: Stage) -> None:
    """The phone is hung up, what was made for it is removed, and relay has left the room."""
    await stage.carrier.until_idle(timeout_s=SETTLE_S)
    await stage.carrier.until(lambda carrier: not carrier.left_over, "nothing left over", timeout_s=SETTLE_S)
    await stage.rooms.changes.until(lambda: OURS not in stage.rooms.names(ROOM), "relay's leaving", timeout_s=SETTLE_S)


async def _broken(playing: Coroutine[Any, Any, None], limit_s: float) -> str | None:
    """What kept this from coming to its end in time; None if it did."""
    try:
        async with asyncio.timeout(limit_s):
            await playing
    except (ClientError, TimeoutError, OSError) as error:
        return str(error) or f"it was not over after {limit_s:g} s"
    return None


async def _gathered(stage: Stage, broke: str | None) -> Evidence:
    carrier, start = stage.carrier, stage.timeline.start
    violations = [*carrier.violations, *(each for call in carrier.calls for each in call.violations)]
    return Evidence(
        start=start,
        entries=tuple(stage.timeline.entries),
        transfer=await _transfer(stage),
        events=tuple(stage.events),
        bridge=None,
        dial_requests=len(carrier.dial_requests),
        calls=tuple(_phone_call(call, start) for call in carrier.calls),
        live_calls=len(carrier.live_calls),
        left_over=tuple(carrier.left_over),
        violations=tuple(violations),
        ours_in_room=tuple(name for name in stage.rooms.names(ROOM) if name == OURS),
        tapes=_tapes(stage),
        spans=tuple(stage.spans),
        acts=dict(stage.acts),
        asked_again=stage.asked_again,
        broke=broke,
        traits=carrier.dialect.traits,
    )


async def _transfer(stage: Stage) -> TransferView | None:
    with contextlib.suppress(ClientError):
        if stage.bot.transfer_id is not None:
            return await stage.relay.get(stage.bot.transfer_id)
    return None


def _phone_call(call: SimulatedCall, start: Start) -> PhoneCall:
    gaps = [gap for phone in call.phones for gap in phone.gaps]
    return PhoneCall(
        call.status,
        start.since(call.ended_at) if call.ended_at is not None else None,
        len(call.phones),
        len(gaps),
        sum(gap.duration_ms for gap in gaps),
    )


def _tapes(stage: Stage) -> dict[Direction, Tape]:
    """Both directions, if there was a phone that could talk and hear."""
    phones = stage.call.phones if stage.call is not None else []
    if not phones:
        return {}
    customer = stage.customer
    return {
        Direction.AGENT_TO_ROOM: Tape(spliced([phone.said for phone in phones]), customer.heard),
        Direction.ROOM_TO_AGENT: Tape(customer.said, spliced([phone.heard for phone in phones])),
    }


@contextlib.contextmanager
def _logging_to(log: TextIO) -> Iterator[Redactor]:
    """Relay's log as it is in service, within the block: one JSON object a line; what must not be in it, it is told."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    redactor = configure_logging(LogLevel.INFO, LogFormat.JSON, stream=log)
    try:
        yield redactor
    finally:
        structlog.configure(**before)
        root.handlers = handlers
        root.setLevel(level)


def _bridge_statistics(log: Iterable[str]) -> Mapping[str, Any] | None:
    """What relay logs of the whole call when it is over."""
    entries = [json.loads(line) for line in log if line.startswith("{")]  # native code has a form of its own
    ended = [entry for entry in entries if entry["event"] == "bridge_ended"]
    return ended[-1] if ended else None
