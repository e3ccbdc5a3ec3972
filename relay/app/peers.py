"""From which addresses a carrier may call back, and which address a request comes from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from starlette.types import Scope

from relay.app.accounts import ACCOUNTS
from relay.app.settings import Settings

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_FORWARDED: Final = b"x-forwarded-for"


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
        """Those of the settings."""
        named = {name: account.callback_networks for name, account in ACCOUNTS.items()}
        return cls(settings.trusted_proxies, {name: getattr(settings, each) for name, each in named.items() if each})

    def lets_in(self, provider: str, scope: Scope) -> bool:
        """Whether a request may be a carrier's, by its address; one that has none is nobody's."""
        networks = self._networks.get(provider)
        if not networks:
            return True
        address = self._address(scope)
        return address is not None and any(address in each for each in networks)

    def _address(self, scope: Scope) -> Address | None:
        hops = [
            hop for name, value in scope["headers"] if name == _FORWARDED for hop in value.decode("latin-1").split(",")
        ]
        client = scope.get("client")
        address = _read(client[0]) if client else None
        while address is not None and hops and any(address in each for each in self._proxies):
            address = _read(hops.pop().strip())
        return address


def _read(text: str) -> Address | None:
    """An IPv4 address stays one when it comes over IPv6."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
