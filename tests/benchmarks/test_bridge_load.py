"""One call for one second through a real server process."""

import pathlib
import sys

from benchmarks.bridge import wire
from benchmarks.bridge.load import PTIME_NS, Load
from benchmarks.bridge.server import ObedientProcess, ServerProcess
from tests.signals.waves import pcm, speech

FRAMES = wire.FRAMES_PER_S
ECHO = [sys.executable, "-m", "benchmarks.peers.websockets_echo"]


def prefixes() -> list[bytes]:
    return wire.media_prefixes(pcm(speech(wire.RATE_HZ, 1.0)))


def test_bridge_answers_every_frame_and_says_how_it_did(tmp_path: pathlib.Path) -> None:
    said = tmp_path / "said"
    said.write_bytes(pcm(speech(16000, 0.02)))
    with ServerProcess("server_bridge", "--said", str(said)) as server, Load(server.port, 1, prefixes()) as load:
        server.tell("freeze")
        server.tell("begin")
        load.run(FRAMES)
        inside = server.end()
        assert load.received > 0
        assert inside["wait"]["max_ms"] > 0
        assert inside["own_time"]["max_ms"] > 0
        assert server.cpu_ns() > 0


def test_load_keeps_its_deadlines_spread_over_the_calls() -> None:
    with ObedientProcess(ECHO) as server, Load(server.port, 2, prefixes()) as load:
        load.run(5)
        assert len(load.sent_ns) == 10
        assert min(load.late_ns(0)) >= 0
        assert load._due_ns(1) - load._due_ns(0) == PTIME_NS // 2
        assert len(load.sent_by(1)) == 5
