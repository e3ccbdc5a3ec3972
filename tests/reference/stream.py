"""Decoder and encoder: an encoding on one side of a resampler, with base64 from the standard library."""

import base64
import struct

from tests.reference import g711
from tests.reference.pcm import pack, unpack
from tests.reference.resample import Resampler


def decode(encoding: str, payload: bytes) -> list[int]:
    """The samples of a payload."""
    match encoding:
        case "pcmu":
            return [g711.pcmu_decode(code) for code in payload]
        case "pcma":
            return [g711.pcma_decode(code) for code in payload]
        case "l16be":
            return [sample for (sample,) in struct.iter_unpack(">h", payload)]
        case _:
            return unpack(payload)


def encode(encoding: str, samples: list[int]) -> bytes:
    """The payload of samples."""
    match encoding:
        case "pcmu":
            return bytes(map(g711.pcmu_encode, samples))
        case "pcma":
            return bytes(map(g711.pcma_encode, samples))
        case "l16be":
            return b"".join(struct.pack(">h", sample) for sample in samples)
        case _:
            return pack(samples)


class Decoder:
    def __init__(self, encoding: str, rate_hz: int, out_rate_hz: int, *, profile: str = "balanced") -> None:
        self.encoding = encoding
        self.resampler = Resampler(rate_hz, out_rate_hz, profile=profile)

    def push(self, payload: bytes) -> bytes:
        if not payload or (self.encoding.startswith("l16") and len(payload) % 2):
            raise ValueError(f"expected whole samples, got {len(payload)} bytes")
        return pack(self.resampler.convert(decode(self.encoding, payload)))

    def push_base64(self, text: str | bytes) -> bytes:
        return self.push(base64.b64decode(text, validate=True))


class Encoder:
    def __init__(self, encoding: str, rate_hz: int, in_rate_hz: int, *, profile: str = "balanced") -> None:
        self.encoding = encoding
        self.resampler = Resampler(in_rate_hz, rate_hz, profile=profile)

    def push(self, pcm: bytes) -> bytes:
        return encode(self.encoding, self.resampler.convert(unpack(pcm)))

    def push_base64(self, pcm: bytes) -> bytes:
        return base64.b64encode(self.push(pcm))
