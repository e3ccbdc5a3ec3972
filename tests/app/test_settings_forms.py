"""Each form of value: what it takes, what it makes of it, what it says of the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.app.settings_forms import (
    ListenAddress,
    host_of,
    is_loopback,
    length_of,
    number,
    or_list,
    read_bool,
    read_list,
    read_listen,
    read_network,
    read_redis_url,
    read_url,
    shown,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("0.0.0.0:0", "0.0.0.0", 0),  # noqa: S104 - read, not bound
        ("[::1]:8080", "::1", 8080),
        ("[0:0::1]:8080", "::1", 8080),
        ("LOCALHOST:65535", "localhost", 65535),
    ],
)
def test_a_listen_address_is_read(text: str, host: str, port: int) -> None:
    assert read_listen(text) == ListenAddress(host, port)
    assert read_listen(str(read_listen(text))) == ListenAddress(host, port)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        (" 192.0.2.7 ", "192.0.2.7/32"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("0.0.0.0/1", "0.0.0.0/1"),
        ("::ffff:198.51.100.0/120", "198.51.100.0/24"),
        ("::ffff:198.51.100.7", "198.51.100.7/32"),
    ],
)
def test_a_network_is_read(text: str, network: str) -> None:
    assert read_network(text) == network


@pytest.mark.parametrize("value", ["", "192.0.2.7/24", "192.0.2.0/33", "exotel.com", "192.0.2", "*", 3221225985, None])
def test_what_is_no_network_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_network(value)


@pytest.mark.parametrize("value", ["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96"])
def test_t6_all_addresses_are_no_network_as_then_anybody_says_who_they_are(value: str) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        read_network(value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_only_what_is_surely_this_machine_is_loopback(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected
    assert ListenAddress(host, 0).is_loopback is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://relay.example.com", "https://relay.example.com"),
        ("https://Relay.Example.com/", "https://relay.example.com"),
        ("https://relay.example.com:8443/a/B-c", "https://relay.example.com:8443/a/B-c"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://[::1]:08080", "http://[::1]:8080"),
    ],
)
def test_a_url_is_read_without_its_last_slash(text: str, expected: str) -> None:
    assert read_url(text, path=True) == expected


@pytest.mark.parametrize(
    "text",
    [
        "http://relay.example.com",
        "ftp://relay.example.com",
        "https://",
        "https://user:password@relay.example.com",
        "https://relay.example.com?a=b",
        "https://relay.example.com#a",
        "https://relay.example.com/../a",
        "https://relay.example.com//a",
        "https://relay.example.com:0",
        "https://relay.example.com:65536",
        "https://relay.example.com\n",
        "https://relay.exa mple.com",
        "https://[1.2.3.4]",
        "https://1.2.3",
        "https://\N{FULLWIDTH LATIN SMALL LETTER A}.example.com",
        None,
        8080,
    ],
)
def test_what_is_no_plain_url_is_refused(text: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the form says the rest
        read_url(text, path=True)


@given(st.text())
def test_a_url_read_once_reads_the_same_again(text: str) -> None:
    """And no text makes anything fail in another way."""
    try:
        url = read_url(f"https://{text}", path=True)
    except ValueError:
        return
    assert read_url(url, path=True) == url
    assert host_of(url)


def test_the_host_of_no_url_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected a URL, got 'x'"):
        host_of("x")


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "rediss://user:pass@redis.example.com",
        "unix:///run/redis.sock?db=1",
        "redis://[::1]",
    ],
)
def test_a_redis_url_is_kept_as_it_is(url: str) -> None:
    assert read_redis_url(url) == url


@pytest.mark.parametrize("url", ["redis://", "redis://:6379", "unix://", "redis://[", "redis://a:70000", "http://a", 5])
def test_another_url_is_no_redis_url(url: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_redis_url(url)


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), ("TRUE", True), ("on", True), ("0", False), ("no", False), (False, False)]
)
def test_a_boolean_has_several_words(value: object, *, expected: bool) -> None:
    assert read_bool(value) is expected


@pytest.mark.parametrize("value", ["", "maybe", 1, 0.0, None])
def test_what_may_be_a_mistake_is_no_boolean(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_bool(value)


def test_a_list_is_that_of_toml_or_a_text_with_commas() -> None:
    assert read_list("a, b,c") == ["a", "b", "c"]
    assert read_list(["a"]) == ["a"]
    assert read_list([]) == []


@pytest.mark.parametrize("value", ["", " ", 5, None, {}])
def test_an_empty_text_is_no_list(value: object) -> None:
    """A variable that was to be filled and was not must not switch something off."""
    with pytest.raises(ValueError):  # noqa: PT011
        read_list(value)


@pytest.mark.parametrize(("value", "expected"), [("5", 5), (5, 5), (5.0, 5), ("20", 20)])
def test_a_whole_number_may_be_a_text(value: object, expected: int) -> None:
    read = number(5, 20, whole=True).read(value)
    assert read == expected
    assert type(read) is int


@pytest.mark.parametrize("value", ["", "4", "21", "5.5", 5.5, True, None, "nan", "inf", float("nan"), [5]])
def test_another_is_not_taken(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        number(5, 20, whole=True).read(value)


def test_a_number_says_its_bounds_and_unit() -> None:
    assert number(0.1, 86_400, "seconds").expected == "a number of seconds from 0.1 to 86,400"
    assert number(1, 5, whole=True).expected == "a whole number from 1 to 5"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", "nothing"),
        ("x\n", r"'x\n'"),
        (8080, "8080"),
        (False, "False"),
        ("+14155550123", "'+*********23'"),
        ("https://user:password@host", "'***@host'"),
        ("a" * 100, "'" + "a" * 56 + "..."),
        ({"a": "secret"}, "a table"),
        (["secret"], "a list of 1"),
        (None, "a NoneType"),
    ],
)
def test_a_wrong_value_is_shown_without_what_may_be_secret_in_it(value: object, expected: str) -> None:
    assert shown(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("s", "a text of 1 character"),
        ("secret", "a text of 6 characters"),
        ("", "nothing"),
        (1234, "a number"),
        (True, "a boolean"),
        ([1, 2], "a list of 2"),
    ],
)
def test_of_a_secret_only_its_length_is_told(value: object, expected: str) -> None:
    assert length_of(value) == expected


def test_words_are_listed_as_one_says_them() -> None:
    assert or_list("a") == "a"
    assert or_list("abc") == "a, b or c"
