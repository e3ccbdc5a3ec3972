"""Recorded sessions and requests of carriers: see README.md."""

from pathlib import Path

SAMPLES = Path(__file__).parent
