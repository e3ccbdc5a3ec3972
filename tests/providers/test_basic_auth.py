"""Basic authentication: RFC 7617's own examples, and what is not let in."""

import pytest

from relay.providers.basic_auth import authorization, is_authorized


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
    assert is_authorized(header.replace("Basic ", "basic  "), user, password)


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
