"""
G.711 in the integer form of ITU-T G.191 (Software Tools Library, g711.c), one sample at a time.

G.191 works on 14-bit (mu-law) and 13-bit (A-law) values left-justified in 16 bits, and takes the one's complement of a
negative sample as its magnitude.
"""

MU_BIAS = 33  # of the 14-bit magnitude: every segment then begins at a power of two
MU_LARGEST = 0x1FFF


def pcmu_encode(sample: int) -> int:
    magnitude = min((~sample if sample < 0 else sample) // 4 + MU_BIAS, MU_LARGEST)
    segment = magnitude.bit_length() - 6
    step = magnitude >> (segment + 1) & 0xF
    code = segment << 4 | step
    return ~code & 0x7F | (0 if sample < 0 else 0x80)


def pcmu_decode(code: int) -> int:
    segment, step = (~code >> 4) & 7, ~code & 0xF
    middle = ((2 * step + MU_BIAS) << segment) - MU_BIAS
    return 4 * (middle if code & 0x80 else -middle)


def pcma_encode(sample: int) -> int:
    magnitude = (~sample if sample < 0 else sample) // 16
    segment = max(0, magnitude.bit_length() - 4)  # the first two segments are straight, with the same step
    step = magnitude if segment == 0 else magnitude >> (segment - 1) & 0xF
    code = segment << 4 | step
    return (code | (0 if sample < 0 else 0x80)) ^ 0x55


def pcma_decode(code: int) -> int:
    segment, step = (code ^ 0x55) >> 4 & 7, (code ^ 0x55) & 0xF
    middle = 2 * step + 1 if segment == 0 else (2 * step + 33) << (segment - 1)
    return 8 * (middle if code & 0x80 else -middle)
