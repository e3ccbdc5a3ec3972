"""What a request for a transfer may say, and the order it becomes: everything in it allowed and resolved."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from relay.app.numbers import E164, NumberPolicy, mask_number
from relay.app.problems import ApiProblem, ProblemKind, RequestFault
from relay.app.room_urls import RoomPolicy
from relay.app.settings import Settings
from relay.app.settings_entries import Destination, Provider
from relay.providers.control import CarrierControl
from relay.transfers.record import Accept, TransferOrder, digest

METADATA_MAX: Final = 20
NAMES_SHOWN: Final = 20
"""Destinations in the message about one that does not exist."""

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
_Id = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,128}$")]
_Text = Annotated[str, StringConstraints(max_length=512)]
_TOKEN: Final = re.compile("^[!-~]{1,4096}$")
_Key = Annotated[str, StringConstraints(min_length=1, max_length=64)]


def _check_token(token: SecretStr) -> SecretStr:
    if _TOKEN.fullmatch(token.get_secret_value()) is None:
        raise PydanticCustomError("token", "expected 1 to 4096 printable ASCII characters without spaces")
    return token


_Token = Annotated[
    SecretStr, AfterValidator(_check_token), WithJsonSchema({"type": "string", "pattern": _TOKEN.pattern})
]


class DigitsRequest(BaseModel):
    """Lets the agent's phone hear keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, json_schema_extra={"example": {"digits": "12#w4"}}
    )

    digits: Annotated[str, StringConstraints(pattern=r"^[0-9*#A-DwW]{1,32}$")] = Field(
        repr=False,
        description="Keys, in order; `w` is a pause of 0.5 s, `W` one of 1 s. Not every carrier has them all.",
    )


def _one_of_two(given: str, other: str) -> dict[str, JsonValue]:
    return {"required": [given], "properties": {given: {"type": "string"}, other: {"type": "null"}}}


