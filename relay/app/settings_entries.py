"""The settings that are more than a text or a number: words, API keys, destinations."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from relay.app import settings_forms as forms
from relay.app.settings_forms import Form, choice, number, text_like
from relay.transfers.record import Accept

STRICT: Final = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Scope(StrEnum):
    """What an API key may do."""

    TRIGGER = "trigger"
    """Make transfers, and end them."""
    READ = "read"
    """See them."""
    ADMIN = "admin"
    """What concerns the service as a whole."""


class Provider(StrEnum):
    """The carriers there are settings for."""

    TWILIO = "twilio"
    PLIVO = "plivo"
    SIGNALWIRE = "signalwire"
    TELNYX = "telnyx"
    VONAGE = "vonage"
    EXOTEL = "exotel"
    JAMBONZ = "jambonz"
    ASTERISK = "asterisk"


class TokenMaker(StrEnum):
    """Who makes the tokens for Daily rooms."""

    SELF_SIGNED = "self_signed"
    """Relay, with the domain's API key: no request, and Daily need not answer."""
    REST = "rest"
    """Daily, asked through its REST API."""


class DailyBackend(StrEnum):
    """How audio goes in and out of Daily rooms; ``docs/rooms.md`` says what each costs and isolates."""

    VIRTUAL = "virtual"
    TRACKS = "tracks"


def _read_scopes(value: object) -> frozenset[Scope]:
    words = value.split("+") if isinstance(value, str) else value
    if not isinstance(words, list | tuple | set | frozenset) or not words:
        raise ValueError
    return frozenset(Scope(word) for word in words)


def _read_api_key(value: object) -> object:
    match value:
        case str():
            scopes, colon, key = value.rpartition(":")
            return {"key": key, "scopes": scopes} if colon else {"key": key}
        case dict() | ApiKey():
            return value
    raise TypeError


def _read_destinations(value: object) -> object:
    return _read_table(json.loads(value) if isinstance(value, str) else value)


def _read_table(value: object) -> object:
    if isinstance(value, dict | BaseModel):
        return value
    raise TypeError


SCOPES: Final = Form(
    "trigger, read and admin, joined by +",
    "write for example trigger+read:KEY; a key itself has no colon",
    _read_scopes,
    is_secret=True,  # what is taken for scopes may be half a key
)
KEY_ENTRY: Final = Form(
    "KEY, SCOPES:KEY or a table of key and scopes",
    'write "KEY", or { key = "KEY", scopes = ["trigger"] } in relay.toml',
    _read_api_key,
    is_secret=True,
)
DESTINATION_NAME: Final = text_like(
    "[A-Za-z0-9][A-Za-z0-9_-]{0,63}",
    "a name of 1 to 64 letters, digits, _ and -",
    "name what is reached, such as billing: bots say it in their requests",
)
DESTINATION: Final = Form(
    "a table",
    'write [destinations.NAME] and to = "+14155550123" below it',
    _read_table,
    is_secret=True,  # what is not a table is a number, as a rule
)
DESTINATIONS: Final = Form(
    "a table of destinations",
    """write [destinations.NAME] tables, or '{"NAME": {"to": "+14155550123"}}' in the environment""",
    _read_destinations,
    is_secret=True,
)
SAY: Final = text_like(r"[^\x00-\x1f]{1,500}", "1 to 500 characters in one line", "write what the agent is told")
RING_TIMEOUT: Final = number(5, 120, "seconds")


class ApiKey(BaseModel):
    """One bearer key and what it may do."""

    model_config = STRICT

    key: Annotated[SecretStr, forms.API_KEY] = Field(description="What is sent as `Authorization: Bearer KEY`.")
    scopes: Annotated[frozenset[Scope], SCOPES] = Field(
        default=frozenset(Scope), description="What it may do: any of `trigger`, `read` and `admin`."
    )


class Destination(BaseModel):
    """One entry of the numbers that a bot may ask for by name."""

    model_config = STRICT

    to: Annotated[str, forms.NUMBER] = Field(repr=False, description="The number to dial.")
    provider: Annotated[Provider, choice(Provider)] | None = Field(
        default=None, description="The carrier that dials; without it, `default_provider`."
    )
    from_number: Annotated[str, forms.NUMBER] | None = Field(
        default=None, alias="from", repr=False, description="The number shown to the agent; without it, the carrier's."
    )
    accept: Annotated[Accept, choice(Accept)] = Field(
        default=Accept.NONE,
        description="What shows that a person answered, before the customer hears them: `press_1` is a key pressed, "
        "`detection` the carrier's opinion, or the key where it has none.",
    )
    ring_timeout_s: Annotated[float, RING_TIMEOUT] | None = Field(
        default=None, description="Instead of the service's `ring_timeout_s`."
    )
    say: Annotated[str, SAY] | None = Field(
        default=None,
        description="Spoken to the agent first; with `press_1`, it should name the key, which counts from the tones "
        "after it on.",
    )
