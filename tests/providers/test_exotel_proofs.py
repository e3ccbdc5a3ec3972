"""
Exotel signs nothing: what stands for a signature is in the URLs that it is given, and nowhere else (T6).

A thousand changed bytes are in test_control_conformance.py.
"""

import base64
import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from relay.providers.exotel_control import ExotelControl
from relay.providers.upgrade_verdict import UpgradeVerdict
from tests.providers.exotel_requests import (
    API_TOKEN,
    CALLBACKS,
    MEDIA_URL,
    PASSWORD,
    STATUS_URL,
    VECTORS,
    call_order,
    control,
    sent_fields,
    status_url,
    upgrade,
)

ANOTHER = "another"


def header_of(url: str) -> str:
    """What Exotel makes of the credentials in a stream's URL."""
    credentials = url.removeprefix("wss://").partition("@")[0]
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


def given(made: ExotelControl | None = None, **changes: Any) -> str:
    """The stream's URL as Exotel is given it."""
    return dict(sent_fields(made, **changes))["StreamUrl"]


RIGHT = upgrade().headers["authorization"]


# --- The vectors: what Exotel makes of credentials in a URL ---


def test_t6_credentials_in_a_url_come_as_the_recorded_header() -> None:
    vector = VECTORS["ws_basic_auth_from_url_userinfo"]
    assert header_of(vector["configured_url"]) == vector["expect_header"]["Authorization"]
    assert f"wss://{given().partition('@')[2]}" == MEDIA_URL


def test_the_recorded_header_of_rest_is_sent() -> None:
    vector = VECTORS["rest_basic_auth"]
    account = control(api_key=vector["api_key"], api_token=vector["api_token"])
    assert account.dial(call_order()).headers["Authorization"] == vector["expect_header"]["Authorization"]


# --- Upgrades ---


def test_t6_the_credentials_of_the_streams_url_open_it() -> None:
    for scheme in ("Basic", "basic", "BASIC"):  # RFC 7235, 2.1
        assert control().verify_upgrade(upgrade(RIGHT.replace("Basic", scheme)))


def test_t6_the_password_of_a_stream_is_an_hmac_of_its_url_by_the_accounts_token() -> None:
    signed = b"stream " + MEDIA_URL.partition("?")[0].encode()
    made = base64.urlsafe_b64encode(hmac.digest(API_TOKEN.encode(), signed, "sha256"))
    assert made.decode().rstrip("=") == PASSWORD
    assert f"relay:{PASSWORD}@" in given()


@pytest.mark.parametrize("sample_rate_hz", [8000, 16000, 24000])
def test_t6_the_rate_that_is_asked_for_in_the_url_changes_nothing(sample_rate_hz: int) -> None:
    url = given(control(sample_rate_hz=sample_rate_hz))
    for query in ("", url.partition("?")[2]):  # it may come back or not
        plain = f"wss://{url.partition('@')[2].partition('?')[0]}"
        assert control().verify_upgrade(upgrade(header_of(url), f"{plain}?{query}" if query else plain))


def test_t6_the_credentials_of_a_stream_are_good_after_a_restart() -> None:
    """A phone that rings outlives the process that dialled it, and only the end of its stream ends its call."""
    assert control().verify_upgrade(upgrade(header_of(given(control()))))


def test_t6_the_credentials_of_one_stream_open_no_other() -> None:
    other = MEDIA_URL.replace("/media", "/media2")
    assert not control().verify_upgrade(upgrade(url=other))
    assert control().verify_upgrade(upgrade(header_of(given(media_url=other)), other))


def test_t6_the_proof_of_a_callback_opens_no_stream() -> None:
    proof = status_url(control()).rpartition("/")[2]
    header = "Basic " + base64.b64encode(f"relay:{proof}".encode()).decode()
    assert not control().verify_upgrade(upgrade(header, STATUS_URL))


