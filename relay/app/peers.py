"""From which addresses a carrier may call back, and which address a request comes from."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

import structlog
from starlette.types import Scope

from relay.app.accounts import ACCOUNTS
from relay.app.settings import Settings

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_FORWARDED: Final = b"x-forwarded-for"
_WITH_PORT: Final = re.compile(r"(?:([0-9.]+)|\[([^][]*)\])(?::[0-9]{1,5})?")


class Peers:
    """
    The addresses that carriers call from, where they are known.

    A request comes from whoever has connected. If that is one of our own proxies, it comes from the address that the
    proxy has put at the end of ``X-Forwarded-For``; what stands before it, anybody may have written.

    Args:
        proxies: networks of our own proxies; without any, no header is believed.
        networks: by carrier; of one that has none, every address is let in.
    """

    def __init__(self, proxies: Iterable[str], networks: Mapping[str, Iterable[str]]) -> None:
        self._proxies = [ipaddress.ip_network(each) for each in proxies]
        self._networks = {name: [ipaddress.ip_network(each) for each in given] for name, given in networks.items()}

    @classmethod
    def of(cls, settings: Settings) -> Peers:
        """Those of the settings; logs what is likely to be forgotten, as relay itself speaks no TLS."""
        named = {name: account.callback_networks for name, account in ACCOUNTS.items()}
        networks = {name: getattr(settings, each) for name, each in named.items() if each}
        if not settings.trusted_proxies:
            for name in filter(networks.get, networks):
                detail = f"expected trusted_proxies beside {named[name]}, got none: behind a proxy no callback is taken"
                structlog.get_logger().warning("proxies_not_named", provider=name, detail=detail)
        return cls(settings.trusted_proxies, networks)

    def lets_in(self, provider: str, scope: Scope) -> bool:
        """Whether a request may be a carrier's, by its address; one that has none is nobody's."""
        networks = self._networks.get(provider)
        if not networks:
            return True
        address = self._address(scope)
        return address is not None and any(address in each for each in networks)

    def named(self, scope: Scope) -> str:
        """Which address a request comes from, for the log; and whether what it says of others was not believed."""
        peer, address = _peer(scope), self._address(scope)
        text = "one that cannot be read" if address is None else str(address)
        if _hops(scope) and not self._is_ours(peer):
            text += ", whose X-Forwarded-For is not believed, as it is not of trusted_proxies"
        return text

    def _address(self, scope: Scope) -> Address | None:
        hops, address = _hops(scope), _peer(scope)
        while hops and self._is_ours(address):
            address = _read(hops.pop().strip())
        return address

    def _is_ours(self, address: Address | None) -> bool:
        return address is not None and any(address in each for each in self._proxies)


def _hops(scope: Scope) -> list[str]:
    return [hop for name, value in scope["headers"] if name == _FORWARDED for hop in value.decode("latin-1").split(",")]


def _peer(scope: Scope) -> Address | None:
    client = scope.get("client")
    return _read(client[0]) if client else None


def _read(text: str) -> Address | None:
    """An IPv4 address stays one when it comes over IPv6. Some proxies write the port behind it."""
    with_port = _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address((with_port[1] or with_port[2]) if with_port else text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or ipaddress.IPv6Address(int(address))  # without a zone, which may be any text
    return address
