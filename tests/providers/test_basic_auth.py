"""Basic authentication: RFC 7617's own examples, credentials of a stream, and what is not let in."""

import random
import re
from pathlib import Path

import pytest

import relay.providers
from relay.conformance.mutations import with_a_byte_changed
from relay.providers.basic_auth import BasicCredentials, authorization, is_authorized
from relay.providers.control import Webhook

MUTATIONS = 1000


@pytest.mark.parametrize(
    ("user", "password", "header"),
    [
        ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("test", "123\u00a3", "Basic dGVzdDoxMjPCow=="),
        ("relay", "s3cret", "Basic cmVsYXk6czNjcmV0"),
    ],
)
def test_the_examples_of_the_rfc_are_made_and_let_in(user: str, password: str, header: str) -> None:
    assert authorization(user, password) == header
    assert is_authorized(header, user, password)
    assert is_authorized(header.replace("Basic ", "basic "), user, password)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "cmVsYXk6czNjcmV0",
        "Bearer cmVsYXk6czNjcmV0",
        "Basic cmVsYXk6czNjcmV1",
        "Basic cmVsYXk6czNjcmV0=",
        "Basic cmVsYXk6czNjcmV0,Basic cmVsYXk6czNjcmV0",
        "Basic \u00e9",
    ],
)
def test_nothing_else_is_let_in(header: str) -> None:
    assert not is_authorized(header, "relay", "s3cret")


@pytest.mark.parametrize("password", ["s3cret", BasicCredentials("relay").password], ids=["given", "made"])
def test_t3_a_thousand_changed_bytes_are_not_let_in(password: str) -> None:
    """But for the case of the scheme's name, which says nothing."""
    choose, true = random.Random(password[:1]), authorization("relay", password)
    forged = {with_a_byte_changed(true.encode(), choose).decode("latin-1") for _ in range(MUTATIONS)}
    others = [each for each in forged if each[:6].lower() != "basic " or each[6:] != true[6:]]
    assert len(others) > 0.9 * len(forged)
    assert [each for each in others if is_authorized(each, "relay", password)] == []


def shown(authorization: str) -> Webhook:
    return Webhook("GET", "wss://relay.example.com/", {"authorization": authorization})


def test_the_credentials_of_rfc_7617_are_known() -> None:
    credentials = BasicCredentials("Aladdin", "open sesame")
    assert credentials.are_in(shown("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))
    assert not credentials.are_in(shown("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ"))


def test_without_a_header_they_are_not_there() -> None:
    assert not BasicCredentials("relay", "").are_in(Webhook("GET", "wss://relay.example.com/", {}))


def test_they_stand_before_the_host_of_a_url() -> None:
    assert BasicCredentials("relay", "x_-1").in_url("wss://a.example/b?c=://d") == "wss://relay:x_-1@a.example/b?c=://d"


@pytest.mark.parametrize("number", range(3))
def test_a_password_that_is_made_can_stand_in_a_url(number: int) -> None:
    password = BasicCredentials("relay").password
    assert len(password) == 43
    assert password.replace("-", "").replace("_", "").isalnum()
    assert password != BasicCredentials("relay").password


def test_no_repr_shows_the_password() -> None:
    assert "s3cret" not in repr(BasicCredentials("relay", "s3cret"))


def test_nobody_else_makes_the_header() -> None:
    """There is one right way, and one place to mend it."""
    [package] = map(Path, relay.providers.__path__)
    makers = {path.name for path in package.glob("*.py") if re.search('Basic ["{]', path.read_text())}
    assert makers == {"basic_auth.py"}
