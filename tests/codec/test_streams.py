"""Decoder and Encoder: their parts put together, and bad input refused without a trace."""

import base64
import itertools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import _codec
from relay._codec import PUSH_MAX_BYTES, RATES_HZ, Decoder, Encoder, Resampler
from tests import reference
from tests.codec.cases import ENCODINGS, PAIRS, PROFILES, Encoding, Profile
from tests.signals import in_pieces, noise, pcm

SAMPLE_BYTES = {"pcmu": 1, "pcma": 1, "l16le": 2, "l16be": 2}
encodings = pytest.mark.parametrize("encoding", ENCODINGS)

Stream = Resampler | Decoder | Encoder
STREAMS: dict[str, Callable[[], Stream]] = {
    "up": lambda: Resampler(8000, 16000),
    "down 3": lambda: Resampler(48000, 16000),
    "copy": lambda: Resampler(16000, 16000),
    "decode and down": lambda: Decoder("l16le", 16000, 8000),
    "decode and up": lambda: Decoder("l16be", 8000, 16000),
    "down and encode": lambda: Encoder("pcmu", 8000, 16000),
    "encode": lambda: Encoder("l16be", 8000, 8000),
}


def payload_of(encoding: Encoding, samples: int) -> bytes:
    return np.random.default_rng(samples).bytes(samples * SAMPLE_BYTES[encoding])


@encodings
def test_a_decoder_unpacks_and_resamples(encoding: Encoding, instruction_set: str) -> None:
    payload = payload_of(encoding, 1201)
    for in_hz, out_hz in PAIRS:
        unpacked = Decoder(encoding, in_hz, in_hz).push(payload)
        expected = Resampler(in_hz, out_hz).push(unpacked)
        assert Decoder(encoding, in_hz, out_hz).push(payload) == expected, (in_hz, out_hz)


@encodings
def test_an_encoder_resamples_and_packs(encoding: Encoding, instruction_set: str) -> None:
    data = pcm(noise(1201))
    for in_hz, out_hz in PAIRS:
        expected = Encoder(encoding, out_hz, out_hz).push(Resampler(in_hz, out_hz).push(data))
        assert Encoder(encoding, out_hz, in_hz).push(data) == expected, (in_hz, out_hz)


@given(
    encoding=st.sampled_from(ENCODINGS),
    rates_hz=st.sampled_from(PAIRS),
    profile=st.sampled_from(PROFILES),
    samples=st.integers(1, 200),
    cuts=st.lists(st.integers(1, 60), max_size=8),
)
def test_decoder_and_encoder_are_their_twins_at_any_cut(
    encoding: Encoding, rates_hz: tuple[int, int], profile: Profile, samples: int, cuts: list[int]
) -> None:
    in_hz, out_hz = rates_hz
    payload = payload_of(encoding, samples)
    decoded = reference.Decoder(encoding, in_hz, out_hz, profile=profile).push(payload)
    sizes_bytes = [cut * SAMPLE_BYTES[encoding] for cut in cuts]
    assert in_pieces(Decoder(encoding, in_hz, out_hz, profile=profile).push, payload, sizes_bytes) == decoded
    encoded = reference.Encoder(encoding, in_hz, out_hz, profile=profile).push(decoded)
    sizes_bytes = [2 * cut for cut in cuts]
    assert in_pieces(Encoder(encoding, in_hz, out_hz, profile=profile).push, decoded, sizes_bytes) == encoded


@pytest.mark.parametrize("encoding", ["pcmu", "l16be"])
def test_base64_of_any_length_is_decoded_and_encoded(encoding: Encoding, instruction_set: str) -> None:
    for samples in [*range(1, 70), 160, 320, 4095, 4096, 4097, 5000]:
        payload = payload_of(encoding, samples)
        text = base64.b64encode(payload)
        expected = Decoder(encoding, 8000, 16000).push(payload)
        assert Decoder(encoding, 8000, 16000).push_base64(text) == expected, samples
        assert Decoder(encoding, 8000, 16000).push_base64(text.decode()) == expected, samples
        encoded = base64.b64encode(Encoder(encoding, 8000, 16000).push(expected))
        assert Encoder(encoding, 8000, 16000).push_base64(expected) == encoded, samples


