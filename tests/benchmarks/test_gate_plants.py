"""
What is planted is found: by the real gate, on copies of this tree.

None of it depends on how busy the machine is. The codec's plant is counted, instruction by instruction. The sleep is
some hundred times as long as a frame takes, and a process that sleeps says so itself; the copy that is unchanged is
held to counts, and to twenty times its own time, which no neighbour takes in most turns of most launches.
"""

import pathlib
import shutil

import pytest

from benchmarks.gate.exact import steady_counts
from benchmarks.gate.plants import plant_instructions, plant_sleep
from benchmarks.gate.report import WALL_BOUND
from benchmarks.gate.self_check import TENTH
from benchmarks.gate.steady import FRAMES
from benchmarks.gate.trees import copy_here, make_ready
from benchmarks.gate.versus import compare
from benchmarks.instructions import BUDGET, TOLERANCE, Budget, broken, count_now

SLEEP_S = 0.005
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    """The tree twice as it is, once with a slower codec and once with a bridge that sleeps, each built."""
    directory = tmp_path_factory.mktemp("copies")
    made = {name: directory / name for name in ("base", "same", "slow", "dull")}
    for tree in made.values():
        copy_here(tree)
    plant_instructions(made["slow"], TENTH)
    plant_sleep(made["dull"], SLEEP_S)
    make_ready(made.values())
    return made


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="no valgrind here")
def test_a_codec_of_a_tenth_more_instructions_closes_the_gate(copies: dict[str, pathlib.Path]) -> None:
    same, slow = count_now(copies["same"]), count_now(copies["slow"])
    before = Budget.read(BUDGET)
    assert list(broken(Budget(same.compiler, same.python, same.instructions), same)) == []
    fused = [name for name in same.instructions if name.endswith("avx2")]
    found = list(broken(Budget(same.compiler, same.python, same.instructions), slow))
    assert {problem.split(":")[0] for problem in found} >= set(fused)
    assert all(slow.instructions[name] - same.instructions[name] >= TENTH for name in fused)
    assert all(before.instructions[name] * TOLERANCE < TENTH for name in fused)


def test_a_bridge_that_sleeps_is_seen_by_the_clock_and_by_its_waits(copies: dict[str, pathlib.Path]) -> None:
    found = {each.path: each for each in compare(copies["base"], copies["dull"], launches=6, quads=2)}
    assert found["frame out, wall"].is_beyond(WALL_BOUND)
    assert found["frame out, wall"].now_us >= SLEEP_S * 1e6
    assert steady_counts(copies["dull"])["steady"]["waits, both"] >= FRAMES


def test_a_copy_that_is_unchanged_is_not(copies: dict[str, pathlib.Path]) -> None:
    same = steady_counts(copies["same"])
    assert same["bridge"] == steady_counts(copies["base"])["bridge"]
    assert same["steady"]["waits, both"] <= FRAMES // 10
    assert not any(each.is_beyond(20) for each in compare(copies["base"], copies["same"], launches=6, quads=2))
