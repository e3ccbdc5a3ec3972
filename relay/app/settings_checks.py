"""Settings that are right one by one, and wrong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from relay.app.accounts import ACCOUNTS
from relay.app.accounts.account import Account
from relay.app.numbers import is_built_in_denied
from relay.app.settings_entries import TokenMaker
from relay.app.settings_forms import host_of, is_loopback, or_list
from relay.app.settings_model import Settings
from relay.app.settings_problems import Names, env_name
from relay.errors import LocalProtocolError, Problem
from relay.transfers.record import Accept


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

    @property
    def accounts(self) -> list[Account]:
        """The carriers that somebody has begun to configure: what they lack is told by a check of its own."""
        return [account for account in ACCOUNTS.values() if any(self.is_set(name) for name in account.choices)]

    @property
    def default_account(self) -> Account | None:
        """The carrier that dials where none is named, if it is clear which."""
        if self.settings.default_provider is not None:
            return ACCOUNTS[self.settings.default_provider]
        return self.accounts[0] if len(self.accounts) == 1 else None


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


def _half_an_account(given: Given) -> Iterator[Problem]:
    for account in given.accounts:
        for name in account.needed:
            if not given.is_set(name):
                meaning = Settings.model_fields[name].description
                others = " and ".join(given.names.of(each) for each in account.needed if given.is_set(each))
                expected = f"a value beside {others or account.title}"
                yield Problem(given.names.of(name), expected=expected, got="nothing", fix=f"set it: {meaning}")


def _not_as_the_carrier_has_it(given: Given) -> Iterator[Problem]:
    """What a control does not take; its forms let pass what only it can tell."""
    for account in given.accounts:
        if not given.is_whole(*account.settings.model_fields) or not account.is_whole(given.settings):
            continue
        try:
            account.control(given.settings)
        except LocalProtocolError as error:
            name = given.names.of(f"{account.name}_{error.field}")
            fix = f"set it as {account.title} has it"
            yield Problem(name, expected=error.expected, got=error.got, fix=fix)


def _no_carrier(given: Given) -> Iterator[Problem]:
    if not given.accounts:
        first, *others = ACCOUNTS.values()
        fix = f"set {', '.join(env_name(name) for name in first.needed)}"
        if others:
            fix += f", or what goes with {or_list(account.title for account in others)}"
        yield Problem(given.names.of(first.needed[0]), expected="a carrier", got="none", fix=fix)


def _out_of_the_carriers_reach(given: Given) -> Iterator[Problem]:
    public_url = given.settings.public_url
    if not given.is_whole("public_url") or (public_url is not None and not is_loopback(host_of(public_url))):
        return
    for account in given.accounts:
        api_url: str | None = getattr(given.settings, account.api_url)
        is_missing = api_url is None and account.api_url in account.needed  # which is told elsewhere
        is_here = is_missing or not given.is_whole(account.api_url) or (api_url and is_loopback(host_of(api_url)))
        if not is_here:
            yield Problem(
                given.names.of("public_url"),
                expected=f"the URL at which {account.title} reaches relay",
                got=public_url or "nothing",
                fix=f"set it to https://HOST, or {env_name(account.api_url)} to a simulated carrier's",
            )


def _provider_without_an_account(given: Given) -> Iterator[Problem]:
    settings = given.settings
    configured = [account.name for account in given.accounts]  # what it lacks is told elsewhere
    named = [(given.names.of("default_provider"), settings.default_provider)]
    named += [
        (given.names.of("destinations", name, "provider"), destination.provider)
        for name, destination in settings.destinations.items()
    ]
    for name, provider in named:
        if provider is not None and provider not in configured:
            fix = f"set {env_name(ACCOUNTS[provider].needed[0])} and what goes with it, or remove this"
            yield Problem(name, expected="a carrier that is configured", got=provider, fix=fix)


def _several_carriers(given: Given) -> Iterator[Problem]:
    settings = given.settings
    is_open = bool(settings.allowed_numbers) or any(each.provider is None for each in settings.destinations.values())
    if len(given.accounts) > 1 and not given.is_set("default_provider") and is_open:
        yield Problem(
            given.names.of("default_provider"),
            expected="the carrier that dials where none is named",
            got="nothing, and several are configured",
            fix=f"set it to {or_list(account.name for account in given.accounts)}, or name one in each destination",
        )


def _what_the_carrier_cannot_do(given: Given) -> Iterator[Problem]:
    for name, destination in given.settings.destinations.items():
        account = ACCOUNTS[destination.provider] if destination.provider is not None else given.default_account
        if account is None:
            continue
        if destination.accept is Accept.DETECTION and not account.kind.capabilities.can_detect:
            yield Problem(
                given.names.of("destinations", name, "accept"),
                expected=f"none or press_1: {account.title} does not find out who picks up",
                got="detection",
                fix="write press_1, or have another carrier dial",
            )
        if destination.say is not None and not account.kind.capabilities.can_say:
            yield Problem(
                given.names.of("destinations", name, "say"),
                expected=f"nothing: {account.title} speaks no text before the call's audio",
                got=f"a text of {len(destination.say)} characters",
                fix="remove it, or have another carrier dial",
            )


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
    _half_an_account,
    _not_as_the_carrier_has_it,
    _no_carrier,
    _out_of_the_carriers_reach,
    _provider_without_an_account,
    _several_carriers,
    _what_the_carrier_cannot_do,
    _no_room,
    _daily_key_alone,
    _nothing_to_dial,
    _allowed_in_vain,
)
