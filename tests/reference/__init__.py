"""
The codec again in plain Python: slow, written to be read, and the oracle of its tests.

Samples are ints in lists, nothing is vectorised, and no buffer is reused. Each module states the rule that its part of
the native core must follow; the tests compare the two byte for byte.
"""

from tests.reference.conceal import Concealer
from tests.reference.message import read_message
from tests.reference.mixing import crossfade, level_dbfs, mix
from tests.reference.resample import Resampler
from tests.reference.retime import retime
from tests.reference.shorten import shorten
from tests.reference.stream import Decoder, Encoder

__all__ = [
    "Concealer",
    "Decoder",
    "Encoder",
    "Resampler",
    "crossfade",
    "level_dbfs",
    "mix",
    "read_message",
    "retime",
    "shorten",
]
