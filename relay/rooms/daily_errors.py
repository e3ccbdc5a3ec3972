"""What Daily's errors mean. They are sentences, and no list of them is published."""

from __future__ import annotations

import re
from typing import Final

from relay.errors import RoomDenied, RoomError, RoomUnreachable

TEXT_MAX: Final = 300

# Recorded from daily-python 0.36.0 without a network:
#   Connection(Api(RoomLookup(RoomInfoFetchFailed(... failed to lookup address information ...))))
# The words are those of the SDK's own texts (InvalidMeetingToken, "You do not have access to this room", ...) and of
# the error types of daily-js (https://docs.daily.co/reference/daily-js/events/meeting-events#error, read 2026-11-26).
_NO_ANSWER: Final = re.compile(r"RoomInfoFetchFailed|no-room|does not exist|not found", re.IGNORECASE)
_DENIED: Final = re.compile(
    r"denied|not.?allowed|permission|do not have access|unauthori[sz]ed|forbidden|meeting.?token|invalid.?token"
    r"|token.{0,12}(invalid|not valid)|expired|exp-(room|token)|nbf-(room|token)"
    r"|not yet (available|open|valid)|no longer available|NotYetAvailable|NoLongerAvailable|meeting-?full|is full"
    r"|max.?participants|\b40[13]\b",
    re.IGNORECASE,
)
_ENDS = r"eject|exp-(room|token)|meeting (has )?ended|end-of-life|room (was|has been) (deleted|closed)"
_ENDED: Final = re.compile(_ENDS, re.IGNORECASE)
# A candidate of ICE is removed, too, and a certificate expires: alone these end no call.
_EXPLAINED: Final = re.compile(rf"{_ENDS}|expir|removed", re.IGNORECASE)


def cleaned(text: object, *, secrets: tuple[str, ...] = ()) -> str:
    """An error's text without secrets, short enough to log. The SDK's may contain the URL that it asked."""
    clean = str(text)
    for secret in secrets:
        if secret:
            clean = clean.replace(secret, "...")
    clean = re.sub(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "...", clean)  # any JWT
    return clean if len(clean) <= TEXT_MAX else f"{clean[:TEXT_MAX]}..."


def join_error(room_url: str, text: str) -> RoomError:
    """
    What a failed join means: refused, or not reached.

    Args:
        room_url: for the message. Its name says nothing: a room may be called "expired".
        text: as ``cleaned``.
    """
    message = f"{room_url}: {text}"
    meaning = _without_url(room_url, text)
    if _NO_ANSWER.search(meaning) is None and _DENIED.search(meaning) is not None:
        return RoomDenied(message)
    return RoomUnreachable(message)


def is_end(room_url: str, text: str) -> bool:
    """Whether an error within the call says that our place, or the room, was ended on purpose."""
    return _ENDED.search(_without_url(room_url, text)) is not None


def explains_end(room_url: str, text: str) -> bool:
    """Whether the last error before the call was left says that it was on purpose: looser words do, then."""
    return _EXPLAINED.search(_without_url(room_url, text)) is not None


def _without_url(room_url: str, text: str) -> str:
    name = room_url.rstrip("/").rpartition("/")[2]
    text = text.replace(room_url, "")
    return re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "", text) if name else text
