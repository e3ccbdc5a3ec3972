"""The carriers' sample messages, and the templates that a caller would make of them."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from relay._codec import Field, MediaTemplate
from tests.codec.cases import Encoding

FIELD_OF_KEY = {
    "payload": Field.PAYLOAD,
    "sequenceNumber": Field.SEQUENCE,
    "sequence_number": Field.SEQUENCE,
    "timestamp": Field.TIMESTAMP,
    "chunk": Field.NUMBER,
}


@dataclass(frozen=True)
class Carrier:
    name: str
    encoding: Encoding
    received: dict[str, Any]
    sent: dict[str, Any]

    def receiving_content(self) -> dict[str, Any]:
        """What the carrier sends, with a field in every place that varies."""
        return dict(with_fields(self.received, set(FIELD_OF_KEY)))

    def receiving(self) -> MediaTemplate:
        return MediaTemplate(self.receiving_content())

    def sending(self) -> MediaTemplate:
        """The template of what is sent to the carrier, where only the payload varies."""
        return MediaTemplate(with_fields(self.sent, {"payload"}))


def with_fields(value: Any, keys: set[str]) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: FIELD_OF_KEY[key] if key in keys else with_fields(item, keys) for key, item in value.items()}


def with_payload(message: dict[str, Any], payload: bytes) -> dict[str, Any]:
    return {**message, "media": {**message["media"], "payload": base64.b64encode(payload).decode()}}


def compact(message: Any) -> bytes:
    """As carriers write JSON: without white space."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


CARRIERS = [
    Carrier(path.stem, **json.loads(path.read_text()))
    for path in sorted((Path(__file__).parent / "samples").glob("*.json"))
]
TWILIO = next(carrier for carrier in CARRIERS if carrier.name == "twilio")

carriers = pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.name)
