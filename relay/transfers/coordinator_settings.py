"""The bounds of a node's transfers."""

from __future__ import annotations

from dataclasses import dataclass, field

from relay.transfers.course_settings import CourseSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorSettings:
    """What is let in, and how long things may take."""

    max_transfers: int = 50
    transfers_per_minute: int = 60
    transfers_per_day: int = 2000
    request_ttl_s: float = 24 * 3600.0
    """How long an idempotency key is remembered; its transfer may be forgotten before."""
    course: CourseSettings = field(default_factory=CourseSettings)
