"""Mode ``codec``: the fused paths of a frame in each instruction set, beside json, base64 and audioop."""

from __future__ import annotations

import base64
import importlib
import json
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from relay._codec import Decoder, Encoder
from relay.dev.bench import marker
from relay.dev.bench.measure import OURS, Contender, Path, each_instruction_set
from relay.dev.bench.messages import STREAM_SID, TWILIO_IN, TWILIO_OUT, twilio_message

STDLIB: Final = "json, base64, audioop"
MISSING: Final = f"{STDLIB}: there is no audioop (Python 3.13 and later: pip install audioop-lts)"


def codec_paths() -> list[Path]:
    """The paths, each with streams of its own; what is missing is said there."""
    message, pcm = twilio_message(marker.payloads()[341]), marker.frames(16000)[341]
    return [
        _path("message -> PCM 16k", lambda: Decoder("pcmu", 8000, 16000).push_message, (message, TWILIO_IN)),
        _path("PCM 16k -> message", lambda: Encoder("pcmu", 8000, 16000).push_message, (pcm, TWILIO_OUT)),
    ]


def _path(name: str, ours: Callable[[], Callable[..., object]], args: tuple[bytes, object]) -> Path:
    contenders = [Contender(OURS + chosen, ours(), args) for chosen in each_instruction_set()]
    audioop = _audioop()
    if audioop is None:
        return Path(name, tuple(contenders), (MISSING,))
    theirs = _message_in(audioop) if args[1] is TWILIO_IN else _message_out(audioop)
    return Path(name, (*contenders, Contender(STDLIB, theirs, args[:1])))


def _audioop() -> ModuleType | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it leaves with Python 3.13
            return importlib.import_module("audioop")
    except ImportError:
        return None


def _message_in(audioop: Any) -> Callable[[bytes], object]:
    state = None

    def move(message: bytes) -> bytes:
        nonlocal state
        pcm = audioop.ulaw2lin(base64.b64decode(json.loads(message)["media"]["payload"]), 2)
        resampled, state = audioop.ratecv(pcm, 2, 1, 8000, 16000, state)
        return bytes(resampled)

    return move


def _message_out(audioop: Any) -> Callable[[bytes], object]:
    state = None

    def move(pcm: bytes) -> bytes:
        nonlocal state
        resampled, state = audioop.ratecv(pcm, 2, 1, 16000, 8000, state)
        payload = base64.b64encode(audioop.lin2ulaw(resampled, 2)).decode()
        return json.dumps({"event": "media", "streamSid": STREAM_SID, "media": {"payload": payload}}).encode()

    return move
