"""Recorded sessions and requests of carriers: see README.md."""

import base64
from pathlib import Path

SAMPLES = Path(__file__).parent


def changed_sample(name: str, words: dict[str, str], payloads: dict[bytes, bytes]) -> str:
    """The text of a recorded session, with these words and these payloads in place of its own."""
    text = (SAMPLES / name).read_text()
    encoded = {base64.b64encode(old).decode(): base64.b64encode(new).decode() for old, new in payloads.items()}
    for old, new in {**words, **encoded}.items():
        assert old in text
        text = text.replace(old, new)
    return text
