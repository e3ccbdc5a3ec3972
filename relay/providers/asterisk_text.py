"""Asterisk's control messages in the older form, ``EVENT key:value key:value``, read as if they were JSON."""

from __future__ import annotations

import re
from typing import Final

from relay.errors import RemoteProtocolError
from relay.providers.fields import MESSAGE_MAX_BYTES, Fields

_EVENT: Final = re.compile("[A-Z_]+")
_WITH_ID_ONLY: Final = ("MEDIA_MARK_PROCESSED", "MEDIA_BUFFERING_COMPLETED")


def is_text(message: bytes | str) -> bool:
    """Whether the message is in this form, if it is in one of the two."""
    return message.lstrip()[:1] not in ("{", b"{")


def read_text(carrier: str, message: bytes | str) -> Fields:
    """
    The fields of a message, under the names that they have in JSON.

    Raises:
        RemoteProtocolError: it does not begin with an event's name, or is longer than ``MESSAGE_MAX_BYTES``.
    """
    text = message.decode(errors="replace") if isinstance(message, bytes) else message
    event, _, rest = text.strip().partition(" ")
    if len(message) > MESSAGE_MAX_BYTES or not _EVENT.fullmatch(event):
        expected, got = "an event's name first, in capitals", f"{len(message)} others"
        raise RemoteProtocolError(carrier, "message", expected=expected, got=got)
    if event in _WITH_ID_ONLY:
        return Fields(carrier, "", {"event": event, "correlation_id": rest})
    words, _, error_text = rest.partition("error_text:")
    values = dict(word.partition(":")[::2] for word in words.split())
    return Fields(carrier, "", {**values, "error_text": error_text, "event": event})
