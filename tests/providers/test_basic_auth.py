"""Basic credentials of a stream: where they are, and that nothing else is taken for them."""

import pytest

from relay.providers.basic_auth import BasicCredentials
from relay.providers.control import Webhook


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
