"""The gate as a whole: what it compares with, what it says, and when it is closed."""

import pathlib
import subprocess

import pytest

from benchmarks.gate import __main__ as gate
from benchmarks.gate import trees
from benchmarks.gate.exact import Finding
from benchmarks.gate.plants import plant_instructions, plant_sleep
from benchmarks.gate.report import CPU_BOUND, WALL_BOUND, Report, bound_of
from benchmarks.gate.statistic import Slowdown

ROOT = pathlib.Path(__file__).parents[2]
BASELINE, REASON = (ROOT / "benchmarks/BASELINE").read_text().splitlines()


def slowdown(lower: float, path: str = "codec in") -> Slowdown:
    return Slowdown(path, lower + 0.02, lower, lower + 0.04, 0.26, 0.28)


def test_the_baseline_is_a_commit_with_a_reason_and_the_changelog_names_it() -> None:
    assert len(BASELINE) == 40
    assert REASON
    assert BASELINE[:7] in (ROOT / "CHANGELOG.md").read_text()


def test_without_a_pull_request_the_baseline_is_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_BASE_REF", raising=False)
    assert trees.base_revision() == (BASELINE, f"the baseline: {REASON}")


def git(where: pathlib.Path, *arguments: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=where, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_in_a_pull_request_the_merge_base_is(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "one")
    one = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "checkout", "--quiet", "-b", "change")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "two")
    monkeypatch.setattr(trees, "ROOT", tmp_path)
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    assert trees.base_revision() == (one, "the merge base with main")
    monkeypatch.setenv("GITHUB_BASE_REF", "gone")
    with pytest.raises(trees.BaseMissing, match="fetch-depth: 0"):
        trees.base_revision()


def test_a_base_that_cannot_be_had_leaves_the_exact_gates_and_is_told() -> None:
    against, slowdowns = gate.against_base("0" * 40, launches=1, quads=1)
    assert not slowdowns
    assert "only the exact gates hold" in against
    assert "shallow" in against
    assert Report([], against, slowdowns).as_text().startswith("note: no times")


@pytest.mark.parametrize(("unusable", "is_told"), [("base", True), ("here", False)])
def test_a_base_too_old_for_the_driver_is_told_and_a_tree_that_fails_it_is_not_excused(
    monkeypatch: pytest.MonkeyPatch, unusable: str, *, is_told: bool
) -> None:
    def fail(base: pathlib.Path, now: pathlib.Path, **_: int) -> list[Slowdown]:
        raise trees.TreeUnusable(base if unusable == "base" else now, "ImportError: no such name")

    monkeypatch.setattr(gate, "check_out", lambda *_: None)
    monkeypatch.setattr(gate, "copy_here", lambda *_: None)
    monkeypatch.setattr(gate, "make_ready", lambda *_: None)
    monkeypatch.setattr(gate, "compare", fail)
    if is_told:
        against, _ = gate.against_base(BASELINE, launches=1, quads=1)
        assert "ImportError: no such name" in against
    else:
        with pytest.raises(trees.TreeUnusable):
            gate.against_base(BASELINE, launches=1, quads=1)


SETUP = """
import pathlib
pathlib.Path("built").open("a").write("again")
pathlib.Path("relay/_codec.so").write_bytes(pathlib.Path("relay/native/stream.c").read_bytes())
"""


def test_the_same_sources_are_built_once_and_others_by_themselves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = []
    for name, source in (("one", "a"), ("two", "a"), ("three", "b")):
        tree = tmp_path / name
        (tree / "relay/native").mkdir(parents=True)
        (tree / "relay/native/stream.c").write_text(source)
        (tree / "setup.py").write_text(SETUP)
        trees.make_ready([tree])
        made.append(((tree / "relay/_codec.so").read_text(), (tree / "built").exists()))
    assert made == [("a", True), ("a", False), ("b", True)]


def test_a_module_that_is_compiled_with_types_is_a_source(tmp_path: pathlib.Path) -> None:
    for name in ("setup.py", "relay/jitter.pxd", "relay/jitter.py", "relay/other.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    before = trees._kept(tmp_path)
    (tmp_path / "relay/other.py").write_text("1")
    assert trees._kept(tmp_path) == before
    (tmp_path / "relay/jitter.py").write_text("1")
    assert trees._kept(tmp_path) != before


def test_each_path_is_held_to_its_bound() -> None:
    assert (bound_of("frame in"), bound_of("frame in, wall")) == (CPU_BOUND, WALL_BOUND)
    assert Report([], "", [slowdown(CPU_BOUND), slowdown(WALL_BOUND, "frame in, wall")]).problems == []
    beyond = Report([], "", [slowdown(CPU_BOUND + 0.01), slowdown(WALL_BOUND + 0.01, "frame in, wall")])
    assert [problem.split(":")[0] for problem in beyond.problems] == ["codec in", "frame in, wall"]


def test_the_summary_is_a_table_with_every_figure_and_what_is_wrong() -> None:
    exact = [Finding("waits", "900", "10", "more than there may be"), Finding("delay", "first 3", "first 3")]
    page = Report(exact, "abc, the baseline", [slowdown(0.01)]).as_markdown()
    assert page.startswith("## The gate: closed\n\n- **waits: 900, the budget is 10 (more than there may be)**\n")
    assert "| codec in | 0.26 | 0.28 | +3.0% | +1.0% | +5.0% | 5% |" in page
    assert "| delay | first 3 | first 3 |  |" in page
    assert Report(exact[1:], "abc").as_markdown().startswith("## The gate: open\n\n**No times: abc**")


def test_plants_find_their_place(tmp_path: pathlib.Path) -> None:
    trees.copy_here(tmp_path)
    plant_instructions(tmp_path, 490)
    plant_sleep(tmp_path, 0.005)
    assert ".rept 490" in (tmp_path / "relay/native/stream.c").read_text()
    assert "time.sleep(0.005)" in (tmp_path / "relay/bridge/bridge.py").read_text()
    assert not list(tmp_path.glob("relay/*.so"))
    (tmp_path / "relay/bridge/bridge.py").write_text("")
    with pytest.raises(ValueError, match="got 0"):
        plant_sleep(tmp_path, 1)


def test_the_checks_call_the_gate() -> None:
    assert 'check "gate" python -m benchmarks.gate' in (ROOT / "scripts/check").read_text()
