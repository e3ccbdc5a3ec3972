"""The floor does the whole work: over real sockets, what it sends back is what the codec gives, to the byte."""

import base64
import json
import socket
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from benchmarks.peers import build
from benchmarks.peers.build import build_floor
from benchmarks.rivals import Missing
from relay._codec import Decoder, Encoder
from relay.dev.bench.server import ServerProcess
from tests.benchmarks import wire
from tests.signals.waves import pcm, speech

SECONDS = 1.0
CALL = 7
WAIT_S = 10.0


@pytest.fixture(scope="module")
def floor() -> Iterator[ServerProcess]:
    with ServerProcess([build_floor()]) as server:
        yield server


@pytest.fixture
def phone(floor: ServerProcess) -> Iterator[ClientConnection]:
    """Says what it is told with a masking key that is not zero."""
    with connect(f"ws://127.0.0.1:{floor.port}/media", compression=None, ping_interval=None) as connection:
        yield connection


def said() -> list[str]:
    """A call's messages up to the end of its audio."""
    sound = wire.media_prefixes(pcm(speech(wire.RATE_HZ, SECONDS)))
    whole = wire.opening(CALL) + b"".join(prefix + wire.media_suffix(CALL) for prefix in sound)
    return [content.decode() for content in contents(whole)]


def contents(masked: bytes) -> Iterator[bytes]:
    while masked:
        size_bytes, begin = masked[1] & 0x7F, 6
        if size_bytes == 126:
            size_bytes, begin = int.from_bytes(masked[2:4], "big"), 8
        yield masked[begin : begin + size_bytes]
        masked = masked[begin + size_bytes :]


def payload(message: str) -> bytes:
    return base64.b64decode(json.loads(message)["media"]["payload"])


def through_the_codec(messages: list[str]) -> list[str]:
    decoder, encoder = Decoder("pcmu", 8000, 16000), Encoder("pcmu", 8000, 16000)
    sent = [encoder.push(decoder.push(payload(message))) for message in messages]
    return [json.dumps(answer(each), separators=(",", ":")) for each in sent]


def answer(sent: bytes) -> dict[str, object]:
    media = {"payload": base64.b64encode(sent).decode()}
    return {"event": "media", "streamSid": wire.stream_sid(CALL), "media": media}


def test_sends_back_what_decoder_and_encoder_give(phone: ClientConnection) -> None:
    messages = said()
    for message in messages:
        phone.send(message)
    expected = through_the_codec(messages[2:])
    assert len(expected) == SECONDS * wire.FRAMES_PER_S
    assert [phone.recv(WAIT_S) for _ in expected] == expected


def test_reads_a_start_with_white_space(phone: ClientConnection) -> None:
    connected, start, *audio = said()
    for message in (connected, json.dumps(json.loads(start)), audio[0]):
        phone.send(message)
    assert phone.recv(WAIT_S) == through_the_codec(audio[:1])[0]


@pytest.mark.parametrize("payload_bytes", [1, 2, 3, 40, 161, 1000])
def test_takes_any_length_of_payload(phone: ClientConnection, payload_bytes: int) -> None:
    connected, start, *audio = said()
    content = json.loads(audio[0])
    content["media"]["payload"] = base64.b64encode((bytes(range(100, 200)) * 10)[:payload_bytes]).decode()
    odd = json.dumps(content, separators=(",", ":"))
    for message in (connected, start, odd, audio[1]):
        phone.send(message)
    assert [phone.recv(WAIT_S), phone.recv(WAIT_S)] == through_the_codec([odd, audio[1]])


def test_frames_cut_at_every_byte_are_the_same(floor: ServerProcess) -> None:
    messages = said()[:4]
    frames = [Frame(Opcode.TEXT, message.encode()).serialize(mask=True) for message in messages]
    request = (
        b"GET /media HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"sec-websocket-key:  dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    expected = through_the_codec(messages[2:])
    with socket.create_connection(("127.0.0.1", floor.port), timeout=WAIT_S) as connected:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request + b"".join(frames):
            connected.send(bytes([byte]))
        reader = connected.makefile("rb")
        head = b"".join(iter(reader.readline, b"\r\n"))
        assert b"101" in head
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head  # RFC 6455, 1.3
        for message in expected:
            assert reader.read(4) == bytes((0x81, 126)) + len(message).to_bytes(2, "big")
            assert reader.read(len(message)).decode() == message


def test_pongs_and_closes(phone: ClientConnection) -> None:
    assert phone.ping("are you there").wait(WAIT_S)
    phone.close(4321, "that was all")
    assert phone.protocol.close_rcvd is not None
    assert (phone.close_code, phone.close_reason) == (4321, "that was all")


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        (Frame(Opcode.TEXT, b"{", fin=False).serialize(mask=True), 1002),
        (Frame(Opcode.BINARY, b"{").serialize(mask=True), 1002),
        (Frame(Opcode.TEXT, b"{").serialize(mask=False), 1002),
        (b"\xc1\x81\x00\x00\x00\x00{", 1002),
        (Frame(Opcode.TEXT, bytes(1 << 14)).serialize(mask=True), 1009),
        (Frame(Opcode.TEXT, bytes(1 << 16)).serialize(mask=True)[:16], 1009),
    ],
    ids=["part", "binary", "bare", "RSV", "long", "too long"],  # keys are random
)
def test_ends_what_it_was_not_made_for(phone: ClientConnection, odd: bytes, code: int) -> None:
    phone.socket.sendall(odd)
    with pytest.raises(ConnectionClosed) as closed:
        phone.recv(WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


def test_a_request_without_a_key_is_hung_up(floor: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", floor.port), timeout=WAIT_S) as connected:
        connected.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert connected.recv(100) == b""


def test_obeys_and_counts(floor: ServerProcess, phone: ClientConnection) -> None:
    floor.tell("freeze")
    floor.tell("begin")
    before = floor.end()
    for message in said()[:3]:
        phone.send(message)
    phone.recv(WAIT_S)
    after = floor.end()
    assert {name: after[name] - before[name] for name in after} == {"frames": 1, "others": 2, "dropped": 0}


def test_says_so_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(Missing, match="not here: there is no C compiler named no-such-compiler"):
        build_floor(compiler="no-such-compiler")
    with pytest.raises(Missing, match="the floor does not build"):
        build_floor(compiler="cc -no-such-option")
    assert build.cache().parent == tmp_path
