"""Blocks of a page that a script writes: each is between ``<!-- NAME: ... -->`` and ``<!-- end -->``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path


def with_blocks(page: str, blocks: Mapping[str, str]) -> str:
    """
    ``page`` with the blocks of these names as they are now.

    Raises:
        ValueError: the page does not have the marks of a block once.
    """
    for name, text in blocks.items():
        marks = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)
        as_it_is = text.replace("\\", r"\\")
        page, found = marks.subn(rf"\g<1>{as_it_is}\g<2>", page)
        if found != 1:
            raise ValueError(f"expected the marks of {name} once, got {found}")
    return page


def write_or_print(path: Path, blocks: Mapping[str, str]) -> None:
    """What a script does that is run: print the blocks, and with ``--write`` put them into the page as well."""
    parser = argparse.ArgumentParser(description=f"Print what docs/{path.name} has of the code.")
    parser.add_argument("--write", action="store_true", help=f"write it into {path.name} as well")
    if parser.parse_args().write:
        path.write_text(with_blocks(path.read_text(), blocks))
    print("\n".join(blocks.values()))