@pytest.mark.parametrize(
    "authorization",
    [
        *(
            None,
            "",
            " ",
            "Basic",
            "Basic ",
            RIGHT.removeprefix("Basic "),
            RIGHT.replace("Basic", "Bearer"),
            RIGHT + " ",
        ),
        *(
            RIGHT.replace(" ", "  "),
            RIGHT[:-1],
            f"{upgrade().headers['authorization']},{upgrade().headers['authorization']}",
            RIGHT.replace("Basic", "Digest"),
        ),
        *(f"Basic relay:{PASSWORD}", "Basic é", "Basic \ud800", "Basic " + "A" * 100_000),
        "Basic " + base64.b64encode(b"relay:").decode(),
        "Basic " + base64.b64encode(f":{PASSWORD}".encode()).decode(),
        "Basic " + base64.b64encode(f"relayuser:{PASSWORD}".encode()).decode(),
        "Basic " + base64.b64encode(b"exo_key:exo_token").decode(),
    ],
)
def test_t6_wrong_or_missing_credentials_open_nothing(authorization: str | None) -> None:
    assert not control().verify_upgrade(upgrade(authorization))


@pytest.mark.parametrize(("authorization", "how"), [(None, "missing"), ("", "wrong"), ("Basic AAAA", "wrong")])
def test_t6_who_shows_no_credentials_is_asked_for_them(authorization: str | None, how: str) -> None:
    verdict = control().judge_upgrade(upgrade(authorization))
    assert verdict == UpgradeVerdict(is_true=False, how=f"credentials {how}", asks_for='Basic realm="relay"')
    assert control().judge_upgrade(upgrade()) == UpgradeVerdict(is_true=True)


def test_t6_the_credentials_of_another_account_open_nothing() -> None:
    assert not control(api_token=ANOTHER).verify_upgrade(upgrade())
    assert not control().verify_upgrade(upgrade(header_of(given(control(api_token=ANOTHER)))))


# --- Callbacks ---


def test_t6_the_proof_is_an_hmac_of_the_url_by_the_accounts_token() -> None:
    made = base64.urlsafe_b64encode(hmac.digest(API_TOKEN.encode(), STATUS_URL.encode(), "sha256"))
    assert status_url() == f"{STATUS_URL}/{made.decode().rstrip('=')}"
    assert len(status_url()) == len(STATUS_URL) + 1 + 43


@pytest.mark.parametrize("kind", CALLBACKS)
def test_t6_what_comes_to_the_url_that_exotel_was_given_is_believed(kind: str) -> None:
    assert control().verify(CALLBACKS[kind])


def test_t6_the_proof_is_the_same_after_a_restart() -> None:
    """A call that outlives its process still says how it ended."""
    assert control().verify(CALLBACKS["json"])


OTHERS: dict[str, Callable[[str], str]] = {
    "no proof": lambda _: STATUS_URL,
    "an empty proof": lambda _: STATUS_URL + "/",
    "a guessed one": lambda _: STATUS_URL + "/" + "A" * 43,
    "a longer one": lambda url: url + "A",
    "a padded one": lambda url: url + "=",
    "a shorter one": lambda url: url[:-1],
    "one in the other case": lambda url: STATUS_URL + url.removeprefix(STATUS_URL).swapcase(),
    "of another transfer": lambda url: url.replace("/exotel/", "/exotel2/"),
    "of another host": lambda url: url.replace("relay.", "evil."),
    "of another scheme": lambda url: url.replace("https:", "http:"),
    "for an answer": lambda url: url.replace("/status/", "/answer/"),
    "with a query": lambda url: url + "?a=b",
    "with a query that ends like it": lambda url: url + "?a=/" + url.rpartition("/")[2],
    "with a slash more": lambda url: url + "/",
    "twice": lambda url: url + "/" + url.rpartition("/")[2],
    "garbage": lambda _: "\ud800",
    "nothing": lambda _: "",
}


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("kind", CALLBACKS)
def test_t6_what_comes_to_any_other_url_is_refused(kind: str, what: str) -> None:
    assert not control().verify(replace(CALLBACKS[kind], url=OTHERS[what](status_url())))


def test_t6_the_proof_of_another_account_is_refused() -> None:
    assert not control().verify(replace(CALLBACKS["json"], url=status_url(control(api_token=ANOTHER))))
    assert not control(api_token=ANOTHER).verify(CALLBACKS["json"])


@pytest.mark.parametrize(
    "header", ["host", "x-forwarded-host", "x-forwarded-proto", "forwarded", "authorization", "x-exotel-signature"]
)
def test_t4_t6_no_header_changes_the_verdict(header: str) -> None:
    for original in CALLBACKS.values():
        headers: dict[str, Any] = {**original.headers, header: "evil.example"}
        assert control().verify(replace(original, headers=headers))
        assert not control().verify(replace(original, url=STATUS_URL, headers=headers))