class TransferRequest(BaseModel):
    """Asks for a transfer: who is to be called, and into which room."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={
            "example": {
                "room_url": "https://example.daily.co/support-42",
                "destination": "billing",
                "bot_id": "Bot",
                "metadata": {"topic": "invoice"},
            },
            "oneOf": [_one_of_two("destination", "to"), _one_of_two("to", "destination")],
        },
    )

    room_url: Annotated[str, StringConstraints(min_length=1, max_length=512)] = Field(
        description="The room that the customer is in."
    )
    destination: _Name | None = Field(default=None, description="Who to call, by name. Either this or `to`.")
    to: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        default=None, repr=False, description="A number in E.164, if its prefix is allowed here."
    )
    provider: Provider | None = Field(default=None, description="The carrier; else the destination's, or the default.")
    from_number: Annotated[str, StringConstraints(pattern=f"^{E164.pattern}$")] | None = Field(
        default=None,
        alias="from",
        repr=False,
        description="The number that the agent sees, in E.164; else the destination's, or the carrier's default.",
    )
    room_token: _Token | None = Field(default=None, description="To enter the room with. Never stored and never shown.")
    customer_id: _Id | None = Field(
        default=None,
        description="The customer's participant id or display name in the room: only who has it is the customer then. "
        "One that nobody has is as none.",
    )
    bot_id: _Id | None = Field(
        default=None,
        description="The bot's participant id or display name in the room: it is no customer. Without this and "
        "`customer_id`, a bot that stays in the room passes for the customer, and it is not noticed when the customer "
        "leaves.",
    )
    ring_timeout_s: Annotated[float, Field(strict=True, ge=5, le=120)] | None = Field(
        default=None, description="How long the phone rings; else as the destination or the service has it."
    )
    max_duration_s: Annotated[float, Field(strict=True, ge=60, le=14_400)] | None = Field(
        default=None, description="The longest call. Never longer than the service lets any call be."
    )
    accept: Accept | None = Field(
        default=None, description="What shows that a person is on the phone; else as the destination has it."
    )
    metadata: Annotated[dict[_Key, _Text], Field(max_length=METADATA_MAX)] | None = Field(
        default=None, description="Comes back as it is."
    )

    @model_validator(mode="after")
    def _check_who(self) -> Self:
        if (self.destination is None) == (self.to is None):
            raise PydanticCustomError("who", "expected either destination or to")
        return self

    def fingerprint(self) -> str:
        """The same for the same request, however it was written; a secret, as numbers can be tried out against it."""
        said = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"room_token"})
        if self.room_token is not None:
            said["room_token"] = self.room_token.get_secret_value()
        return digest(json.dumps(said, sort_keys=True))


class Orders:
    """
    Makes orders of requests.

    Args:
        settings: destinations, and what a request leaves open.
        numbers: which may be dialled.
        rooms: which may be joined.
        carriers: those that are configured, by name.
    """

    def __init__(
        self, settings: Settings, *, numbers: NumberPolicy, rooms: RoomPolicy, carriers: Mapping[str, CarrierControl]
    ) -> None:
        self._settings = settings
        self._numbers = numbers
        self._rooms = rooms
        self._carriers = carriers

    def resolve(self, request: TransferRequest) -> TransferOrder:
        """
        The order that a request is, with everything it leaves to the configuration.

        Raises:
            RoomRefused, NumberRefused: that may not be.
            ApiProblem: it names what is not configured.
        """
        self._rooms.check(request.room_url)
        entry = self._destination(request.destination) if request.destination is not None else None
        if entry is None:
            self._numbers.check(request.to or "")
        to = entry.to if entry is not None else request.to or ""
        provider = self._provider(request, entry)
        if entry is not None and entry.say is not None and not self._carriers[provider].capabilities.can_say:
            raise _invalid("provider", f"expected a carrier that can speak: {request.destination} has something to say")
        accept = request.accept or (entry.accept if entry is not None else Accept.NONE)
        if accept is Accept.DETECTION and not self._carriers[provider].capabilities.can_detect:
            raise _invalid("accept", f"expected another: {provider} does not find out who picks up")
        settings = self._settings
        return TransferOrder(
            room_url=request.room_url,
            room_token=request.room_token.get_secret_value() if request.room_token is not None else None,
            provider=provider,
            to=to,
            to_masked=mask_number(to),
            from_number=request.from_number or (entry and entry.from_number) or self._from(provider),
            destination=request.destination,
            accept=accept,
            say=entry.say if entry is not None else None,
            customer_id=request.customer_id,
            bot_id=request.bot_id,
            ring_timeout_s=request.ring_timeout_s or (entry and entry.ring_timeout_s) or settings.ring_timeout_s,
            max_duration_s=min(request.max_duration_s or settings.max_duration_s, settings.max_duration_s),
            metadata=request.metadata or {},
        )

    def provider_of(self, entry: Destination) -> str:
        """The carrier that calls a destination if a request names none."""
        return entry.provider or self._default_provider()

    def _destination(self, name: str) -> Destination:
        entry = self._settings.destinations.get(name)
        if entry is None:
            names = sorted(self._settings.destinations)
            known = ", ".join(names[:NAMES_SHOWN]) + (", ..." if len(names) > NAMES_SHOWN else "")
            raise _invalid("destination", f"expected one of: {known}" if names else "expected none: none is configured")
        return entry

    def _provider(self, request: TransferRequest, entry: Destination | None) -> str:
        provider = request.provider or (entry and entry.provider) or self._default_provider()
        if provider not in self._carriers:
            carriers = ", ".join(sorted(self._carriers)) or "none: none is configured"
            raise _invalid("provider", f"expected {carriers}")
        return provider

    def _default_provider(self) -> str:
        """Nobody's name, if it is not clear which."""
        return self._settings.default_provider or (next(iter(self._carriers)) if len(self._carriers) == 1 else "")

    def _from(self, provider: str) -> str:
        number = self._settings.from_number(provider)
        if number is None:
            raise _invalid("from", f"expected a number: none is configured for {provider}")
        return number


def _invalid(name: str, detail: str) -> ApiProblem:
    fault = RequestFault(where="body", name=name, detail=detail)
    return ApiProblem(ProblemKind.INVALID_REQUEST, f"{name}: {detail}", faults=[fault])
