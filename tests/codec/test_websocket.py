"""The frames of a WebSocket: plain messages are taken, everything else is followed to its end."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from relay._codec import FrameScanner, message_frame

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def client_frame(payload: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin=fin).serialize(mask=True)


def scanner(max_bytes: int = 65535) -> FrameScanner:
    """One whose handshake is over."""
    made = FrameScanner(max_bytes)
    assert made.follow(HEAD) == len(HEAD)
    return made


class Kept:
    """A receiver that keeps what it gets; it can be made to raise."""

    def __init__(self, *, raises: bool = False) -> None:
        self.got: list[tuple[str, bytes, int]] = []
        self._raises = raises

    def text_received(self, message: bytes, received_ns: int) -> None:
        self.got.append(("text", message, received_ns))
        if self._raises:
            raise RuntimeError("no")

    def binary_received(self, message: bytes, received_ns: int) -> None:
        self.got.append(("binary", message, received_ns))


@pytest.mark.parametrize("size", [*range(40), 125, 126, 127, 350, 65535])
def test_message_of_any_length_is_unmasked(size: int) -> None:
    message = bytes(n % 251 for n in range(size))
    taker, frame = scanner(), client_frame(message, Opcode.BINARY)
    assert taker.take(b"\xff" + frame + b"\xff", 1) == message
    assert (taker.text, taker.end) == (False, 1 + len(frame))


@given(st.binary(max_size=200), st.binary(min_size=4, max_size=4))
def test_every_key_is_taken_off(message: bytes, key: bytes) -> None:
    size = bytes([0x80 | len(message)]) if len(message) < 126 else b"\xfe" + len(message).to_bytes(2, "big")
    body = bytes(byte ^ mask for byte, mask in zip(message, itertools.cycle(key), strict=False))
    assert scanner().take(b"\x81" + size + key + body) == message


def test_whole_read_of_messages_is_delivered_in_order() -> None:
    read = client_frame(b"a") + client_frame(b"b", Opcode.BINARY) + client_frame(b"") + client_frame(b"c" * 300)
    kept = Kept()
    assert scanner().deliver(read, kept, 7)
    assert kept.got == [("text", b"a", 7), ("binary", b"b", 7), ("text", b"", 7), ("text", b"c" * 300, 7)]


@pytest.mark.parametrize(
    "other",
    # The cut one lacks more than what follows has, which could make a whole one of it: keys are random.
    [client_frame(b"?", Opcode.PING), client_frame(b"c" * 20)[:-10], b"\x81"],
    ids=["ping", "cut", "one byte"],
)
def test_read_with_anything_else_in_it_is_not_begun(other: bytes) -> None:
    kept = Kept()
    assert not scanner().deliver(client_frame(b"a") + other, kept, 7)
    assert not scanner().deliver(other + client_frame(b"a"), kept, 7)
    assert kept.got == []


def test_what_a_receiver_raises_is_raised() -> None:
    kept = Kept(raises=True)
    with pytest.raises(RuntimeError, match="no"):
        scanner().deliver(client_frame(b"a") * 2, kept, 7)
    assert len(kept.got) == 1


@pytest.mark.parametrize(
    "frame",
    [
        client_frame(b"?", Opcode.PING),
        client_frame(b"", Opcode.CLOSE),
        client_frame(b"part", fin=False),
        client_frame(b"part", Opcode.CONT),
        Frame(Opcode.TEXT, b"bare").serialize(mask=False),
        b"\xc1" + client_frame(b"rsv")[1:],
        b"\x83" + client_frame(b"opcode")[1:],
        b"\x81\xfe\x00\x7d" + bytes(4 + 125),  # its length has room in one byte
        b"\x81\xff" + (5).to_bytes(8, "big") + bytes(4 + 5),
        client_frame(b"x" * 65536),
    ],
    ids=["ping", "close", "part", "rest", "bare", "RSV", "opcode", "length of 2", "length of 8", "too long"],
)
def test_whatever_is_not_plain_is_followed_to_its_end(frame: bytes) -> None:
    taker, end = scanner(), len(frame)
    assert taker.take(frame) is None
    for at in {1, 2, 3, 5, 9, 13, end - 1}:
        if at < end:
            taker = scanner()
            assert taker.follow(frame[:at]) == at
            assert taker.take(client_frame(b"inside")) is None
            assert taker.follow(frame[at:] + b"next") == end - at
    message = client_frame(b"message")
    assert (taker.take(message) is None) == (frame[0] & 0x8F == Opcode.TEXT)  # an unfinished message goes on


def test_longer_message_than_is_allowed_is_not_plain() -> None:
    assert scanner(5).take(client_frame(b"12345")) == b"12345"
    assert scanner(5).take(client_frame(b"123456")) is None


def test_nothing_is_taken_before_the_request_has_ended() -> None:
    stream = HEAD.replace(b"a\r", b"\r\r") + client_frame(b"a")
    for cuts in itertools.combinations(range(len(HEAD)), 2):
        taker = FrameScanner(65535)
        for begin, end in itertools.pairwise((0, *cuts)):
            assert taker.follow(stream[begin:end]) == end - begin
            assert taker.take(client_frame(b"early")) is None
        assert taker.follow(stream[cuts[-1] :]) == len(HEAD) - cuts[-1]
        assert taker.take(stream, len(HEAD)) == b"a"


@pytest.mark.parametrize("begin", [-1, 4])
def test_place_outside_the_data_is_refused(begin: int) -> None:
    with pytest.raises(ValueError, match="expected a place in 3 bytes"):
        scanner().follow(b"abc", begin)
    assert scanner().take(b"abc", begin) is None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 70000])
@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
def test_frame_that_is_sent_is_the_librarys(size: int, opcode: Opcode) -> None:
    message = bytes(n % 251 for n in range(size))
    assert message_frame(message, text=opcode is Opcode.TEXT) == Frame(opcode, message).serialize(mask=False)
