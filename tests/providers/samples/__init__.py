"""Recorded sessions and requests of carriers: see README.md."""

from base64 import b64encode
from pathlib import Path

SAMPLES = Path(__file__).parent


def base64(payload: bytes) -> str:
    """As samples have binary messages."""
    return b64encode(payload).decode()
