"""The bounds of a node's transfers."""

from __future__ import annotations

from dataclasses import dataclass, field

from relay.errors import Overloaded
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

    def check_places(self, taken: int, in_hand: int) -> None:
        """
        Whether there is a place for one more transfer.

        Args:
            taken: transfers that go on.
            in_hand: those, and those that are over but for a phone that its carrier cannot stop, or their record.

        Raises:
            Overloaded: there is none.
        """
        if taken >= self.max_transfers:
            raise Overloaded(f"all {self.max_transfers} places for transfers are taken", retry_after_s=5)
        if in_hand >= 2 * self.max_transfers:
            raise Overloaded("too many transfers are over whose phones may still ring", retry_after_s=5)
