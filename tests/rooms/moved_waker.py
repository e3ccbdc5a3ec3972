"""A waker that a test moves, and the time with it."""

from __future__ import annotations

from collections.abc import Callable

from relay.rooms.deadlines import Deadlines


class MovedWaker:
    """``deadlines`` go by it alone. It begins at 1000 s."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000_000
        self.set_ns: int | None = None
        self.sets_ns: list[int] = []
        self.wakings_ns: list[int] = []
        self.is_open = False
        self.deadlines = Deadlines(wakers=(self._open,), now_ns=lambda: self.now_ns)

    def _open(self, wake: Callable[[], None]) -> MovedWaker:
        assert not self.is_open
        self.is_open = True
        self._wake = wake
        return self

    def set(self, at_ns: int) -> None:
        """As ``Waker.set``."""
        self.set_ns = at_ns
        self.sets_ns.append(at_ns)

    def close(self) -> None:
        """As ``Waker.close``."""
        self.is_open = False
        self.set_ns = None

    def wake(self, *, late_ns: int = 0) -> None:
        """Wake once, as it was set, or so much later."""
        assert self.set_ns is not None
        self.now_ns = max(self.now_ns, self.set_ns) + late_ns
        self.set_ns = None
        self.wakings_ns.append(self.now_ns)
        self._wake()
