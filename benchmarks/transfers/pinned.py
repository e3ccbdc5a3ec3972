"""Runs a module on one core: ``python -m benchmarks.transfers.pinned CORE MODULE ARGUMENTS``."""

from __future__ import annotations

import os
import runpy
import sys


def main() -> None:
    """Become the module, its command line being the rest of this one's."""
    core, module, *arguments = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
