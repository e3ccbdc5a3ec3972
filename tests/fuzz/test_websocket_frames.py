"""A short, repeatable run of the fuzz target, and proof that it notices a scan that is careless."""

import random
from pathlib import Path
from typing import Any

import pytest

from relay._codec import FrameScanner
from relay.bridge.media_connection import MediaConnection

pytest.importorskip("atheris", reason="atheris has wheels for Linux on x86-64 only")

from tests.bridge.two_paths import LibraryAlone
from tests.fuzz import websocket_frames as target
from tests.fuzz.runs import check_runs

RUNS = 1_500
INPUTS = 4_000


@pytest.mark.long
def test_the_fuzzer_finds_no_difference(tmp_path: Path) -> None:
    check_runs(target.__name__, RUNS, tmp_path, "-len_control=0", "-max_len=500")


class _Forgetful(FrameScanner):
    """Knows nothing of messages in several frames: each frame that is plain is one."""

    def follow(self, data: bytes, begin: int = 0) -> int:
        if len(data) > begin + 1 and data[begin] in (0x01, 0x02):
            FrameScanner.follow(self, bytes([data[begin] | 0x80]))
            return begin + 1
        return FrameScanner.follow(self, data, begin)


class Careless(MediaConnection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._scanner = _Forgetful(65536)


def test_the_target_notices_a_careless_scan() -> None:
    source = random.Random(1)

    def look() -> None:
        for _ in range(INPUTS):
            target.one_input(source.randbytes(300), (LibraryAlone, Careless))

    with pytest.raises(AssertionError, match="expected"):
        look()
