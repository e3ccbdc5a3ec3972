"""When the machine kept the loop from running: what is heard just then is the machine's doing."""

from __future__ import annotations

import asyncio
import itertools
import time

from relay.dev.recording import Recording
from relay.dev.until import Changes

PERIOD_S = 0.005
LATE_MS = 5.0
"""The room server plays a frame that is up to 10 ms late (``relay.dev.seat``): half of it is left to the bridge."""
AFTER_NS = 200_000_000
"""How long a stall may be heard after it: what was concealed and what came at once have been played by then."""


QUIET_NS = 1_500_000_000
QUIET_MAX_S = 15.0


class LoopWatch:
    """Notes every stall of the running loop, from ``start`` to ``stop``."""

    def start(self) -> None:
        self.stalls_ns: list[tuple[int, int]] = []
        self._looked = Changes()
        self._seen_ns = time.monotonic_ns()
        self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self._look)

    def stop(self) -> None:
        self._timer.cancel()

    def quiet_part(self, heard: Recording) -> Recording:
        """The longest part of a recording without a stall, at least a second."""
        end_ns = heard.start_ns + round(heard.duration_ms * 1e6)
        bounds_ns = [heard.start_ns, *itertools.chain(*self.stalls_ns), end_ns]
        quiet = zip(bounds_ns[::2], bounds_ns[1::2], strict=True)
        start_ns, end_ns = max(quiet, key=lambda part: min(part[1], end_ns) - max(part[0], heard.start_ns))
        part = heard.since(start_ns)
        part = part._replace(pcm=part.pcm[: 2 * round((end_ns - part.start_ns) * part.rate_hz / 1e9)])
        assert part.duration_ms >= 1000, f"the machine kept the loop from running {len(self.stalls_ns)} times"
        return part

    async def until_quiet(self, since_ns: int) -> None:
        """Return when there has been no stall for ``QUIET_NS``, after ``since_ns``."""

        def is_quiet() -> bool:
            return self._seen_ns - max(since_ns, self.stalls_ns[-1][1] if self.stalls_ns else 0) >= QUIET_NS

        await self._looked.until(is_quiet, "1.5 s without a stall of the machine", timeout_s=QUIET_MAX_S)

    def _look(self) -> None:
        now_ns = time.monotonic_ns()
        if (now_ns - self._seen_ns) / 1e6 - 1000 * PERIOD_S > LATE_MS:
            self.stalls_ns.append((self._seen_ns, now_ns + AFTER_NS))
        self._seen_ns = now_ns
        self._looked.changed()
        self._timer = asyncio.get_running_loop().call_later(PERIOD_S, self._look)
