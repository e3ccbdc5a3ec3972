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

from relay.providers.upgrade_verdict import UpgradeVerdict
from tests.providers.exotel_requests import (
    API_TOKEN,
    CALLBACKS,
    STATUS_URL,
    VECTORS,
    call_order,
    control,
    sent_fields,
    status_url,
    upgrade,
)

ANOTHER = "another"


# --- The vectors: what Exotel makes of credentials in a URL ---


def test_t6_credentials_in_a_url_come_as_the_recorded_header() -> None:
    vector = VECTORS["ws_basic_auth_from_url_userinfo"]
    credentials, host = vector["configured_url"].removeprefix("wss://").split("@")
    assert f"wss://{host}" == vector["expect_request_url"]
    user, password = credentials.split(":")
    ours = control(stream_password=password)
    header = vector["expect_header"]["Authorization"].replace("relayuser", user)
    assert header == "Basic " + base64.b64encode(credentials.encode()).decode()
    assert not ours.verify_upgrade(upgrade(header))  # another name than ours, with the same password
    assert ours.verify_upgrade(upgrade("Basic " + base64.b64encode(f"relay:{password}".encode()).decode()))


def test_the_recorded_header_of_rest_is_sent() -> None:
    vector = VECTORS["rest_basic_auth"]
    account = control(api_key=vector["api_key"], api_token=vector["api_token"])
    assert account.dial(call_order()).headers["Authorization"] == vector["expect_header"]["Authorization"]


# --- Upgrades ---


def test_t6_the_credentials_of_the_streams_url_open_it() -> None:
    url = dict(sent_fields())["StreamUrl"]
    credentials = url.removeprefix("wss://").partition("@")[0]
    header = base64.b64encode(credentials.encode()).decode()
    for scheme in ("Basic", "basic", "BASIC"):  # RFC 7235, 2.1
        assert control().verify_upgrade(upgrade(f"{scheme} {header}"))


@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", " ", "Basic", "Basic ", "cmVsYXk6czNjcmV0", "Bearer cmVsYXk6czNjcmV0", "Basic cmVsYXk6czNjcmV0 "),
        *("Basic  cmVsYXk6czNjcmV0", "Basic cmVsYXk6czNjcmV1", "Basic cmVsYXk6czNjcmV0,Basic cmVsYXk6czNjcmV0"),
        *("Basic relay:s3cret", "Basic é", "Basic \ud800", "Basic " + "A" * 100_000, "Digest cmVsYXk6czNjcmV0"),
        "Basic " + base64.b64encode(b"relay:").decode(),
        "Basic " + base64.b64encode(b":s3cret").decode(),
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


def test_t6_the_credentials_of_another_process_open_nothing() -> None:
    url = dict(sent_fields(control(stream_password=None)))["StreamUrl"]
    header = base64.b64encode(url.removeprefix("wss://").partition("@")[0].encode()).decode()
    assert not control(stream_password=None).verify_upgrade(upgrade(f"Basic {header}"))


# --- Callbacks ---


def test_t6_the_proof_is_an_hmac_of_the_url_by_the_accounts_token() -> None:
    made = base64.urlsafe_b64encode(hmac.digest(API_TOKEN.encode(), STATUS_URL.encode(), "sha256"))
    assert status_url() == f"{STATUS_URL}/{made.decode().rstrip('=')}"
    assert len(status_url()) == len(STATUS_URL) + 1 + 43


@pytest.mark.parametrize("kind", CALLBACKS)
def test_t6_what_comes_to_the_url_that_exotel_was_given_is_believed(kind: str) -> None:
    assert control().verify(CALLBACKS[kind])


def test_t6_the_proof_is_the_same_after_a_restart() -> None:
    """Unlike the password of streams: a call that outlives its process still says how it ended."""
    assert control(stream_password=None).verify(CALLBACKS["json"])


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
