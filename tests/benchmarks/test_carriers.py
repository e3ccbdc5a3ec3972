"""What is measured of a carrier's stream is what a bridge does with it, and what docs/carrier-benchmarks.md shows."""

import functools
import json
import pathlib
import re
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import pytest
import structlog

from benchmarks.carriers.paths import (
    AUDIOOP,
    CODEC,
    PARTS,
    RELAY,
    Stream,
    StreamResult,
    all_streams,
    measure_streams,
    per_frame,
)
from benchmarks.carriers.report import CarriersReport, tables
from relay import _codec
from relay._codec import Resampler
from relay.bridge.agent_to_room import AgentToRoom
from relay.bridge.faults import Faults
from relay.bridge.media_connection import MediaConnection
from relay.bridge.room_to_agent import RoomToAgent
from relay.conformance import Case
from relay.dev.bench.measure import PathResult
from relay.providers.base import StreamStarted

PAGE = pathlib.Path(__file__).parents[2] / "docs/carrier-benchmarks.md"
STREAMS = list(all_streams())
TO_ROOM = [stream for stream in STREAMS if stream.to_room]
TO_CARRIER = [stream for stream in STREAMS if not stream.to_room]


def call(stream: Stream, who: str) -> Any:
    """What a contender makes of its first message."""
    return _first_call(stream.path.name, who)


@functools.cache
def _first_call(name: str, who: str) -> Any:
    """Once: each goes on from the last. No message may need a parser that the codec would scan."""
    [path] = [stream.path for stream in STREAMS if stream.path.name == name]
    [contender] = [each for each in path.contenders if each.name == who]
    with patch.object(_codec, "orjson", None):
        return contender.call(*contender.args)


def message(stream: Stream) -> bytes:
    """Of its relay, or what goes into it."""
    data = stream.path.contenders[0].args[0]
    assert isinstance(data, bytes)
    return data


def bridge_pcm(stream: Stream) -> bytes:
    """What a bridge's room gets of the message, but for the jitter buffer."""
    adapter = stream.case.new_adapter()
    agent = AgentToRoom(adapter, room_rate_hz=16000, microphone_ptime_ms=20, profile="balanced")
    for each in stream.case.received[: stream.case.received.index(stream.case.of(StreamStarted)[0]) + 1]:
        agent.take(each.data, 0)
    if adapter.capabilities.audio == "text":
        agent.take(message(stream), 0)
    else:
        agent.take_binary(message(stream), 0)
    [(decoded, _)] = agent._playout._queue.entries
    assert isinstance(decoded, bytes)
    if agent._playout_rate_hz != 16000:
        decoded = Resampler(agent._playout_rate_hz, 16000).push(decoded)
    return decoded


def bridge_message(case: Case, said: bytes) -> bytes:
    direction = RoomToAgent(
        cast("MediaConnection", SimpleNamespace(writer=None)),
        case.opened(),
        case.format,
        room_rate_hz=16000,
        queue_max_ms=100,
        profile="balanced",
        faults=Faults(structlog.get_logger()),
    )
    assert len(said) == direction._whole_bytes
    return direction._message(said)


@pytest.mark.parametrize("stream", TO_ROOM, ids=lambda stream: stream.path.name)
def test_the_room_gets_what_a_bridge_gives_it(stream: Stream) -> None:
    pcm = call(stream, RELAY)
    assert pcm == bridge_pcm(stream) == call(stream, CODEC)
    assert len(pcm) == 640 * stream.frames


@pytest.mark.parametrize("stream", TO_CARRIER, ids=lambda stream: stream.path.name)
def test_the_carrier_gets_what_a_bridge_sends_it(stream: Stream) -> None:
    sent = call(stream, RELAY)
    assert sent == bridge_message(stream.case, message(stream))
    assert len(call(stream, CODEC)) == stream.case.format.size_bytes(20 * stream.frames)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.path.name)
def test_the_standard_library_does_the_same_work(stream: Stream) -> None:
    rivals = {contender.name for contender in stream.path.contenders} & {PARTS, AUDIOOP}
    if not rivals:
        assert stream.path.missing or (stream.way, stream.audio) == ("direct", "L16/16000")
        return
    [rival] = rivals
    ours, theirs = call(stream, RELAY), call(stream, rival)
    if not stream.to_room and rival == PARTS:
        ours, theirs = json.loads(ours), json.loads(theirs)
        payloads = [each["media"].pop("payload") for each in (ours, theirs)]
        assert ours == theirs
        ours, theirs = payloads
    assert len(theirs) == pytest.approx(len(ours), abs=8)  # ratecv begins with half a step


def test_every_carrier_in_text_is_served_by_the_fused_path() -> None:
    direct = {stream.carrier.split(",")[0] for stream in STREAMS if stream.way == "direct"}
    assert direct == {"asterisk", "jambonz", "vonage", "exotel camel case"}
    assert all(stream.way == "fused" for stream in TO_ROOM if stream.carrier == "exotel camel case")


def test_a_message_of_several_frames_is_shared_out() -> None:
    shared = per_frame(PathResult("a path", {"relay": (500.0, 1000.0)}, ("soxr: absent",)), 5)
    assert shared == PathResult("a path", {"relay": (100.0, 200.0)}, ("soxr: absent",))


def made_up(stream: Stream) -> StreamResult:
    times: dict[str, tuple[float, ...]] = {who.name: (3.0, 1.0, 2.0) for who in stream.path.contenders}
    return StreamResult(stream, PathResult(stream.path.name, times, stream.path.missing))


def without_measured(page: str) -> list[str]:
    """The page from the machine's table on, with 0 for every number that was measured."""
    _, _, rest = page.partition("of the machine just before the run.\n")
    figure = re.compile(r"(?<= )-?\d+(\.\d+)?( \(-?[\d.]+ to -?[\d.]+\))?(?= \|)")
    rows = [line.split(" | ", 4) for line in rest.splitlines()]
    return [" | ".join([*row[:4], figure.sub("0", " " + row[4])] if len(row) == 5 else row) for row in rows]


def test_page_is_what_the_command_writes() -> None:
    results = [made_up(stream) for stream in STREAMS]
    page = PAGE.read_text()
    assert page.startswith("# The carriers: what a frame costs with each\n\n`python -m benchmarks.carriers ")
    assert re.search(r"^\| processor \| .+ \|$", page, re.MULTILINE)
    chosen = re.findall(r"\b(avx2|sse2|portable)\. Times are", page.replace("\n", " "))
    written = CarriersReport("", {}, 0, chosen[0], results).as_markdown()
    assert without_measured(page) == without_measured(written)


def test_table_shows_medians_and_what_differs_round_by_round() -> None:
    stream = next(stream for stream in TO_ROOM if stream.carrier == "twilio")
    times = {RELAY: (300.0, 500.0, 400.0), CODEC: (290.0, 310.0, 350.0), PARTS: (3000.0, 5000.0, 8000.0)}
    result = StreamResult(stream, PathResult(stream.path.name, {**times}, ("audioop: gone",)))
    lines = list(tables([result], "avx2"))
    row = "| twilio | PCMU/8000 | fused | 1 | 400 (300 to 500) | 310 | 50 | 10.0 (10.0 to 20.0) |  |"
    assert row in lines
    assert "- Left out: audioop: gone" in lines


@pytest.mark.long
def test_everything_can_be_measured() -> None:
    assert len(measure_streams(1)) == len(STREAMS)
