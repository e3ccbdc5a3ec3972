"""G.711 and byte order over their whole domains: 256 codes, 65,536 samples."""

import g711  # an independent implementation of ITU-T G.711
import numpy as np
import numpy.typing as npt
import pytest

from relay._codec import Decoder, Encoder
from tests import reference
from tests.codec.cases import Encoding
from tests.signals import pcm, samples_of

EVERY_CODE = bytes(range(256))
EVERY_SAMPLE = pcm(np.arange(-32768, 32768))

LAWS: list[Encoding] = ["pcmu", "pcma"]
INDEPENDENT_ENCODE = {"pcmu": g711.encode_ulaw, "pcma": g711.encode_alaw}
INDEPENDENT_DECODE = {"pcmu": g711.decode_ulaw, "pcma": g711.decode_alaw}

pytestmark = pytest.mark.usefixtures("instruction_set")


def encoded(law: Encoding, samples: npt.ArrayLike) -> bytes:
    return Encoder(law, 8000, 8000).push(pcm(samples))


def decoded(law: Encoding, codes: bytes) -> list[int]:
    return [int(sample) for sample in samples_of(Decoder(law, 8000, 8000).push(codes))]


@pytest.mark.parametrize("law", LAWS)
def test_every_code_decodes_as_an_independent_implementation_has_it(law: Encoding) -> None:
    assert decoded(law, EVERY_CODE) == (INDEPENDENT_DECODE[law](EVERY_CODE) * 32768).tolist()


@pytest.mark.parametrize("law", LAWS)
def test_every_sample_encodes_as_an_independent_implementation_has_it(law: Encoding) -> None:
    floats = samples_of(EVERY_SAMPLE).astype(np.float32) / 32768
    assert Encoder(law, 8000, 8000).push(EVERY_SAMPLE) == INDEPENDENT_ENCODE[law](floats)


@pytest.mark.parametrize("law", LAWS)
def test_both_domains_are_those_of_g191(law: Encoding) -> None:
    assert Decoder(law, 8000, 8000).push(EVERY_CODE) == reference.Decoder(law, 8000, 8000).push(EVERY_CODE)
    assert Encoder(law, 8000, 8000).push(EVERY_SAMPLE) == reference.Encoder(law, 8000, 8000).push(EVERY_SAMPLE)


@pytest.mark.parametrize(
    ("law", "sample", "code"),
    [
        ("pcmu", 0, 0xFF),
        ("pcmu", -1, 0x7F),
        ("pcmu", -32768, 0x00),
        ("pcmu", 32767, 0x80),
        ("pcma", 0, 0xD5),
        ("pcma", -1, 0x55),
        ("pcma", -32768, 0x2A),
        ("pcma", 32767, 0xAA),
    ],
)
def test_silence_and_full_scale_have_their_codes(law: Encoding, sample: int, code: int) -> None:
    assert encoded(law, [sample]) == bytes([code])


def test_only_negative_zero_of_mu_law_changes_over_a_round_trip() -> None:
    """0x7F is mu-law's second zero: it decodes to 0, which encodes to 0xFF."""
    assert {code for code in EVERY_CODE if encoded("pcmu", decoded("pcmu", bytes([code]))) != bytes([code])} == {0x7F}
    assert encoded("pcma", decoded("pcma", EVERY_CODE)) == EVERY_CODE


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("samples", [1, 7, 8, 9, 31, 33, 160])
def test_the_tail_of_a_vector_is_encoded_like_its_body(law: Encoding, samples: int) -> None:
    from_end = EVERY_SAMPLE[-2 * samples :]
    assert Encoder(law, 8000, 8000).push(from_end) == Encoder(law, 8000, 8000).push(EVERY_SAMPLE)[-samples:]


def test_l16le_is_passed_as_it_is() -> None:
    assert Decoder("l16le", 8000, 8000).push(EVERY_SAMPLE) == EVERY_SAMPLE
    assert Encoder("l16le", 8000, 8000).push(EVERY_SAMPLE) == EVERY_SAMPLE


def test_l16be_is_the_other_byte_order() -> None:
    big_endian = samples_of(EVERY_SAMPLE).astype(">i2").tobytes()
    assert Decoder("l16be", 8000, 8000).push(big_endian) == EVERY_SAMPLE
    assert Encoder("l16be", 8000, 8000).push(EVERY_SAMPLE) == big_endian
