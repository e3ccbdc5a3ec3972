"""The frames that wait, in their order: by sequence number where the carrier gives one, else as they arrive."""

from __future__ import annotations

from collections import deque
from typing import Final, TypeAlias

Entry: TypeAlias = tuple[bytes | int, int]
"""PCM, or how many bytes are missing in its place, and when it arrived."""

RENUMBERED_FRAMES: Final = 50
"""A jump of the numbers, either way, by more than this (1 s of 20 ms frames) is a new numbering, not a loss."""

REPEATED_FRAMES: Final = 5
"""More in a row that were there before are a new numbering, or numbers that say nothing: not to be muted by."""


class FrameQueue:
    """
    Frames between their arrival and their playing; a missing one is a gap of the length of the frame after it.

    Args:
        capacity_bytes: of PCM; the oldest goes when a frame would exceed it.
    """

    __slots__ = (
        "_capacity_bytes",
        "_gone",
        "_next",
        "_repeated",
        "duplicate",
        "entries",
        "late",
        "lost",
        "overrun",
        "overrun_bytes",
        "received",
        "size_bytes",
    )

    def __init__(self, capacity_bytes: int) -> None:
        self.entries: deque[Entry] = deque()
        self.size_bytes = 0
        self.received = self.lost = self.late = self.duplicate = self.overrun = self.overrun_bytes = 0
        self._capacity_bytes = capacity_bytes
        self._repeated = 0  # frames in a row that were there before
        self._next: int | None = None  # the sequence after the last entry's; entries have consecutive ones
        self._gone: deque[int] = deque(maxlen=RENUMBERED_FRAMES)  # sequences whose place was played without them

    def clear(self) -> None:
        """Drop what waits, and forget the numbering."""
        self.entries.clear()
        self.size_bytes = 0
        self._repeated = 0
        self._next = None
        self._gone.clear()

    def push(self, pcm: bytes, now_ns: int, sequence: int | None) -> int | None:
        """
        Put a frame in its place.

        Returns:
            Bytes that will be played before it, negative if its place has been played already (it is dropped then);
            None for a frame that is here, or was.

        Raises:
            ValueError: ``pcm`` is empty or ends inside a sample.
        """
        size = len(pcm)
        if size == 0 or size & 1:
            raise ValueError(f"push: expected a frame of whole samples of 2 bytes, got {size} bytes")
        self.received += 1
        if sequence is not None:
            if sequence != self._next and self._next is not None:
                ahead = sequence - self._next
                if -RENUMBERED_FRAMES <= ahead < 0 and self._repeated < REPEATED_FRAMES:
                    before = self._put_behind(pcm, now_ns, sequence)
                    self._repeated += before is None
                    return before
                if 0 < ahead <= RENUMBERED_FRAMES:
                    self._append_gaps(ahead, size, now_ns)
                if ahead > 0:
                    self._repeated = 0
            else:
                self._repeated = 0
            self._next = sequence + 1
        elif self._next is not None:
            self._next += 1
        before = self.size_bytes
        self.entries.append((pcm, now_ns))
        self.size_bytes = before + size
        if self.size_bytes > self._capacity_bytes:
            before -= self._make_room()
        return before

    def pop(self) -> Entry:
        """Take the oldest entry."""
        entry = self.entries.popleft()
        missing = entry[0]
        if isinstance(missing, int):
            self.size_bytes -= missing
            self._count_gone(len(self.entries) + 1)
        else:
            self.size_bytes -= len(missing)
        return entry

    def put_back(self, pcm: bytes) -> None:
        """Return the rest of the frame popped last, whose beginning has been played."""
        self.entries.appendleft((pcm, -1))
        self.size_bytes += len(pcm)

    def skip_gap(self, sequence: int, frame_bytes: int, covered_bytes: int) -> int:
        """
        Leave out what is missing before ``sequence`` as far as it has been concealed already, when nothing waits.

        Returns:
            The bytes left out. A frame of which a part is left stays as a gap of that part.
        """
        if self._next is None or self.entries or not 0 < sequence - self._next <= RENUMBERED_FRAMES:
            return 0
        covered_bytes = min(covered_bytes, (sequence - self._next) * frame_bytes)
        for _ in range(covered_bytes // frame_bytes):
            self._next += 1
            self._count_gone(1)
        if part_bytes := covered_bytes % frame_bytes:
            self._next += 1
            self.entries.append((frame_bytes - part_bytes, 0))
            self.size_bytes += frame_bytes - part_bytes
        return covered_bytes

    def cut(self, first: int, end: int, joint: bytes) -> int:
        """Remove the entries ``first`` to ``end``, excluded, and put ``joint`` in place of the one at ``end``."""
        entries = list(self.entries)
        removed = sum(_size(entry) for entry in entries[first:end])
        entries[end] = (joint, entries[end][1])
        self.entries = deque([*entries[:first], *entries[end:]])
        self.size_bytes -= removed
        return removed

    def _count_gone(self, places_from_end: int) -> None:
        self.lost += 1
        if self._next is not None:
            self._gone.append(self._next - places_from_end)

    def _append_gaps(self, frames: int, frame_bytes: int, now_ns: int) -> None:
        for _ in range(frames):
            self.entries.append((frame_bytes, now_ns))
        self.size_bytes += frames * frame_bytes

    def _put_behind(self, pcm: bytes, now_ns: int, sequence: int) -> int | None:
        assert self._next is not None  # noqa: S101 - for mypy; the caller has compared with it
        index = len(self.entries) - (self._next - sequence)
        if index < 0:
            if sequence not in self._gone:
                self.duplicate += 1
                return None
            self._gone.remove(sequence)
            self.late += 1
            return index * len(pcm)
        missing = self.entries[index][0]
        if not isinstance(missing, int):
            self.duplicate += 1
            return None
        self.entries[index] = (pcm, now_ns)
        self.size_bytes += len(pcm) - missing
        return sum(_size(self.entries[i]) for i in range(index))

    def _make_room(self) -> int:
        before = self.size_bytes
        while self.size_bytes > self._capacity_bytes and len(self.entries) > 1:
            self.size_bytes -= _size(self.entries.popleft())
            self.overrun += 1
        self.overrun_bytes += before - self.size_bytes
        return before - self.size_bytes


def _size(entry: Entry) -> int:
    return entry[0] if isinstance(entry[0], int) else len(entry[0])
