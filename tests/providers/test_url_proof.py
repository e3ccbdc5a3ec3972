"""Proofs in URLs: a true webhook is good for the URL that its carrier was given for it, and for no other (T3, T4)."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from relay.conformance.mutations import with_a_char_changed
from relay.providers.control import CarrierControl, Webhook
from relay.providers.url_proof import UrlProofs
from tests.providers import exotel_requests, jambonz_requests, telnyx_requests, vonage_requests
from tests.providers.proofs import proof, proven
from tests.providers.twilio_requests import call_order

SECRET: Final = "a secret of the account"  # noqa: S105 - of this test
PUBLIC: Final = "https://relay.example.com/carriers/telco"
ONE, ANOTHER = f"{PUBLIC}/tr_{'1' * 32}", f"{PUBLIC}/tr_{'2' * 32}"
URLS: Final = [f"{each}/{kind}" for each in (ONE, ANOTHER) for kind in ("answer/0", "answer/1", "status", "detection")]
MUTATIONS: Final = 1000


# --- The proof itself ---


@pytest.mark.parametrize("url", [*URLS, f"{ONE}/status?leg=7", "https://relay.example.com/a/b?c=/d", ""])
def test_a_proof_is_an_hmac_of_the_url_in_a_further_segment_of_its_path(url: str) -> None:
    proofs = UrlProofs(SECRET)
    assert proofs.added(url) == proven(url, SECRET)
    assert proofs.proven(proofs.added(url)) == url
    assert len(proofs.added(url)) == len(url) + 1 + 43


def test_a_proof_is_the_same_after_a_restart_and_another_by_another_secret() -> None:
    assert UrlProofs(SECRET).added(URLS[0]) == UrlProofs(SECRET).added(URLS[0])
    assert UrlProofs(SECRET + "2").proven(UrlProofs(SECRET).added(URLS[0])) is None


def test_t3_a_proof_is_good_for_no_other_transfer_kind_or_stream() -> None:
    proofs = UrlProofs(SECRET)
    for url in URLS:
        for other in URLS:
            assert (proofs.proven(f"{other}/{proof(url, SECRET)}") is not None) is (url == other)


def test_t3_a_thousand_changed_bytes_of_the_url_are_refused() -> None:
    proofs, choose = UrlProofs(SECRET), random.Random("url")
    true = proofs.added(URLS[1])
    assert [each for each in (with_a_char_changed(true, choose) for _ in range(MUTATIONS)) if proofs.proven(each)] == []


OTHERS: dict[str, Callable[[str], str]] = {
    "no proof": lambda url: url,
    "an empty proof": lambda url: url + "/",
    "a guessed one": lambda url: url + "/" + "A" * 43,
    "a longer one": lambda url: proven(url, SECRET) + "A",
    "a padded one": lambda url: proven(url, SECRET) + "=",
    "a shorter one": lambda url: proven(url, SECRET)[:-1],
    "one in the other case": lambda url: f"{url}/{proof(url, SECRET).swapcase()}",
    "with a query": lambda url: proven(url, SECRET) + "?a=b",
    "as a query": lambda url: f"{url}?{proof(url, SECRET)}",
    "in a query": lambda url: f"{url}?a=/{proof(url, SECRET)}",
    "with a slash more": lambda url: proven(url, SECRET) + "/",
    "twice": lambda url: f"{proven(url, SECRET)}/{proof(url, SECRET)}",
    "of another host": lambda url: proven(url, SECRET).replace("relay.", "evil."),
    "of another scheme": lambda url: proven(url, SECRET).replace("https:", "http:"),
    "garbage": lambda _: "\ud800",
    "garbage for a proof": lambda url: f"{url}/\ud800é\x00",
    "nothing": lambda _: "",
}


@pytest.mark.parametrize("what", OTHERS)
def test_t3_what_is_no_proof_of_this_url_is_none(what: str) -> None:
    assert UrlProofs(SECRET).proven(OTHERS[what](URLS[0])) is None


# --- Carriers that do not sign the URL ---


def given_to_jambonz() -> dict[str, str]:
    order = call_order(answer_url=URLS[0], status_url=URLS[2], detection_url=URLS[3])
    dial: Any = json.loads(jambonz_requests.control().dial(order).body)
    document = jambonz_requests.control().stream_document("wss://relay.example.com/m", then_url=URLS[1])
    return {
        URLS[0]: dial["call_hook"]["url"],
        URLS[1]: json.loads(document.body)[-1]["actionHook"],
        URLS[2]: dial["call_status_hook"]["url"],
        URLS[3]: dial["amd"]["actionHook"],
    }


def given_to_vonage() -> dict[str, str]:
    dial: Any = json.loads(vonage_requests.control().dial(call_order(answer_url=URLS[0], status_url=URLS[2])).body)
    return {URLS[0]: dial["answer_url"][0], URLS[2]: dial["event_url"][0]}


def given_to_telnyx() -> dict[str, str]:
    order = call_order(status_url=URLS[2], media_url="wss://relay.example.com/m")
    return {URLS[2]: json.loads(telnyx_requests.control().dial(order).body)["webhook_url"]}


def given_to_exotel() -> dict[str, str]:
    return {URLS[2]: dict(exotel_requests.sent_fields(status_url=URLS[2]))["StatusCallback"]}


CARRIERS: dict[str, tuple[CarrierControl, Webhook, str, Callable[[], dict[str, str]]]] = {
    "jambonz": (
        jambonz_requests.control(),
        jambonz_requests.recorded_hook("call_hook"),
        jambonz_requests.SECRET,
        given_to_jambonz,
    ),
    "vonage": (
        vonage_requests.control(),
        vonage_requests.recorded_webhook("answer_webhook"),
        vonage_requests.SECRET,
        given_to_vonage,
    ),
    "telnyx": (
        telnyx_requests.control(),
        telnyx_requests.event("call.answered", url=URLS[2]),
        telnyx_requests.API_KEY,
        given_to_telnyx,
    ),
    "exotel": (
        exotel_requests.control(),
        exotel_requests.CALLBACKS["json"],
        exotel_requests.API_TOKEN,
        given_to_exotel,
    ),
}
"""Each with one true webhook, and the URLs that it is given by what they were before."""


@pytest.mark.parametrize("carrier", CARRIERS)
def test_each_url_that_is_given_away_has_its_proof(carrier: str) -> None:
    _, _, secret, given = CARRIERS[carrier]
    assert given() == {url: proven(url, secret) for url in given()}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_t3_a_true_webhook_is_good_for_the_urls_that_were_given_away_only(carrier: str) -> None:
    control, true, secret, given = CARRIERS[carrier]
    assert control.verify(true)
    for url, given_url in given().items():
        assert control.verify(replace(true, url=given_url))
        for other in {*URLS} - {url}:
            assert not control.verify(replace(true, url=f"{other}/{proof(url, secret)}"))
            assert not control.verify(replace(true, url=other))


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_t3_a_true_webhook_without_the_proof_of_its_url_is_refused(carrier: str, what: str) -> None:
    control, true, _, _ = CARRIERS[carrier]
    for url in URLS:
        assert not control.verify(replace(true, url=OTHERS[what](url)))


@pytest.mark.parametrize("carrier", ["jambonz", "vonage", "telnyx"])
def test_t3_a_proof_is_no_signature(carrier: str) -> None:
    """Who has seen the URL, in a log, can say nothing: the body has to be signed as well."""
    control, true, _, _ = CARRIERS[carrier]
    assert not control.verify(replace(true, headers={"content-type": "application/json"}))
    assert not control.verify(replace(true, body=true.body + b" "))