def test_every_base64_character_has_its_value(instruction_set: str) -> None:
    """Every two bytes in a row, at each place of a group of three."""
    codes = b"".join(value.to_bytes(2) for value in range(1 << 16)) + bytes(48)
    text = base64.b64encode(codes)
    assert Decoder("pcmu", 8000, 8000).push_base64(text) == Decoder("pcmu", 8000, 8000).push(codes)
    data = Decoder("pcmu", 8000, 8000).push(codes)
    assert Encoder("l16le", 8000, 8000).push_base64(data[:100_000]) == base64.b64encode(data[:100_000])


@pytest.mark.parametrize("text", ["AAAA" * 54, "/+/+" * 54])
def test_a_bad_character_anywhere_is_refused(text: str, instruction_set: str) -> None:
    """216 characters are 20 ms of PCMU; padding is bad anywhere but at the end."""
    decoder = Decoder("pcmu", 8000, 16000)
    for at, bad in itertools.product(range(216), '\0 \n!-.:@[_`{~\x7f="\\'):
        if bad == "=" and at == 215:
            continue
        with pytest.raises(ValueError, match="expected base64"):
            decoder.push_base64(text[:at] + bad + text[at + 1 :])
    assert decoder.push_base64(text) == Decoder("pcmu", 8000, 16000).push_base64(text)


def test_every_byte_is_base64_or_refused(instruction_set: str) -> None:
    alphabet = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    for at, byte in itertools.product((0, 17, 33, 70), range(256)):
        text = bytearray(b"A" * 72)
        text[at] = byte
        if byte in alphabet:
            expected = Decoder("pcmu", 8000, 8000).push(base64.b64decode(text))
            assert Decoder("pcmu", 8000, 8000).push_base64(text) == expected
        else:
            with pytest.raises(ValueError, match="expected base64"):
                Decoder("pcmu", 8000, 8000).push_base64(text)


