"""Each server that one would pick instead, with two calls over real sockets, and one turn of the whole."""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

from benchmarks.peers.contenders import (
    CODEC,
    ECHO,
    FLOOR,
    PIPECAT_BEST,
    PIPECAT_DEFAULT,
    RELAY,
    STDLIB,
    Contender,
)
from benchmarks.peers.turn import ROUND_TRIP, TO_PHONE, TO_ROOM, take_turn
from benchmarks.rivals import Missing
from relay._codec import Decoder, Encoder
from relay.dev.bench.phone_call import Call, twilio_opening
from relay.dev.bench.server import ServerProcess
from tests.benchmarks import wire
from tests.signals.waves import pcm, speech

WAIT_S = 30.0
FRAMES = 25


def payloads() -> list[bytes]:
    said = Encoder("pcmu", 8000, 8000).push(pcm(speech(wire.RATE_HZ, FRAMES / wire.FRAMES_PER_S)))
    return [said[at : at + 160] for at in range(0, len(said), 160)]


def message(call: Call, number: int, payload: bytes) -> str:
    media = {"track": "inbound", "chunk": str(number + 1), "timestamp": str(20 * number)}
    media["payload"] = base64.b64encode(payload).decode()
    content = {"event": "media", "sequenceNumber": str(number + 2), "media": media, "streamSid": call.stream_sid}
    return json.dumps(content, separators=(",", ":"))


@contextmanager
def phones(server: ServerProcess) -> Iterator[list[tuple[Call, ClientConnection]]]:
    calls = [Call.numbered(index) for index in (1, 2)]
    url = f"ws://127.0.0.1:{server.port}/media"
    with connect(url, ping_interval=None) as first, connect(url, ping_interval=None) as second:
        both = list(zip(calls, (first, second), strict=True))
        for call, phone in both:
            for text in twilio_opening(call):
                phone.send(text)
        yield both


def hear(phone: ClientConnection, call: Call, size_bytes: int) -> bytes:
    heard = b""
    while len(heard) < size_bytes:
        content = json.loads(phone.recv(WAIT_S))
        if content["event"] == "media":
            assert content["streamSid"] == call.stream_sid
            heard += base64.b64decode(content["media"]["payload"])
    return heard


def heard_of_both(contender: Contender, said: Sequence[bytes]) -> list[bytes]:
    try:
        started = contender.command()
    except Missing as reason:
        pytest.skip(str(reason))
    with ServerProcess(started) as server, phones(server) as both:
        server.tell("freeze")
        server.tell("begin")
        for number, payload in enumerate(said):
            for call, phone in both:
                phone.send(message(call, number, payload))
        heard = [hear(phone, call, FRAMES * 160) for call, phone in both]
        assert isinstance(server.end(), dict)
        assert server.cpu().total_ns > 0
        return heard


def test_websockets_with_the_codec_sends_back_what_decoder_and_encoder_give() -> None:
    decoder, encoder = Decoder("pcmu", 8000, 16000), Encoder("pcmu", 8000, 16000)
    expected = b"".join(encoder.push(decoder.push(payload)) for payload in payloads())
    assert heard_of_both(CODEC, payloads()) == [expected, expected]


def test_bare_echo_sends_back_what_it_gets() -> None:
    whole = b"".join(payloads())
    assert heard_of_both(ECHO, payloads()) == [whole, whole]


def test_stdlib_chain_sends_back_what_it_gets() -> None:
    """Linear interpolation to 16 kHz and back leaves each sample as it was, which says how little it filters."""
    said, first, second = (
        Decoder("pcmu", 8000, 8000).push(each) for each in (b"".join(payloads()), *heard_of_both(STDLIB, payloads()))
    )
    assert first == second == said  # of the two codes for zero, audioop takes the other one


@pytest.mark.long
@pytest.mark.parametrize("contender", [PIPECAT_DEFAULT, PIPECAT_BEST], ids=["default", "best"])
def test_pipecat_sends_back_what_it_hears(contender: Contender) -> None:
    # More than is heard: it keeps what does not fill a chunk, and its resampler what it looks ahead.
    heard = heard_of_both(contender, [*payloads(), *payloads()])
    said = Decoder("pcmu", 8000, 8000).push(b"".join(payloads()))
    for each in heard:
        pcm_heard = Decoder("pcmu", 8000, 8000).push(each[: FRAMES * 160])
        assert max(likeness(said, pcm_heard, delay_samples=delay) for delay in range(400)) > 0.95


def likeness(said: bytes, heard: bytes, *, delay_samples: int) -> float:
    """How alike they are, as a normalised correlation."""
    first, second = (np.frombuffer(each, np.int16).astype(float) for each in (said, heard))
    first, second = first[: len(first) - delay_samples], second[delay_samples : len(first)]
    return float(np.dot(first, second) / np.sqrt(np.dot(first, first) * np.dot(second, second)))


@pytest.mark.parametrize(("contender", "ways"), [(RELAY, [TO_ROOM, TO_PHONE]), (FLOOR, [ROUND_TRIP])])
def test_a_turn_measures_cost_delay_and_memory(contender: Contender, ways: list[str]) -> None:
    turn = take_turn(contender, contender.command(), 2, seconds=2, settle_s=1)
    assert not turn.broke
    assert 0 < turn.cpu_us == pytest.approx(turn.user_us + turn.system_us)
    assert turn.answered > 0
    assert turn.memory_kb > 0
    assert [*turn.delays] == ways
    for delay in turn.delays.values():
        assert delay.said - delay.missing > 0
        assert delay.p50_ms > 0
        assert delay.beyond_p50_ms <= delay.p50_ms


def test_a_server_that_does_not_start_is_said_to_have_broken() -> None:
    turn = take_turn(FLOOR, ["false"], 1, seconds=1, settle_s=1)
    assert "expected an answer of the server, got its end: 1" in turn.collapsed
