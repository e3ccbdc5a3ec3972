"""What a soak has come to: a verdict for each of the invariants, as a table and as JSON."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from relay.dev.bench.soak import SPARES, Course
from relay.dev.bench.soak_samples import Growth, Sample, repeated_zombies, whole_time

WARM_UP: Final = 0.1
"""Of the set-ups: memory is compared from there on."""
GROWTH_MAX: Final = 0.02
AS_MEANT_MIN: Final = 0.99
"""Who is starved of processors runs into time-outs of his own; what such calls leave behind counts all the same."""
HEARD_MIN: Final = 0.5
"""That a bridge carries audio; how well is what the other modes measure, on a machine that does nothing else."""
UNREAD_MAX_S: Final = 60.0
"""What is not looked at for longer may have been anything meanwhile."""
_MB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line: what must hold, what was found, and whether it holds."""

    what: str
    expected: str
    found: str
    holds: bool


def verdicts(course: Course, *, growth_max: float = GROWTH_MAX) -> Sequence[Verdict]:
    """All of them."""
    return [*_calls(course), *_read(course), *_memory(course, growth_max), *_held(course), *_left(course)]


def _calls(course: Course) -> Iterator[Verdict]:
    plan = course.plan
    as_meant = course.done - len(course.unexpected)
    yield Verdict(
        "set-ups that ended as they should",
        f"{AS_MEANT_MIN:.0%} of {plan.set_ups}",
        f"{as_meant}" + _listed(course.unexpected),
        course.done == plan.set_ups and as_meant >= AS_MEANT_MIN * plan.set_ups,
    )
    for side in ("by agents", "by customers"):
        heard = course.bridges.get(side, [])
        least = min(heard, default=0.0)
        yield Verdict(
            f"frames of the bridges heard {side}, the worst bridge",
            f"{plan.bridges} bridges, {HEARD_MIN:.0%} of {course.bridges.get('frames', 0)}",
            f"{len(heard)} bridges, {least:.2%}",
            len(heard) == plan.bridges and least >= HEARD_MIN,
        )


def _read(course: Course) -> Iterator[Verdict]:
    times = [sample.at_s for sample in course.samples]
    times.append((times[0] if times else 0.0) + course.took_s)
    longest_s = max((now - before for before, now in itertools.pairwise(times)), default=course.took_s)
    expected = f"less than {UNREAD_MAX_S:g} s"
    yield Verdict(
        "longest time without a reading",
        expected,
        f"{longest_s:.0f} s" + _listed(course.unread),
        longest_s < UNREAD_MAX_S,
    )
    yield _none("readings to compare with that did not become steady", course.unsteady)


def _memory(course: Course, growth_max: float) -> Iterator[Verdict]:
    warm = warmed_up(course)
    if len(warm) < 2:
        yield Verdict("memory", "two readings behind the warm-up", f"{len(warm)}", holds=False)
        return
    points = [(sample.done, sample.service.anonymous_bytes) for sample in warm]
    yield _growth("memory of the service", points, growth_max)
    long_lived = whole_time(warm)
    if long_lived:
        points = [(sample.done, sum(sample.workers[pid].anonymous_bytes for pid in long_lived)) for sample in warm]
        yield _growth(f"memory of the {len(long_lived)} long-lived workers", points, growth_max)


def _growth(what: str, points: Sequence[tuple[float, float]], growth_max: float) -> Verdict:
    growth = Growth.of(points)
    found = (
        f"{growth.share:+.2%}: {growth.first / _MB:.2f} to {growth.last / _MB:.2f} MB, "
        f"{growth.slope:+.0f} bytes a set-up by least squares"
    )
    return Verdict(what, f"less than {growth_max:+.0%}", found, growth.share < growth_max)


def _held(course: Course) -> Iterator[Verdict]:
    before, after = course.baseline, course.after
    if before is None or after is None:
        yield Verdict("what the service holds", "a reading before and after", "none", holds=False)
        return
    for what, was, now in (
        ("descriptors", before.own_descriptors, after.own_descriptors),
        ("threads", before.service.threads, after.service.threads),
        ("asyncio tasks", before.tasks, after.tasks),
    ):
        yield Verdict(f"{what} of the service, bridges on", f"{was} at most", f"{now}", now <= was)
    yield Verdict(
        "transfers that hold a bridge", f"{course.plan.bridges}", f"{after.live}", after.live == course.plan.bridges
    )


