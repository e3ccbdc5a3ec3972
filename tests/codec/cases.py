"""The pairs of rates and profiles that the codec's tests run over."""

from relay._codec import PROFILES, RATES_HZ

PAIRS = [(in_hz, out_hz) for in_hz in RATES_HZ for out_hz in RATES_HZ]
CONVERSIONS = [(in_hz, out_hz, profile) for in_hz, out_hz in PAIRS if in_hz != out_hz for profile in PROFILES]
