"""From which addresses a carrier is listened to, and whose word counts for where a request comes from (T6)."""

import pytest
import structlog

from relay.app.peers import Peers
from tests.app.served import settings_with

THEIRS, OURS = "203.0.113.0/24", "10.0.0.0/8"


def let_in(client: str | None, *forwarded: str, proxies: tuple[str, ...] = (OURS,), carrier: str = "exotel") -> bool:
    headers = [(b"x-forwarded-for", each.encode("latin-1")) for each in forwarded]
    scope = {"type": "http", "client": client and (client, 1234), "headers": [(b"host", b"a"), *headers]}
    return Peers(proxies, {"exotel": [THEIRS, "2001:db8::/32"], "telnyx": []}).lets_in(carrier, scope)


@pytest.mark.parametrize("client", ["203.0.113.0", "203.0.113.255", "2001:db8::1", "::ffff:203.0.113.7"])
def test_t6_an_address_of_the_list_is_let_in(client: str) -> None:
    assert let_in(client)
    assert let_in(client, "192.0.2.1", proxies=()), "what it says of others does not matter"


@pytest.mark.parametrize("client", [None, "", "203.0.112.255", "2001:db9::1", "::ffff:192.0.2.1", "testclient"])
def test_t6_an_address_outside_the_list_is_refused(client: str | None) -> None:
    assert not let_in(client)
    assert not let_in(client, "203.0.113.7"), "whoever it is may say so"


@pytest.mark.parametrize("carrier", ["telnyx", "twilio"])
def test_without_a_list_every_address_is_let_in(carrier: str) -> None:
    assert let_in("192.0.2.1", carrier=carrier)
    assert let_in(None, carrier=carrier)


@pytest.mark.parametrize(
    ("forwarded", "is_let_in"),
    [
        (("203.0.113.7",), True),
        (("192.0.2.1, 203.0.113.7",), True),
        (("192.0.2.1", "203.0.113.7"), True),
        (("203.0.113.7, 10.0.0.2",), True),
        (("203.0.113.7, 10.0.0.2,10.0.0.3",), True),
        ((), False),
        (("",), False),
        (("192.0.2.1",), False),
        (("203.0.113.7, 192.0.2.1",), False),
        (("203.0.113.7", "192.0.2.1"), False),
        (("203.0.113.7, 192.0.2.1, 10.0.0.2",), False),
        (("203.0.113.7,",), False),
        (("203.0.113.7, unknown",), False),
        (("203.0.113.7:443",), True),
        (("192.0.2.1, 203.0.113.7:4431",), True),
        (("[2001:db8::1]:443",), True),
        (("[2001:db8::1]",), True),
        (("2001:db8::1",), True),
        (("203.0.113.7, 10.0.0.2:443",), True),
        (("203.0.113.7, 192.0.2.1:443",), False),
        (("203.0.113.7:", "203.0.113.7:123456"), False),
        (("203.0.113.7:443:443",), False),
        (("[203.0.113.7",), False),
        (("[]:443",), False),
        (("10.0.0.2",), False),
        (("\xe9",), False),
    ],
)
def test_t6_behind_our_own_proxy_the_last_address_that_is_not_ours_counts(
    forwarded: tuple[str, ...],
    is_let_in: bool,  # noqa: FBT001  # a table
) -> None:
    assert let_in("10.0.0.1", *forwarded) is is_let_in
    assert not let_in("10.0.0.1", *forwarded, proxies=()), "no proxy is ours unless it is named"


def test_the_settings_say_which_they_are() -> None:
    settings = settings_with(exotel_callback_networks=["203.0.113.0/24", "192.0.2.9"], trusted_proxies=["127.0.0.1"])
    scope = {"type": "http", "client": ("127.0.0.1", 1), "headers": [(b"x-forwarded-for", b"192.0.2.9")]}
    assert Peers.of(settings).lets_in("exotel", scope)
    assert not Peers.of(settings).lets_in("exotel", scope | {"headers": []})
    assert Peers.of(settings_with()).lets_in("exotel", scope | {"headers": []})


def test_networks_of_ipv4_that_are_written_in_ipv6_are_those() -> None:
    peers = Peers.of(settings_with(exotel_callback_networks=["::ffff:203.0.113.0/120"], trusted_proxies=["::1"]))
    for client, is_let_in in {"203.0.113.7": True, "::ffff:203.0.113.7": True, "192.0.2.1": False}.items():
        assert peers.lets_in("exotel", {"client": (client, 1), "headers": []}) is is_let_in


@pytest.mark.parametrize(
    ("client", "forwarded", "named"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("10.0.0.1", b"203.0.113.7, 192.0.2.1:443", "192.0.2.1"),
        ("10.0.0.1", b"secret", "one that cannot be read"),
        ("10.0.0.1", b"fe80::1%secret", "fe80::1"),
        (
            "192.0.2.1",
            b"secret",
            "192.0.2.1, whose X-Forwarded-For is not believed, as it is not of trusted_proxies",
        ),
    ],
)
def test_who_is_refused_is_named_and_nothing_else_that_they_said(
    client: str, forwarded: bytes | None, named: str
) -> None:
    headers = [(b"x-forwarded-for", forwarded)] if forwarded is not None else []
    assert Peers([OURS], {"exotel": [THEIRS]}).named({"client": (client, 1), "headers": headers}) == named


def test_networks_without_a_proxy_are_told_of_at_the_start() -> None:
    def told(**settings: object) -> list[tuple[str, str]]:
        with structlog.testing.capture_logs() as logs:
            Peers.of(settings_with(**settings))
        return [(log["event"], log["provider"]) for log in logs]

    networks = ["203.0.113.0/24"]
    assert told(exotel_callback_networks=networks) == [("proxies_not_named", "exotel")]
    assert told(exotel_callback_networks=networks, trusted_proxies=["127.0.0.1"]) == told() == []
