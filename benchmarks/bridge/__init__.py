"""The echo that the bridge is compared with, and what a carrier's frames are in bytes; ``relay bench`` measures."""
