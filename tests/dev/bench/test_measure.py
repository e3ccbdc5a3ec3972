"""Rounds, spreads and ratios."""

from relay.dev.bench.measure import Contender, Path, PathResult, Rounds, measure


def test_a_ratio_is_taken_round_by_round() -> None:
    """The machine is twice as slow in the second round, for both: the ratio must not see it."""
    result = PathResult("p", {"relay avx2": (100.0, 200.0, 100.0), "soxr": (700.0, 1400.0, 900.0)})
    assert result.ratio("soxr") == Rounds(median=7.0, least=7.0, most=9.0)
    assert result.time_ns("soxr") == Rounds(median=900.0, least=700.0, most=1400.0)


def test_the_first_contender_is_the_base() -> None:
    result = PathResult("p", {"b": (1.0,), "a": (2.0,)})
    assert result.base == "b"
    assert result.ratio("b") == Rounds(1.0, 1.0, 1.0)


def test_every_contender_is_called_with_its_arguments_in_every_round() -> None:
    calls: list[tuple[object, ...]] = []
    quick = Contender("quick", lambda *args: calls.append(args), (1, "x"))
    slow = Contender("slow", lambda: sum(range(20000)))
    result, other = measure([Path("p", (quick, slow), ("absent: why",)), Path("other", (slow,))], rounds=3)
    assert set(calls) == {(1, "x")}
    assert {who: len(rounds) for who, rounds in result.rounds_ns.items()} == {"quick": 3, "slow": 3}
    assert all(time_ns > 0 for rounds in result.rounds_ns.values() for time_ns in rounds)
    assert result.missing == ("absent: why",)
    assert (other.name, list(other.rounds_ns)) == ("other", ["slow"])