@pytest.mark.parametrize(
    "text",
    [
        *("A", "AA", "AAA", "AAAAA", "A===", "====", "AA=A", "=AAA", "AA==AAAA", "AAA=AAAA", "AAAA=", "AAAA===="),
        *("AA-_", "é" * 4, "AAAé", "AAA\u2028", "AAA\ud800"),
    ],
)
def test_what_is_not_base64_is_refused(text: str, instruction_set: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the reason differs: bad length, bad character, no UTF-8 at all
        Decoder("pcmu", 8000, 16000).push_base64(text)
    with pytest.raises(ValueError):  # noqa: PT011
        Decoder("pcmu", 8000, 16000).push_base64(text.encode(errors="replace"))


def refused(stream: Stream, push: Callable[[Any], object], bad: object, message: str) -> None:
    """Hold that ``push`` refuses ``bad`` between two frames, and that the stream goes on as if it had never come."""
    frame = pcm(noise(331))
    stream.reset()
    untouched = [stream.push(frame), stream.push(frame)]
    stream.reset()
    assert stream.push(frame) == untouched[0]
    with pytest.raises(ValueError, match=message):
        push(bad)
    assert stream.push(frame) == untouched[1]


@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("size", [0, 1, 3, 641, PUSH_MAX_BYTES + 1, PUSH_MAX_BYTES + 2])
def test_a_bad_size_is_refused_without_a_trace(make: Callable[[], Stream], size: int) -> None:
    stream = make()
    name = type(stream).__name__
    message = rf"^{name}: expected 1 to {PUSH_MAX_BYTES} bytes in whole samples of 2 bytes, got {size} bytes$"
    refused(stream, stream.push, bytes(size), message)
    if isinstance(stream, Encoder):
        refused(stream, stream.push_base64, bytes(size), message)
    if isinstance(stream, Decoder):
        refused(stream, stream.push_base64, base64.b64encode(bytes(size)), message)


def test_bad_base64_is_refused_without_a_trace(instruction_set: str) -> None:
    good = base64.b64encode(payload_of("l16le", 160)).decode()
    for bad in (good[:-2], good[:100] + "!" + good[101:], good[:-3] + "*==", "!" + good[1:]):
        decoder = Decoder("l16le", 8000, 16000)
        refused(decoder, decoder.push_base64, bad, "^Decoder: expected base64")


@encodings
def test_the_longest_push_is_taken(encoding: Encoding) -> None:
    payload = payload_of(encoding, PUSH_MAX_BYTES // SAMPLE_BYTES[encoding])
    out = Decoder(encoding, 8000, 16000).push(payload)
    assert len(out) == 4 * len(payload) // SAMPLE_BYTES[encoding]
    assert Decoder(encoding, 8000, 16000).push_base64(base64.b64encode(payload)) == out


@pytest.mark.parametrize("bad", [0, 8001, 44100, -8000, 8000.0, "8000", None, True, 1 << 70])
def test_unknown_rates_are_refused(bad: Any) -> None:
    expected = "to be one of 8000, 16000, 24000, 48000, got "
    for make in (
        lambda: Resampler(bad, 8000),
        lambda: Resampler(8000, bad),
        lambda: Decoder("pcmu", bad, 8000),
        lambda: Decoder("pcmu", 8000, bad),
        lambda: Encoder("pcmu", bad, 8000),
        lambda: Encoder("pcmu", 8000, bad),
    ):
        with pytest.raises(ValueError, match=expected):
            make()


@pytest.mark.parametrize("bad", ["PCMU", "opus", "", None, 0, b"pcmu"])
def test_unknown_encodings_are_refused(bad: Any) -> None:
    for kind in (Decoder, Encoder):
        with pytest.raises(ValueError, match=r"expected encoding to be one of pcmu, pcma, l16le, l16be, got "):
            kind(bad, 8000, 8000)


@pytest.mark.parametrize("bad", ["best", "", None, 0])
def test_unknown_profiles_are_refused(bad: Any) -> None:
    for make in (
        lambda: Resampler(8000, 16000, profile=bad),
        lambda: Decoder("pcmu", 8000, 16000, profile=bad),
        lambda: Encoder("pcmu", 8000, 8000, profile=bad),
    ):
        with pytest.raises(ValueError, match=r"expected profile to be one of balanced, low_delay, high_quality, got "):
            make()


@pytest.mark.parametrize("bad", [None, 5, ["AAAA"], object()])
def test_what_is_neither_text_nor_buffer_is_a_type_error(bad: Any) -> None:
    decoder, encoder = Decoder("pcmu", 8000, 16000), Encoder("pcmu", 8000, 16000)
    for push in (decoder.push, decoder.push_base64, encoder.push, encoder.push_base64):
        with pytest.raises(TypeError, match="bytes-like"):
            push(bad)
    for push in (decoder.push, encoder.push, encoder.push_base64):
        with pytest.raises(TypeError, match="bytes-like"):
            push("AAAA")  # type: ignore[arg-type]  # the wrong type is the test


@encodings
def test_decoder_and_encoder_have_the_delay_of_their_filter(encoding: Encoding) -> None:
    for (in_hz, out_hz), profile in itertools.product(PAIRS, PROFILES):
        delay_ms = Resampler(in_hz, out_hz, profile=profile).delay_ms
        assert Decoder(encoding, in_hz, out_hz, profile=profile).delay_ms == delay_ms
        assert Encoder(encoding, out_hz, in_hz, profile=profile).delay_ms == delay_ms


@encodings
def test_a_reset_stream_is_a_new_one(encoding: Encoding) -> None:
    decoder, encoder = Decoder(encoding, 8000, 16000), Encoder(encoding, 8000, 16000)
    payload, data = payload_of(encoding, 203), pcm(noise(203))
    first = decoder.push(payload), encoder.push(data)
    assert (decoder.push(payload), encoder.push(data)) != first
    decoder.reset()
    encoder.reset()
    assert (decoder.push(payload), encoder.push(data)) == first


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("in_hz", "out_hz"), [(8000, 16000), (16000, 8000), (24000, 48000), (48000, 24000)])
def test_a_2x_stream_holds_at_most_512_bytes(in_hz: int, out_hz: int, profile: Profile) -> None:
    for stream in (
        Resampler(in_hz, out_hz, profile=profile),
        Decoder("pcmu", in_hz, out_hz, profile=profile),
        Encoder("pcmu", out_hz, in_hz, profile=profile),
    ):
        assert 48 < sys.getsizeof(stream) <= 512


def test_streams_do_not_disturb_each_other() -> None:
    """The scratch memory of one push is on the stack; nothing of it may be left for the next stream."""
    data = [pcm(noise(160, seed=seed)) for seed in range(4)]
    alone = [[Resampler(8000, out_hz).push(piece) for piece in data] for out_hz in RATES_HZ]
    streams = [[Resampler(8000, out_hz) for _ in data] for out_hz in RATES_HZ]
    together = [
        [streams[row][column].push(data[column]) for row in range(len(RATES_HZ))] for column in range(len(data))
    ]
    assert together == [list(column) for column in zip(*alone, strict=True)]


def test_the_common_base_alone_copies() -> None:
    """It is not public, but it can be reached: it must not crash the process."""
    assert _codec._Stream().push(b"ab") == b"ab"  # see above
