"""Recorded sessions and requests of carriers, and how what a simulated carrier says is compared with them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from relay.dev.phone_wire import Command, PhoneWire, Play
from tests.providers.samples import SAMPLES

FRAME = bytes(320)
"""20 ms of silence at 8 kHz."""


def session(name: str) -> list[dict[str, Any]]:
    """The messages of a recorded session."""
    recorded: list[dict[str, Any]] = json.loads((SAMPLES / f"{name}_session.json").read_text())
    return recorded


def exchange(carrier: str, name: str) -> dict[str, Any]:
    """A recorded request and its answer."""
    recorded = json.loads((SAMPLES / f"{carrier}_http.json").read_text())
    found: dict[str, Any] = next(each for each in recorded if each["name"] == name)
    return found


def vectors(carrier: str) -> list[dict[str, Any]]:
    """Signatures and what they are of."""
    recorded: list[dict[str, Any]] = json.loads((SAMPLES / f"{carrier}_signature_vectors.json").read_text())["vectors"]
    return recorded


def masked(content: Any, varies: set[str]) -> Any:
    """The same without the values of some names: only their types are left."""
    if not isinstance(content, dict):
        return content
    return {name: type(value).__name__ if name in varies else masked(value, varies) for name, value in content.items()}


def check_said(
    name: str, made: Mapping[str, Callable[[], bytes]], kind_of: Callable[[dict[str, Any]], str], varies: set[str]
) -> None:
    """All that the carrier says in a recorded session is made as it is there."""
    kinds = set()
    for message in session(name):
        if message["dir"] != "in":
            continue
        if message["type"] == "binary":
            kinds.add("media")
            assert made["media"]() == base64.b64decode(message["data"])
            continue
        kind = kind_of(message["data"])
        kinds.add(kind)
        said = json.loads(made[kind]())
        assert masked(said, varies) == masked(message["data"], varies), kind
        if kind == "media":  # a relay may read these by their shape
            assert list(said) == list(message["data"])
            assert list(said["media"]) == list(message["data"]["media"])
    assert kinds == set(made)


def heard(name: str, wire: PhoneWire) -> list[Command | None]:
    """What all that a relay says in a recorded session asks for, besides the audio, which is silence."""
    commands = [wire.read(_sent(message)) for message in session(name) if message["dir"] == "out"]
    audio = [command for command in commands if isinstance(command, Play)]
    assert audio
    assert not any(b"".join(command.pcm for command in audio))
    return [command for command in commands if not isinstance(command, Play)]


def _sent(message: dict[str, Any]) -> str | bytes:
    return base64.b64decode(message["data"]) if message["type"] == "binary" else json.dumps(message["data"])


def event_of(content: dict[str, Any]) -> str:
    """What kind of message it is, with most carriers."""
    return str(content["event"])
