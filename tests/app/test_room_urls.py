"""Which rooms a request may name (T9): only those that are meant, however the URL is written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.app.room_urls import RoomAddress, RoomKind, RoomPolicy
from relay.errors import RoomRefused

POLICY = RoomPolicy(["mycompany", "my-other"], "http://127.0.0.1:8090")

TRICKY = [
    "https://other.daily.co/blue",
    "http://mycompany.daily.co/blue",
    "https://mycompany.daily.co/",
    "https://mycompany.daily.co/blue/",
    "https://mycompany.daily.co/blue?t=token",
    "https://mycompany.daily.co/blue#fragment",
    "https://mycompany.daily.co:443/blue",
    "https://mycompany.daily.co:8443/blue",
    "https://mycompany.daily.co@169.254.169.254/blue",
    "https://user@mycompany.daily.co/blue",
    "https://169.254.169.254/mycompany.daily.co/blue",
    "https://MYCOMPANY.daily.co/blue",
    "HTTPS://mycompany.daily.co/blue",
    "https://mycompany.daily.co.evil.example/blue",
    "https://evil.example/?https://mycompany.daily.co/blue",
    "https://evil.example#.mycompany.daily.co/blue",
    "https://evil.example\\@mycompany.daily.co/blue",
    "https://evil.example\\.mycompany.daily.co/blue",
    "https://mycompany\N{FULLWIDTH FULL STOP}daily.co/blue",
    "https://mycompany\N{IDEOGRAPHIC FULL STOP}daily\N{IDEOGRAPHIC FULL STOP}co/blue",
    "https://mycompany.daily.co./blue",
    "https://mycompanyxdaily.co/blue",
    "https://a.mycompany.daily.co/blue",
    "https://mycompany.daily.co/blue\n",
    "\nhttps://mycompany.daily.co/blue",
    " https://mycompany.daily.co/blue",
    "https://mycompany.daily.co/../blue",
    "https://mycompany.daily.co/blue/../red",
    "https://mycompany.daily.co/blue%2F..%2Fred",
    "https://mycompany.daily.co//blue",
    "https://mycompany.daily.co/bl\N{LATIN SMALL LETTER U WITH DIAERESIS}e",
    f"https://mycompany.daily.co/{'x' * 129}",
    "//mycompany.daily.co/blue",
    "wss://mycompany.daily.co/blue",
    "file:///etc/passwd",
    "",
    "http://127.0.0.1:80901/rooms/blue",
    "http://127.0.0.1/rooms/blue",
    "http://127.0.0.1:8090@evil.example/rooms/blue",
    "http://127.0.0.1:8090.evil.example/rooms/blue",
    "http://127.0.0.2:8090/rooms/blue",
    "http://localhost:8090/rooms/blue",
    "https://127.0.0.1:8090/rooms/blue",
    "http://127.0.0.1:8090/rooms/blue\n",
    "http://127.0.0.1:8090/rooms/../x",
    "http://127.0.0.1:8090/rooms/",
    "http://127.0.0.1:8090/rooms/blue?name=x",
    f"http://127.0.0.1:8090/rooms/{'x' * 65}",
    "http://127.0.0.1:8090/other/blue",
]


def test_a_daily_room_of_an_allowed_domain_passes() -> None:
    url = "https://mycompany.daily.co/Blue_room-5"
    assert POLICY.check(url) == RoomAddress(RoomKind.DAILY, url, "mycompany", "Blue_room-5")
    assert POLICY.check("https://my-other.daily.co/x").domain == "my-other"


def test_a_local_room_of_the_allowed_server_passes() -> None:
    url = "http://127.0.0.1:8090/rooms/blue"
    assert POLICY.check(url) == RoomAddress(RoomKind.LOCAL, url, "", "blue")


@pytest.mark.parametrize("url", TRICKY, ids=ascii)
def test_a_tricky_url_is_refused(url: str) -> None:
    with pytest.raises(RoomRefused):
        POLICY.check(url)


def test_local_rooms_are_off_unless_switched_on() -> None:
    with pytest.raises(RoomRefused, match=re.escape("expected https://mycompany.daily.co/NAME, got another URL")):
        RoomPolicy(["mycompany"]).check("http://127.0.0.1:8090/rooms/blue")


def test_without_any_room_nothing_passes() -> None:
    with pytest.raises(RoomRefused, match="expected no room at all"):
        RoomPolicy([]).check("https://mycompany.daily.co/blue")


def test_a_refusal_says_which_rooms_there_are_and_nothing_of_the_url() -> None:
    with pytest.raises(RoomRefused) as caught:
        POLICY.check("https://mycompany.daily.co/blue?t=canary")
    assert str(caught.value) == (
        "expected https://my-other.daily.co/NAME or https://mycompany.daily.co/NAME "
        "or http://127.0.0.1:8090/rooms/NAME, got another URL"
    )


ATOMS = [
    "https://",
    "http://",
    "mycompany",
    ".daily.co",
    "/blue",
    "/rooms",
    "127.0.0.1",
    ":8090",
    "@",
    "#",
    "?",
    "\\",
    ".",
    "%2e",
    "\n",
]


@given(st.lists(st.one_of(st.sampled_from(ATOMS), st.text(max_size=3)), max_size=8).map("".join))
def test_whatever_passes_names_an_allowed_host_and_a_plain_room(url: str) -> None:
    """Said in another way than the code does: the URL is put together again from what was taken out of it."""
    try:
        room = POLICY.check(url)
    except RoomRefused:
        return
    assert room.name.replace("-", "").replace("_", "").isalnum()
    assert room.name.isascii()
    assert url in (f"https://mycompany.daily.co/{room.name}", f"http://127.0.0.1:8090/rooms/{room.name}")
