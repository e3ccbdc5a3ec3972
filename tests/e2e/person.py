"""The person in the room is the stand-ins' own."""

from relay.dev.person import FRAME_NS, Person

__all__ = ["FRAME_NS", "Person"]
