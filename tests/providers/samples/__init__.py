"""Recorded sessions and requests of carriers: see README.md."""

from base64 import b64encode
from pathlib import Path

SAMPLES = Path(__file__).parent


def base64(payload: bytes) -> str:
    """As samples have binary messages, and JSON of carriers has audio."""
    return b64encode(payload).decode()


def changed_sample(name: str, words: dict[str, str], payloads: dict[bytes, bytes]) -> str:
    """The text of a recorded session, with these words and these payloads in place of its own."""
    text = (SAMPLES / name).read_text()
    for old, new in {**words, **{base64(old): base64(new) for old, new in payloads.items()}}.items():
        assert old in text
        text = text.replace(old, new)
    return text
