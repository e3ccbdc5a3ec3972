"""What a scenario has shown, as values: for people, for machines, and for the plot. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from relay.dev.demo.evidence import Direction, Evidence
from relay.dev.demo.expectations import Check
from relay.dev.demo.measure import Delay, summed_up
from relay.dev.demo.plot import Band, Mark, Series, delay_plot
from relay.dev.demo.scenario import Scenario

SHIPPING: Final = "HTTP API, coordinator, store (a real Valkey), carrier adapter and signatures, bridge, codec"
SIMULATED: Final = "the carrier with its phone and agent, the room with its customer and bot, both networks"
INCLUDES: Final = (
    "From a sample being said to its being heard: relay, the simulated room's mixer, the simulated phone's clock.",
    "Not in it, as all of that is simulated on one machine: handsets, the carrier's network, WebRTC.",
)
NAMES: Final = {Direction.AGENT_TO_ROOM: "agent to customer", Direction.ROOM_TO_AGENT: "customer to agent"}
COLORS: Final = {Direction.AGENT_TO_ROOM: "#1570ef", Direction.ROOM_TO_AGENT: "#dc6803"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """What became of the frames of 20 ms: relay's own counts, and the silences that the simulated phone heard."""

    received: int
    lost: int
    late: int
    concealed_ms: float
    sent: int
    dropped: int
    phone_gaps: int
    phone_gaps_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One scenario that was played; ``delays`` has those directions in which a voice was heard."""

    scenario: Scenario
    evidence: Evidence
    checks: Sequence[Check]
    delays: Mapping[Direction, Delay]
    frames: Frames | None

    @property
    def ok(self) -> bool:
        """Everything was as it should be."""
        return all(check.ok for check in self.checks)

    def as_json(self, files: Mapping[str, str]) -> dict[str, Any]:
        """For machines; ``files`` are those that were written, by what they hold."""
        evidence, transfer = self.evidence, self.evidence.transfer
        return {
            "scenario": self.scenario.name,
            "line": self.scenario.line,
            "ok": self.ok,
            "shipping": SHIPPING,
            "simulated": SIMULATED,
            "transfer_id": transfer.transfer_id if transfer is not None else None,
            "state": transfer.state.value if transfer is not None else None,
            "reason": transfer.reason_text if transfer is not None else None,
            "sentence": transfer.sentence if transfer is not None else None,
            "states": [{"state": state.value, "at_s": round(at_s, 3)} for state, at_s in evidence.states_s],
            "timeline": [
                {"at_s": round(entry.at_s, 3), "who": entry.who.value, "what": entry.what}
                for entry in sorted(evidence.entries, key=lambda entry: entry.at_s)
            ],
            "delay": {direction.value: self._delay_json(direction) for direction in Direction},
            "frames": asdict(self.frames) if self.frames is not None else None,
            "checks": [asdict(check) for check in self.checks],
            "files": dict(files),
        }

    def plot(self) -> str | None:
        """The delay over time as SVG; None if no voice was heard."""
        if not self.delays:
            return None
        evidence = self.evidence
        return delay_plot(
            f"Mouth-to-ear delay: {self.scenario.name}",
            series=[self._series(direction, delay) for direction, delay in self.delays.items()],
            marks=[Mark(at_s, state.value) for state, at_s in evidence.states_s],
            bands=[Band(span.from_s, span.to_s, span.what) for span in evidence.spans],
            notes=INCLUDES,
            end_s=max((at_s for _, at_s in evidence.states_s), default=0.0) + 0.5,
        )

    def _series(self, direction: Direction, delay: Delay) -> Series:
        name = f"{NAMES[direction]}: {delay.median_ms:.0f} ms (median)"
        return Series(name, COLORS[direction], _points(self, direction))

    def _delay_json(self, direction: Direction) -> dict[str, Any] | None:
        delay = self.delays.get(direction)
        if delay is None:
            return None
        figures = {name: round(value, 2) for name, value in asdict(delay).items()}
        return {**figures, "moments": [[round(at_s, 3), round(ms, 2)] for at_s, ms in _points(self, direction)]}


def report_of(scenario: Scenario, evidence: Evidence) -> Report:
    """What the evidence shows."""
    summaries = {direction: summed_up(moments) for direction, moments in evidence.moments.items()}
    return Report(
        scenario=scenario,
        evidence=evidence,
        checks=scenario.checked(evidence),
        delays={direction: delay for direction, delay in summaries.items() if delay is not None},
        frames=_frames(evidence),
    )


def _points(report: Report, direction: Direction) -> list[tuple[float, float]]:
    start = report.evidence.start
    return [(start.since_ns(moment.at_ns), moment.delay_ms) for moment in report.evidence.moments[direction]]


def _frames(evidence: Evidence) -> Frames | None:
    bridge = evidence.bridge or {}
    agent, room = bridge.get("agent_to_room"), bridge.get("room_to_agent")
    if agent is None or room is None:
        return None
    playout = agent["playout"]
    return Frames(
        received=playout["frames_received"],
        lost=playout["frames_lost"],
        late=playout["frames_late"],
        concealed_ms=round(playout["concealed_ms"], 1),
        sent=room["frames"],
        dropped=room["frames_dropped"],
        phone_gaps=sum(call.gaps for call in evidence.calls),
        phone_gaps_ms=sum(call.gaps_ms for call in evidence.calls),
    )
