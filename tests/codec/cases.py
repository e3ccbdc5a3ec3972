"""The encodings, pairs of rates and profiles that the codec's tests run over."""

from typing import Literal, TypeAlias, get_args

from relay._codec import RATES_HZ

Encoding: TypeAlias = Literal["pcmu", "pcma", "l16le", "l16be"]
Profile: TypeAlias = Literal["balanced", "low_delay", "high_quality"]

ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
PROFILES: tuple[Profile, ...] = get_args(Profile)

PAIRS = [(in_hz, out_hz) for in_hz in RATES_HZ for out_hz in RATES_HZ]
CONVERSIONS = [(in_hz, out_hz, profile) for in_hz, out_hz in PAIRS if in_hz != out_hz for profile in PROFILES]
