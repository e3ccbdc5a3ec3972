"""The native data path beside the library alone: reports, answers and closing are the same, however reads are cut."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode

from relay._codec import FrameScanner
from relay.bridge.media_connection import EARLY_MESSAGES_MAX, MediaConnection
from tests.bridge.two_paths import PING_NS, UPGRADE, Acts, LibraryAlone, Run, compare, cut, masked, opened, single_cuts

CONT, TEXT, BINARY, CLOSE, PING, PONG = map(int, (Opcode.CONT, Opcode.TEXT, Opcode.BINARY, Opcode.CLOSE, 9, 10))
HELLO, AFTER = masked(TEXT, b"hello"), masked(BINARY, b"after")
STREAMS = {
    "plain": HELLO + AFTER + masked(TEXT) + masked(BINARY, b"x"),
    "long": masked(TEXT, b"m" * 126) + masked(BINARY, b"n" * 131),
    "control between": HELLO + masked(PING, b"?") + AFTER + masked(PONG, PING_NS.to_bytes(8, "big")) + HELLO,
    "fragments": HELLO
    + masked(TEXT, b"a", fin=False)
    + masked(PING)
    + masked(CONT, fin=False)
    + masked(CONT, b"b")
    + AFTER,
    "message in a message": masked(BINARY, b"a", fin=False) + HELLO + AFTER,
    "rest of no message": masked(CONT, b"a") + HELLO,
    "reserved bit": HELLO + masked(TEXT, b"rsv", rsv=4) + AFTER,
    "unmasked": HELLO + masked(TEXT, b"bare", key=None) + AFTER,
    "unmasked and empty": masked(TEXT, key=None) + HELLO,
    "length in two bytes too many": masked(TEXT, b"short", length_bytes=2) + HELLO + masked(PING, b"", length_bytes=2),
    "length in eight": masked(TEXT, b"short", length_bytes=8) + HELLO,
    "over-long": HELLO + masked(TEXT, b"part", length=65537) + AFTER,
    "longest there can be": HELLO + masked(BINARY, b"part", length=(1 << 64) - 1) + AFTER,
    "no opcode": HELLO + masked(3, b"?") + AFTER,
    "no control opcode": masked(0xB) + AFTER,
    "long ping": HELLO + masked(PING, b"p" * 126) + AFTER,
    "half a ping": masked(PING, fin=False) + HELLO,
    "close": HELLO + masked(CLOSE, b"\x03\xe8bye") + AFTER + masked(PING),
    "close of one byte": masked(CLOSE, b"\x03") + AFTER,
    "close that is no text": masked(CLOSE, b"\x03\xe8\xff") + AFTER,
    "closed by who receives it": HELLO + masked(BINARY, b"close") + HELLO + masked(PING) + HELLO,
    "cut off": HELLO + AFTER[:-1],
}


def in_loop(check: Callable[..., None], *args: Any) -> None:
    async def run() -> None:
        check(*args)
        await asyncio.sleep(0)  # what the connections started

    asyncio.run(run())


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_stream_cut_at_every_byte_is_what_the_library_makes_of_it(stream: bytes) -> None:
    def check() -> None:
        for reads in single_cuts(stream):
            compare(*opened(reads))
        compare([UPGRADE + stream, HELLO + AFTER], {1: ("accept", "attach")})

    in_loop(check)


@pytest.mark.long
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_stream_cut_in_three_at_every_two_bytes_of_its_beginning_is_too(stream: bytes) -> None:
    def check() -> None:
        for at in itertools.combinations(range(1, min(len(stream), 45)), 2):
            compare(*opened(cut(stream, *at)))

    in_loop(check)


@pytest.mark.parametrize("acts", [("accept", "attach"), ("attach",), ("accept",)], ids=str)
def test_the_upgrade_request_may_be_cut_anywhere_and_frames_may_follow_it_at_once(acts: tuple[str, ...]) -> None:
    stream = UPGRADE + HELLO + masked(TEXT, b"a", fin=False) + masked(CONT, b"b")

    def check() -> None:
        for at in range(1, len(stream)):
            compare([*cut(stream, at), HELLO + AFTER, HELLO], {1: acts, 2: ("accept",), 3: ("attach",)})

    in_loop(check)


@pytest.mark.parametrize(
    "spoilt",
    [
        UPGRADE.replace(b"GET", b"GOT GET"),
        UPGRADE.replace(b"Host", b"H\rst"),
        UPGRADE.replace(b": a\r", b":\r"),
        UPGRADE + masked(CLOSE),
        UPGRADE + masked(3),
    ],
)
def test_what_ends_the_connection_before_it_is_open_leaves_nothing_to_deliver(spoilt: bytes) -> None:
    def check() -> None:
        compare([spoilt, HELLO], {1: ("accept", "attach")})
        compare([spoilt, HELLO, AFTER], {2: ("accept", "attach")})

    in_loop(check)


def test_early_messages_are_bounded_in_one_read_as_in_many() -> None:
    many = b"".join(masked(TEXT, b"%d" % number) for number in range(EARLY_MESSAGES_MAX + 2))
    for stream in (many, many + masked(PING), masked(PING) + many + HELLO):
        in_loop(compare, [UPGRADE, stream, HELLO], {1: ("accept",), 2: ("attach",)})


def frames() -> st.SearchStrategy[bytes]:
    payloads = st.one_of(
        st.binary(max_size=12),
        st.sampled_from([b"close", PING_NS.to_bytes(8, "big"), b"m" * 125, b"m" * 126, b"\x03\xe8", b"m" * 65535]),
    )
    plain = st.builds(masked, st.sampled_from([TEXT, BINARY]), payloads, key=st.binary(min_size=4, max_size=4))
    valid = st.builds(
        masked, st.sampled_from([CONT, TEXT, BINARY, PING, PONG]), payloads, fin=st.sampled_from([True, True, False])
    )
    odd = st.builds(
        masked,
        st.integers(0, 15),
        payloads,
        fin=st.booleans(),
        rsv=st.sampled_from([0, 0, 0, 1, 2, 4]),
        key=st.sampled_from([b"abcd", b"\0\0\0\0", b"\xff\0\xff\0", None]),
        length=st.sampled_from([None, None, 0, 3, 125, 65536, 65537]),
        length_bytes=st.sampled_from([None, 8]),
    )
    return st.one_of(plain, plain, plain, valid, odd, st.binary(max_size=5))


ACTS = st.dictionaries(
    st.integers(1, 8), st.lists(st.sampled_from(["accept", "attach", "send", "ping", "close"]), max_size=3), max_size=4
)


@given(st.lists(frames(), max_size=10), st.lists(st.floats(0, 1), max_size=6), ACTS)
def test_any_frames_cut_anywhere_whatever_we_do_between(stream: list[bytes], at: list[float], acts: Acts) -> None:
    whole = b"".join(stream)
    reads = cut(whole, *(int(part * len(whole)) for part in at))
    in_loop(compare, [UPGRADE, *reads], {**acts, 1: ("accept", "ping", *acts.get(1, ("attach",)))})


class NotFollowed(FrameScanner):
    """Takes any read for one that begins where a frame does."""

    def follow(self, data: bytes, begin: int = 0) -> int:  # noqa: ARG002 - the scanner's
        return len(data)


class Careless(MediaConnection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scanner = NotFollowed(65536)
        FrameScanner.follow(scanner, UPGRADE)
        self._scanner = scanner


def test_the_comparison_notices_a_scanner_that_loses_its_place() -> None:
    inner = masked(PING, HELLO, key=b"\0\0\0\0")  # a frame that looks like another, once it is cut
    with pytest.raises(AssertionError, match="expected"):
        in_loop(compare, *opened(cut(inner, 6)), (LibraryAlone, Careless))


def test_plain_messages_do_not_go_through_the_library() -> None:
    def check() -> None:
        run = Run(MediaConnection)
        run.take(UPGRADE)
        run.accept()
        run.attach()
        del run.log[:]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run.connection.protocol, "receive_data", None)
            run.take(HELLO + AFTER + HELLO)
        assert [entry[:2] for entry in run.log if isinstance(entry, tuple) and isinstance(entry[1], bytes)] == [
            ("text", b"hello"),
            ("write", b"\x81\x08to hello"),
            ("binary", b"after"),
            ("write", b"\x82\x08to after"),
            ("text", b"hello"),
            ("write", b"\x81\x08to hello"),
        ]
        run.end()

    in_loop(check)
