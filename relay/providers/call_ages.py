"""How old the calls of a carrier's list are, by the carrier's own clock: for those that say when a call was made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol, runtime_checkable

from relay.providers.control import HttpReply


@runtime_checkable
class DatesCalls(Protocol):
    """What a ``CarrierControl`` whose carrier dates its calls has besides."""

    def read_ages(self, reply: HttpReply) -> Mapping[str, float]:
        """
        How many seconds before the reply each call of a list of ``find_calls`` was made.

        What cannot be read is left out. Good to a second or two: dates have whole seconds, and the two of them may come
        from different machines of the carrier.
        """


def age_s(made: object, reply: HttpReply) -> float | None:
    """From a date as mail and HTTP write it (RFC 2822) to the reply's own ``Date``; None if one of them is none."""
    before, now = _read(made), _read(reply.headers.get("date"))
    return None if before is None or now is None else (now - before).total_seconds()


def _read(date: object) -> datetime | None:
    if not isinstance(date, str):
        return None
    try:
        read = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):  # it is not strict about what is no date
        return None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)  # "-0000": a time in UTC, said from anywhere
