"""Settings that are right one by one, and wrong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from relay.app.numbers import is_built_in_denied
from relay.app.settings_entries import Provider, TokenMaker
from relay.app.settings_forms import host_of, is_loopback
from relay.app.settings_model import Settings
from relay.app.settings_problems import Names, env_name
from relay.errors import Problem

_TWILIO: Final = ("twilio_account_sid", "twilio_auth_token", "twilio_from")


@dataclass(frozen=True, slots=True)
class Given:
    """
    What the checks look at.

    Args:
        settings: every value that is right by itself; the default for those that are not.
        names: how the user wrote them.
        broken: the settings that are wrong by themselves: nothing more is said of these.
    """

    settings: Settings
    names: Names
    broken: frozenset[str]

    def is_whole(self, *names: str) -> bool:
        """None of these is broken."""
        return self.broken.isdisjoint(names)

    def is_set(self, name: str) -> bool:
        """There is a value, right or wrong."""
        return name in self.broken or bool(getattr(self.settings, name))

    def has_twilio(self) -> bool:
        """Somebody has begun to configure Twilio."""
        return any(self.is_set(name) for name in (*_TWILIO, "twilio_shared_key"))


Check: TypeAlias = Callable[[Given], Iterator[Problem]]


def cross_problems(given: Given) -> Iterator[Problem]:
    """Everything that is wrong between settings."""
    for check in CHECKS:
        yield from check(given)


def _exposed_without_a_key(given: Given) -> Iterator[Problem]:
    settings = given.settings
    if given.is_set("api_keys"):
        return
    fix = f"set {env_name('api_keys')}, for example to the output of `openssl rand -hex 32`"
    if given.is_whole("listen") and not settings.listen.is_loopback:
        yield Problem(
            given.names.of("listen"),
            expected="an address of this machine only, as there is no API key",
            got=str(settings.listen),
            fix=f"{fix}, or listen on 127.0.0.1",
        )
    if given.is_whole("public_url") and settings.public_url and not is_loopback(host_of(settings.public_url)):
        yield Problem(
            given.names.of("public_url"),
            expected="a URL of this machine only, as there is no API key",
            got=settings.public_url,
            fix=fix,
        )


def _half_a_twilio(given: Given) -> Iterator[Problem]:
    if not given.has_twilio():
        return
    for name in _TWILIO:
        if not given.is_set(name):
            meaning = Settings.model_fields[name].description
            others = " and ".join(given.names.of(each) for each in _TWILIO if given.is_set(each)) or "Twilio"
            yield Problem(
                given.names.of(name), expected=f"a value beside {others}", got="nothing", fix=f"set it: {meaning}"
            )


def _no_carrier(given: Given) -> Iterator[Problem]:
    if not given.has_twilio():
        yield Problem(
            given.names.of("twilio_account_sid"),
            expected="a carrier",
            got="none",
            fix=f"set {', '.join(env_name(name) for name in _TWILIO)}",
        )


def _out_of_the_carriers_reach(given: Given) -> Iterator[Problem]:
    settings = given.settings
    is_simulated = is_loopback(host_of(settings.twilio_api_url))
    if not given.has_twilio() or is_simulated or not given.is_whole("public_url", "twilio_api_url"):
        return
    if settings.public_url is None or is_loopback(host_of(settings.public_url)):
        yield Problem(
            given.names.of("public_url"),
            expected="the URL at which Twilio reaches relay",
            got=settings.public_url or "nothing",
            fix=f"set it to https://HOST, or {env_name('twilio_api_url')} to a simulated carrier's",
        )


def _provider_without_an_account(given: Given) -> Iterator[Problem]:
    settings = given.settings
    configured = [Provider.TWILIO] if given.has_twilio() else []  # what it lacks is told elsewhere
    named = [(given.names.of("default_provider"), settings.default_provider)]
    named += [
        (given.names.of("destinations", name, "provider"), destination.provider)
        for name, destination in settings.destinations.items()
    ]
    for name, provider in named:
        if provider is not None and provider not in configured:
            fix = f"set {env_name(f'{provider}_account_sid')} and what goes with it, or remove this"
            yield Problem(name, expected="a carrier that is configured", got=provider, fix=fix)


def _no_room(given: Given) -> Iterator[Problem]:
    if not given.is_set("daily_domains") and not given.is_set("local_rooms"):
        yield Problem(
            given.names.of("daily_domains"),
            expected="rooms that may be joined",
            got="none",
            fix=f"set it to NAME for rooms at https://NAME.daily.co, or set {env_name('local_rooms')}",
        )


def _daily_key_alone(given: Given) -> Iterator[Problem]:
    if not given.is_set("daily_api_key"):
        if given.is_set("daily_domain_id"):
            fix = "set it to the API key of the domain, or remove the domain's id"
            name = given.names.of("daily_api_key")
            yield Problem(name, expected="a key beside the domain's id", got="nothing", fix=fix)
        if given.settings.daily_tokens is TokenMaker.REST:
            fix = "set it to the API key of the domain, or remove this, and let requests bring a room_token"
            name = given.names.of("daily_tokens")
            yield Problem(name, expected=f"{env_name('daily_api_key')} beside it", got="nothing", fix=fix)
        return
    key = given.names.of("daily_api_key")
    is_signed_here = given.is_whole("daily_tokens") and given.settings.daily_tokens is TokenMaker.SELF_SIGNED
    if is_signed_here and not given.is_set("daily_domain_id"):
        fix = 'set it to domain_id of `curl -H "Authorization: Bearer KEY" https://api.daily.co/v1/`'
        name = given.names.of("daily_domain_id")
        yield Problem(name, expected=f"the id of the domain of {key}", got="nothing", fix=fix)
    if given.is_whole("daily_domains") and len(given.settings.daily_domains) != 1:
        yield Problem(
            given.names.of("daily_domains"),
            expected=f"the one domain of {key}",
            got=str(len(given.settings.daily_domains) or "none"),
            fix="name that domain only; or remove the key, and let requests bring a room_token",
        )


def _nothing_to_dial(given: Given) -> Iterator[Problem]:
    if not given.is_set("destinations") and not given.is_set("allowed_numbers"):
        yield Problem(
            given.names.of("destinations"),
            expected="somebody to dial",
            got="nobody",
            fix=f'add [destinations.NAME] with to = "+..." to the file, or set {env_name("allowed_numbers")}',
        )


def _allowed_in_vain(given: Given) -> Iterator[Problem]:
    denied = given.settings.denied_numbers
    for place, prefix in enumerate(given.settings.allowed_numbers):
        if prefix.startswith(denied) or is_built_in_denied(prefix):
            by = "by denied_numbers" if prefix.startswith(denied) else "always: premium and satellite numbers"
            name = given.names.of("allowed_numbers", place)
            yield Problem(name, expected="a prefix that is not denied", got=f"{prefix}, denied {by}", fix="remove it")


CHECKS: Final[tuple[Check, ...]] = (
    _exposed_without_a_key,
    _half_a_twilio,
    _no_carrier,
    _out_of_the_carriers_reach,
    _provider_without_an_account,
    _no_room,
    _daily_key_alone,
    _nothing_to_dial,
    _allowed_in_vain,
)
