"""
What is planted is found: by the real gate, on copies of this tree.

None of it depends on how busy the machine is. The codec's plant is counted, instruction by instruction; a process that
sleeps says so itself, and 5 ms are a hundred times what a frame takes.
"""

import pathlib
import shutil

import pytest

from benchmarks import instructions
from benchmarks.gate.exact import WAITS_MAX, look, look_at_fused, steady_counts
from benchmarks.gate.plants import plant_instructions, plant_sleep
from benchmarks.gate.report import WALL_BOUND
from benchmarks.gate.self_check import TENTH
from benchmarks.gate.trees import copy_here, make_ready
from benchmarks.gate.versus import compare
from relay._codec import instruction_set

SLEEP_S = 0.005
FRAMES = 40
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    """The tree as it is, with a slower codec, and with a bridge that sleeps, each built."""
    directory = tmp_path_factory.mktemp("copies")
    made = {name: directory / name for name in ("same", "slow", "dull")}
    for tree in made.values():
        copy_here(tree)
    plant_instructions(made["slow"], TENTH)
    plant_sleep(made["dull"], SLEEP_S)
    make_ready(made.values())
    return made


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind here")
def test_a_codec_of_a_tenth_more_instructions_closes_the_gate(copies: dict[str, pathlib.Path]) -> None:
    same, slow = (instructions.count_now(copies[name], sets=[instruction_set()]) for name in ("same", "slow"))
    assert not any(each.problem for each in look_at_fused(same, same))
    assert all(each.problem for each in look_at_fused(same, slow))


def test_a_bridge_that_sleeps_says_so(copies: dict[str, pathlib.Path]) -> None:
    same, dull = (steady_counts(copies[name], FRAMES) for name in ("same", "dull"))
    assert same["bridge"] == dull["bridge"]
    assert same["steady"]["waits, both"] <= WAITS_MAX
    assert dull["steady"]["waits, both"] >= FRAMES
    assert [each.name for each in look(None, {}, dull["steady"]) if each.problem and "waits, both" in each.name]


def test_a_bridge_that_sleeps_is_seen_by_the_clock(copies: dict[str, pathlib.Path]) -> None:
    found = {each.path: each for each in compare(copies["same"], copies["dull"], launches=6, quads=1, warm_up=100)}
    assert found["frame out, wall"].is_beyond(WALL_BOUND)
    assert found["frame out, wall"].now_us >= SLEEP_S * 1e6
