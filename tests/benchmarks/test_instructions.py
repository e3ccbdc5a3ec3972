"""The gate on instruction counts: what it compares, and what it says. The counting itself is valgrind's."""

import pathlib

import pytest

from benchmarks.instruction_driver import PATHS
from benchmarks.instructions import BUDGET, INSTRUCTION_SETS, Budget, broken, check, read_total


def budget(count: int, compiler: str = "GCC 12", python: str = "3.11") -> Budget:
    return Budget(compiler, python, {"Decoder.push, avx2": count})


@pytest.mark.parametrize(("count", "status"), [(1000, 0), (900, 0), (1050, 0), (1051, 1), (2000, 1)])
def test_more_than_the_tolerance_breaks_the_gate(count: int, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(budget(1000), budget(count)) == status
    said = capsys.readouterr().out
    assert str(count) in said
    assert ("got slower" in said) == bool(status)


@pytest.mark.parametrize("elsewhere", [{"compiler": "GCC 14"}, {"python": "3.13"}])
def test_another_compiler_or_python_widens_the_tolerance(
    elsewhere: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(budget(1000), budget(1200, **elsewhere)) == 0
    assert "tolerance 25%" in capsys.readouterr().out
    assert check(budget(1000), budget(1251, **elsewhere)) == 1


def test_a_budget_that_has_become_loose_is_told_and_not_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A later slow-down could hide in it."""
    assert check(budget(1000), budget(900)) == 0
    assert "tighten with --update" in capsys.readouterr().out
    assert check(budget(1000), budget(990)) == 0
    assert "--update" not in capsys.readouterr().out


def test_the_message_names_path_budget_count_and_excess() -> None:
    assert list(broken(budget(1000), budget(1500))) == [
        "Decoder.push, avx2: 1500 instructions a call, +50.0% on the budget of 1000 (tolerance 5%)"
    ]


def test_a_path_without_a_budget_breaks_the_gate() -> None:
    assert list(broken(Budget("GCC 12", "3.11", {}), budget(10))) == [
        "Decoder.push, avx2: 10 instructions a call, and no budget"
    ]


def test_the_budget_file_covers_every_path_in_every_instruction_set() -> None:
    assert set(Budget.read(BUDGET).instructions) == {f"{path}, {name}" for path in PATHS for name in INSTRUCTION_SETS}


def test_a_budget_is_read_as_it_was_written(tmp_path: pathlib.Path) -> None:
    budget(7).write(tmp_path / "budget.json")
    assert Budget.read(tmp_path / "budget.json") == budget(7)


def test_the_total_of_a_profile() -> None:
    assert read_total("version: 1\nevents: Ir\n\nfn=(1)\n1 20\n\ntotals: 12345\n") == 12345
    with pytest.raises(ValueError, match="totals"):
        read_total("version: 1\n")
