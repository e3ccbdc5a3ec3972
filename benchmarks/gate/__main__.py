"""
The gate: no change that makes a frame dearer, later or slower goes unnoticed. docs/gate.md says how it judges.

    scripts/gate [--base REV] [--summary FILE]
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile
from collections.abc import Sequence

from benchmarks.gate.exact import findings
from benchmarks.gate.report import Report
from benchmarks.gate.statistic import Slowdown
from benchmarks.gate.trees import BaseMissing, TreeUnusable, base_revision, check_out, copy_here, make_ready
from benchmarks.gate.versus import LAUNCHES, QUADS, compare


def against_base(revision: str | None, *, launches: int, quads: int) -> tuple[str, Sequence[Slowdown]]:
    """
    Compare what stands here with ``revision``, by default the base; if that cannot be had, say why.

    Raises:
        TreeUnusable: what stands here cannot be built, or driven.
    """
    try:
        chosen, what = (revision, "the commit asked for") if revision else base_revision()
        with tempfile.TemporaryDirectory() as directory:
            base, now = pathlib.Path(directory, "base"), pathlib.Path(directory, "here")  # names of one length
            check_out(chosen, base)
            copy_here(now)
            try:
                make_ready((base, now))
                return f"{chosen[:12]}, {what}", compare(base, now, launches=launches, quads=quads)
            except TreeUnusable as error:
                if error.tree != base:
                    raise
                raise BaseMissing(f"expected {chosen[:12]}, {what}, to run by this driver, got {error}") from error
    except BaseMissing as error:
        return f"only the exact gates hold; {error}", ()


def main() -> int:
    """Judge, and say why; the exit status is 1 if the gate is closed."""
    parser = argparse.ArgumentParser(prog="scripts/gate", description=__doc__)
    parser.add_argument("--base", metavar="REV", help="compare with this commit")
    parser.add_argument("--summary", type=pathlib.Path, metavar="FILE", help="append a table in Markdown")
    parser.add_argument("--launches", type=int, default=LAUNCHES, help="of both processes (%(default)s)")
    parser.add_argument("--quads", type=int, default=QUADS, help="four turns each, in a launch (%(default)s)")
    arguments = parser.parse_args()
    exact = findings()
    against, slowdowns = against_base(arguments.base, launches=arguments.launches, quads=arguments.quads)
    report = Report(exact, against, slowdowns)
    print(report.as_text())
    if arguments.summary is not None:
        with arguments.summary.open("a") as summary:
            summary.write(report.as_markdown())
    return int(bool(report.problems))


if __name__ == "__main__":
    sys.exit(main())