def _left(course: Course) -> Iterator[Verdict]:
    quiet = course.quiet
    workers = len(quiet.workers) if quiet is not None else -1
    live = quiet.live if quiet is not None else -1
    yield Verdict("workers behind the last call", f"{SPARES} spares at most", f"{workers}", 0 <= workers <= SPARES)
    yield Verdict("transfers that hold a bridge, behind the last call", "0", f"{live}", live == 0)
    zombies = repeated_zombies(course.samples)
    status, phones = course.exit_status, course.carrier.get("live")
    yield _none("transfers left open in the store", course.open_transfers)
    yield Verdict("phones live at the carrier", "0", f"{phones}", phones == 0)
    yield _none("what the carrier complained of", course.carrier.get("violations", ["not asked"]))
    yield _none("rooms in which somebody is left", course.rooms)
    yield _none("children that ended and were not reaped", sorted(map(str, zombies)))
    errors = [f"{event} ({count})" for event, count in course.logged.items() if not event.startswith("warning")]
    yield _none("errors in the service's log", errors)
    yield Verdict("exit status of the service", "0", f"{status}", status == 0)
    yield _none("processes left", course.left_processes)
    yield _none("temporary files left", course.left_files)


def _none(what: str, found: Sequence[str]) -> Verdict:
    return Verdict(what, "0", f"{len(found)}" + _listed(found), not found)


def _listed(found: Sequence[str]) -> str:
    return f": {'; '.join(found[:3])}" if found else ""


def warmed_up(course: Course) -> Sequence[Sample]:
    """The readings behind the warm-up, to the last set-up."""
    plan = course.plan
    return [sample for sample in course.samples if WARM_UP * plan.set_ups <= sample.done < plan.set_ups]


def memory_series(course: Course) -> Mapping[str, Sequence[tuple[float, float]]]:
    """Minutes and MB: of the service, of the workers that were there all the time, together, and of the store."""
    samples, pids = course.samples, whole_time(warmed_up(course))

    def points(of: Callable[[Sample], float]) -> Sequence[tuple[float, float]]:
        return [(sample.at_s / 60, of(sample) / _MB) for sample in samples]

    def workers(sample: Sample) -> int:
        return sum(held.anonymous_bytes for pid, held in sample.workers.items() if pid in pids)

    return {
        "service": points(lambda sample: sample.service.anonymous_bytes),
        f"{len(pids)} long-lived workers": points(workers),
        "store": points(lambda sample: sample.store.anonymous_bytes if sample.store is not None else 0),
    }


def as_table(course: Course, found: Sequence[Verdict]) -> str:
    """Markdown."""
    plan = course.plan
    held = {True: "holds", False: "**fails**"}
    rows = [f"| {each.what} | {each.expected} | {each.found} | {held[each.holds]} |" for each in found]
    ends = [f"- {end}: {count}" for end, count in sorted(course.ends.items())]
    logged = ", ".join(f"{each} ({count})" for each, count in sorted(course.logged.items()))
    done = (
        f"{plan.bridges} bridges and {course.done} set-ups in {course.took_s / 60:.1f} min, "
        f"{plan.calls_per_worker} calls a worker. The service was too busy for one {course.overloads} times; "
        "those were asked for again."
    )
    memory = (
        "Memory is what is of no file (`Pss_Anon`), the median of the first and of the last tenth of the readings "
        f"from {WARM_UP:.0%} of the set-ups on. {_store(course)}"
    )
    lines = (
        done,
        "",
        "| | expected | found | |",
        "|---|---|---|---|",
        *rows,
        "",
        memory,
        "",
        "How they ended:",
        "",
        *ends,
        "",
        f"Logged above info: {logged or 'nothing'}.",
    )
    return "\n".join(lines)


def _store(course: Course) -> str:
    sizes = [sample.store.anonymous_bytes / _MB for sample in course.samples if sample.store is not None]
    if not sizes:
        return "The store was not read."
    return f"The store, which keeps a transfer for an hour, went from {sizes[0]:.1f} to {sizes[-1]:.1f} MB."


def as_json(course: Course, found: Sequence[Verdict]) -> str:
    """All that was read, and the verdicts."""
    content: dict[str, Any] = asdict(course) | {"verdicts": [asdict(each) for each in found]}
    return json.dumps(content, default=_plain, indent=1)


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)
