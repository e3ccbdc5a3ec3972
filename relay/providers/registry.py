"""Which carriers' media adapters are installed: relay's own, and those of any other package."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Final

from relay.errors import LocalProtocolError
from relay.providers.base import MediaAdapter
from relay.providers.fields import shown

GROUP: Final = "relay.providers"
"""The entry point group in which a package names the class of each of its adapters."""


def carrier_names() -> list[str]:
    """In alphabetical order."""
    return sorted(entry_points(group=GROUP).names)


def adapter_class(carrier: str) -> Callable[[], MediaAdapter]:
    """
    What makes an adapter for one new stream of this carrier; its module is imported now.

    Raises:
        LocalProtocolError: no package has it, or several have.
    """
    found = entry_points(group=GROUP, name=carrier)
    if len(found) != 1:
        expected = f"one package that has it, of the carriers {', '.join(carrier_names())}"
        raise LocalProtocolError("carrier", shown(carrier), expected=expected, got=f"{len(found)}")
    [entry] = found
    made: Callable[[], MediaAdapter] = entry.load()
    return made
