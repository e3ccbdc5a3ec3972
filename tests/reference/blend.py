"""Cross-fades: weights of 15 bits."""

FULL = 1 << 15  # a weight of 1


def weight(part: int, parts: int) -> int:
    """The part as a weight of 15 bits, by way of the weight of one part in 30 bits."""
    return part * ((FULL << 15) // parts) >> 15


def blend(from_: int, to: int, step: int, steps: int) -> int:
    """The value at ``step`` of ``steps`` on the way; neither end itself is among them."""
    return from_ + ((to - from_) * weight(step + 1, steps + 1) >> 15)
