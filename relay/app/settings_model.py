"""The settings of the service: each with its form, its default and what it means."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from relay.app import settings_forms as forms
from relay.app.accounts import ACCOUNTS, AccountSettings
from relay.app.log_words import LogFormat, LogLevel
from relay.app.settings_entries import (
    DESTINATION,
    DESTINATION_NAME,
    DESTINATIONS,
    KEY_ENTRY,
    RING_TIMEOUT,
    ApiKey,
    DailyBackend,
    Destination,
    Provider,
    TokenMaker,
)
from relay.app.settings_forms import ListenAddress, choice, number


class Settings(AccountSettings, BaseSettings):
    """
    Everything that can be set. ``settings.load_settings`` reads and checks it; here each value is checked alone.

    Nothing in the environment changes what is made from arguments.
    """

    model_config = SettingsConfigDict(env_prefix="RELAY_", extra="forbid", frozen=True, hide_input_in_errors=True)

    listen: Annotated[ListenAddress, forms.LISTEN] = Field(
        default=ListenAddress("127.0.0.1", 8080),
        description="Where HTTP, webhooks and media are served; port 0 is any free one. "
        "Beyond this machine only with `api_keys`.",
    )
    public_url: Annotated[str, forms.PUBLIC_URL] | None = Field(
        default=None,
        description="Where carriers reach relay, as seen from the internet. Webhooks are signed over it. "
        "Required for a real carrier.",
    )
    trusted_proxies: Annotated[tuple[Annotated[str, forms.NETWORK], ...], forms.LIST] = Field(
        default=(),
        description="The networks of your own proxies in front of relay: which address they say a request comes from "
        "(`X-Forwarded-For`) is believed, where a carrier's networks are set.",
    )
    redis_url: Annotated[SecretStr, forms.REDIS_URL] | None = Field(
        default=None, description="The Redis or Valkey of the transfers; without it, relay runs one of its own."
    )
    redis_prefix: Annotated[str, forms.REDIS_PREFIX] = Field(
        default="relay", description="How its keys in Redis begin: one for each installation that shares it."
    )
    api_keys: Annotated[tuple[Annotated[ApiKey, KEY_ENTRY], ...], forms.LIST] = Field(
        default=(),
        description="Who may use `/v1`: keys, or `SCOPES:KEY` with scopes `trigger`, `read`, `admin` joined by `+` "
        "(all without them). Several serve to change one without a pause.",
    )
    destinations: Annotated[
        dict[Annotated[str, DESTINATION_NAME], Annotated[Destination, DESTINATION]], DESTINATIONS
    ] = Field(default_factory=dict, description="Who can be reached by name: see below. JSON in the environment.")
    default_provider: Annotated[Provider, choice(Provider)] | None = Field(
        default=None, description="The carrier that dials if none is named; without it, the only one there is."
    )
    allowed_numbers: Annotated[tuple[Annotated[str, forms.PREFIX_OF_NUMBERS], ...], forms.LIST] = Field(
        default=(),
        description="How numbers begin that requests may name as `to`; without any, only destinations are dialled. "
        "Premium and satellite numbers are refused all the same.",
    )
    denied_numbers: Annotated[tuple[Annotated[str, forms.PREFIX_OF_NUMBERS], ...], forms.LIST] = Field(
        default=(), description="How numbers begin that requests may not name, allowed or not."
    )
    local_rooms: Annotated[str, forms.ORIGIN] | None = Field(
        default=None, description="A local room server (`relay dev room`) whose rooms may be joined: development only."
    )
    daily_domains: Annotated[tuple[Annotated[str, forms.DAILY_DOMAIN], ...], forms.LIST] = Field(
        default=(), description="The `NAME` of each `https://NAME.daily.co` whose rooms may be joined."
    )
    daily_api_key: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None,
        description="Makes the token by which relay enters private rooms, if the request brings none: see "
        "`daily_tokens`.",
    )
    daily_domain_id: Annotated[str, forms.DOMAIN_ID] | None = Field(
        default=None, description="The domain's id at Daily: part of each token that is signed here."
    )
    daily_tokens: Annotated[TokenMaker, choice(TokenMaker)] = Field(
        default=TokenMaker.SELF_SIGNED,
        description="Who makes that token: `self_signed` is relay itself, `rest` is Daily, asked for each call.",
    )
    daily_backend: Annotated[DailyBackend, choice(DailyBackend)] = Field(
        default=DailyBackend.VIRTUAL,
        description="How audio goes in and out of Daily rooms: virtual devices, or tracks; see [rooms](rooms.md).",
    )
    daily_calls_per_worker: Annotated[int, number(1, 16, whole=True)] = Field(
        default=4,
        description="With `tracks`, how many calls a process carries before another takes its place; with `virtual` it "
        "is one, whatever this says.",
    )
    ring_timeout_s: Annotated[float, RING_TIMEOUT] = Field(
        default=30.0, description="How long a phone rings before it is given up."
    )
    answer_timeout_s: Annotated[float, number(0.1, 60, "seconds")] = Field(
        default=10.0, description="How long the carrier may take from the answer to its media stream."
    )
    accept_timeout_s: Annotated[float, number(1, 120, "seconds")] = Field(
        default=20.0,
        description="How long an agent may take to press the key, or the carrier, which has half of it, "
        "to detect a person.",
    )
    dial_timeout_s: Annotated[float, number(0.1, 60, "seconds")] = Field(
        default=10.0, description="How long a carrier may take to answer a request."
    )
    reconnect_timeout_s: Annotated[float, number(0, 60, "seconds")] = Field(
        default=10.0, description="How long a carrier may take to bring a broken stream back; 0: it need not try."
    )
    customer_grace_s: Annotated[float, number(0, 60, "seconds")] = Field(
        default=5.0, description="How long a customer who left the room may take to come back."
    )
    max_duration_s: Annotated[float, number(1, 86_400, "seconds")] = Field(
        default=14_400.0, description="The longest call, from its answer on."
    )
    drain_timeout_s: Annotated[float, number(0, 86_400, "seconds")] = Field(
        default=600.0, description="How long calls may go on when the service is asked to stop."
    )
    ringback: Annotated[bool, forms.BOOL] = Field(
        default=True, description="Whether the customer hears a ringing tone while the phone rings."
    )
    max_transfers: Annotated[int, number(1, 10_000, whole=True)] = Field(
        default=50, description="Transfers at the same time."
    )
    max_cpu_percent: Annotated[float, number(20, 100)] = Field(
        default=90.0,
        description="While more of the processors is in use, by whoever, no transfer is begun, until it is 10 less; "
        "100: whatever is in use, as on a machine that others keep busy.",
    )
    max_loop_lag_ms: Annotated[float, number(1, 10_000, "milliseconds")] = Field(
        default=20.0,
        description="While relay's timers are later than this (99th percentile of 2 s), no transfer is begun, until "
        "it is half of it.",
    )
    worker_spares: Annotated[int, number(0, 100, whole=True)] = Field(
        default=2, description="For so many of the next transfers a process is kept ready."
    )
    transfers_per_minute: Annotated[int, number(1, 1_000_000, whole=True)] = Field(
        default=60, description="Transfers that each API key may make in a minute."
    )
    transfers_per_day: Annotated[int, number(1, 100_000_000, whole=True)] = Field(
        default=2000, description="And in a day."
    )
    log_level: Annotated[LogLevel, choice(LogLevel)] = Field(
        default=LogLevel.INFO, description="From what on events are logged."
    )
    log_format: Annotated[LogFormat, choice(LogFormat)] = Field(
        default=LogFormat.AUTO, description="`auto`: for people at a terminal, else JSON."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings passes all of these
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments alone: problems are told by the source they come from, so ``settings`` reads those itself."""
        return (init_settings,)

    @property
    def providers(self) -> tuple[Provider, ...]:
        """The carriers that are configured."""
        return tuple(Provider(name) for name, account in ACCOUNTS.items() if account.is_whole(self))

    def from_number(self, provider: str) -> str | None:
        """The number that a carrier's calls come from, if nobody says another."""
        number: str | None = getattr(self, ACCOUNTS[provider].from_setting) if provider in ACCOUNTS else None
        return number

    def derived_key(self, purpose: str) -> bytes:
        """A key of 32 bytes that only who knows the carriers' secrets can make; the same after a restart."""
        return _key_of([secret for account in ACCOUNTS.values() for secret in account.secrets(self)], purpose)

    def stream_secret(self, provider: str) -> str:
        """
        What a carrier is told to show at each of its streams, where we choose that: 64 hexadecimal digits.

        It is of its own account's secrets: who gives another carrier a new key breaks no stream of this one's.
        """
        return _key_of(ACCOUNTS[provider].secrets(self), f"streams of {provider}").hex()

    def secrets(self) -> frozenset[str]:
        """Every text that no log line may have: keys, tokens, passwords, and the digits of the numbers known here."""
        held = [self.daily_api_key, self.redis_url, *(each.key for each in self.api_keys)]
        texts = {each.get_secret_value() for each in held if each is not None}
        texts |= {secret for account in ACCOUNTS.values() for secret in account.secrets(self)}
        texts |= {self.stream_secret(provider) for provider in self.providers}
        password = urlsplit(self.redis_url.get_secret_value()).password if self.redis_url else None
        if password:
            texts |= {password, unquote(password)}
        numbers = [self.from_number(provider) for provider in ACCOUNTS]
        for destination in self.destinations.values():
            numbers += [destination.to, destination.from_number]
        return frozenset(texts | {each.removeprefix("+") for each in numbers if each})


def _key_of(secrets: Iterable[str], purpose: str) -> bytes:
    return hmac.digest("\n".join(secrets).encode(), purpose.encode(), "sha256")
