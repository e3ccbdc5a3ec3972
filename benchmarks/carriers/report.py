"""Owns the page, and the part of the codec's report: what a frame costs with each carrier, one row for each stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.carriers.paths import AUDIOOP, CODEC, PARTS, RELAY, StreamResult
from relay.dev.bench.measure import Rounds

HEAD = (
    f"| carrier | audio | path | frames in a message | {RELAY}, ns a frame | {CODEC}, ns | the rest, ns |"
    f" {PARTS}, ratio | {AUDIOOP}, ratio |"
)

ABOUT = """\
From the WebSocket message's bytes to the room's PCM at 16 kHz and back, by the calls that a bridge makes of adapter
and codec, and nothing else of it: no socket, no jitter buffer. *Fused*: the codec reads or writes the message itself,
by the stream's template. *Direct*: the adapter takes the payload out of the message or puts it in, and the codec has
the payload. A row for each stream that the conformance cases have; all take turns in one process, with
{instruction_set}. Times are ns of CPU time for each 20 ms, however many of them a message holds: the median (least to
most) of the rounds. *Codec alone* is the same audio without a message around it; *the rest* is the difference, round
by round, as is the ratio: how many times as long the standard library takes. It converts rates by `audioop.ratecv`,
which does not filter. Where a binary message is the room's own PCM there is nothing for it to do, and no ratio."""

NOTES = """\
Telnyx does not promise the order of its messages: what it sends at another rate than the room's is resampled behind
the jitter buffer, which is a call more. Exotel's messages in camel case are numbered, which no template can do. *Faint
noise* is a row where an adapter changes what it sends, so that the sound matters: jambonz takes a sample of -1 for a
mark, and a voice has few of them."""


@dataclass(frozen=True, slots=True)
class CarriersReport:
    """Everything that one run found out."""

    command: str
    machine: dict[str, str]
    busy: float
    """How much of all cores was taken by others before the run."""
    instruction_set: str
    results: list[StreamResult]

    def as_markdown(self) -> str:
        """Return the report as a page."""
        blocks = (self._head(), tables(self.results, self.instruction_set))
        return "\n\n".join("\n".join(block) for block in blocks) + "\n"

    def _head(self) -> Iterator[str]:
        yield from ("# The carriers: what a frame costs with each", "", f"`{self.command}`", "")
        yield from ("| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in self.machine.items()))
        yield from ("", f"Others took {self.busy:.0%} of the machine just before the run.")


def tables(results: Iterable[StreamResult], instruction_set: str) -> Iterator[str]:
    """Return the lines of both directions' tables, with what they say."""
    results = list(results)
    yield from ABOUT.format(instruction_set=instruction_set).splitlines()
    for title, to_room in (("From the carrier to the room", True), ("From the room to the carrier", False)):
        yield from ("", f"### {title}", "", HEAD, "|---|---|---|---|---|---|---|---|---|")
        yield from (_row(result) for result in results if result.stream.to_room is to_room)
    yield from ("", *NOTES.splitlines())
    reasons = dict.fromkeys(reason for result in results for reason in result.per_frame.missing)
    yield from ("", *(f"- Left out: {reason}" for reason in reasons)) if reasons else ()


def _row(result: StreamResult) -> str:
    stream, measured = result.stream, result.per_frame
    own, codec = (measured.time_ns(who) for who in (RELAY, CODEC))
    pairs = zip(measured.rounds_ns[RELAY], measured.rounds_ns[CODEC], strict=True)
    rest = Rounds.of([relay_ns - codec_ns for relay_ns, codec_ns in pairs])
    ratios = (_spread(measured.ratio(who), ".1f") if who in measured.rounds_ns else "" for who in (PARTS, AUDIOOP))
    cells = (
        *(stream.carrier, stream.audio, stream.way, str(stream.frames)),
        *(_spread(own, ".0f"), f"{codec.median:.0f}", f"{rest.median:.0f}"),
        *ratios,
    )
    return f"| {' | '.join(cells)} |"


def _spread(spread: Rounds, form: str) -> str:
    return f"{spread.median:{form}} ({spread.least:{form}} to {spread.most:{form}})"
