"""The URLs that carriers are given: all below the public URL, and nothing of a request in them."""

from __future__ import annotations

import pytest

from relay.app.carrier_urls import CarrierUrls, MediaPlace

TRANSFER = "tr_" + "0" * 32
TOKEN = "aB3_-" * 8 + "xyz"


def all_of(urls: CarrierUrls) -> list[str]:
    return [
        urls.answer("twilio", TRANSFER, 0),
        urls.status("twilio", TRANSFER),
        urls.detection("twilio", TRANSFER),
        urls.media("twilio", TRANSFER, "token"),
    ]


def test_each_url_is_a_place_of_its_own_below_the_public_one() -> None:
    place = f"relay.example.com/carriers/twilio/{TRANSFER}"
    assert all_of(CarrierUrls("https://relay.example.com")) == [
        f"https://{place}/answer/0",
        f"https://{place}/status",
        f"https://{place}/detection",
        f"wss://{place}/media/token",
    ]


@pytest.mark.parametrize(
    ("public_url", "http", "websocket", "path"),
    [
        ("https://relay.example.com", "https://relay.example.com/", "wss://relay.example.com/", ""),
        ("https://relay.example.com/", "https://relay.example.com/", "wss://relay.example.com/", ""),
        ("https://example.com:8443/a/b", "https://example.com:8443/a/b/", "wss://example.com:8443/a/b/", "/a/b"),
        ("https://example.com/a/", "https://example.com/a/", "wss://example.com/a/", "/a"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", "ws://127.0.0.1:8080/", ""),
        ("http://[::1]:8080", "http://[::1]:8080/", "ws://[::1]:8080/", ""),
    ],
)
def test_host_port_and_path_are_those_of_the_public_url(public_url: str, http: str, websocket: str, path: str) -> None:
    urls = CarrierUrls(public_url)
    *others, media = all_of(urls)
    assert [each.startswith(f"{http}carriers/") for each in others] == [True] * 3
    assert media.startswith(f"{websocket}carriers/")
    assert urls.path == path


def test_streams_are_counted_in_the_answers_url() -> None:
    urls = CarrierUrls("https://relay.example.com")
    assert [urls.answer("twilio", TRANSFER, stream)[-2:] for stream in range(3)] == ["/0", "/1", "/2"]


@pytest.mark.parametrize("public_url", ["https://relay.example.com", "https://relay.example.com/voice/eu"])
@pytest.mark.parametrize("query", ["", "?sample-rate=16000", "?a"])
def test_the_place_of_a_stream_is_read_back_from_its_url(public_url: str, query: str) -> None:
    urls = CarrierUrls(public_url)
    place = MediaPlace("twilio", TRANSFER, TOKEN, query)
    target = urls.media("twilio", TRANSFER, TOKEN).removeprefix("wss://relay.example.com") + query
    assert urls.media_place(target) == place
    assert urls.media_place(target.removeprefix(urls.path)) == place, "a proxy has taken the path off"
    assert TOKEN not in repr(place)


@pytest.mark.parametrize("order", [f"transfer={TRANSFER}&token={TOKEN}", f"token={TOKEN}&x=y&transfer={TRANSFER}"])
def test_one_url_may_serve_all_calls_of_a_carrier(order: str) -> None:
    urls = CarrierUrls("https://relay.example.com/voice")
    for path in ("/voice", ""):
        assert urls.media_place(f"{path}/carriers/asterisk/media?{order}") == MediaPlace("asterisk", TRANSFER, TOKEN)


@pytest.mark.parametrize(
    "query",
    [
        "",
        f"transfer={TRANSFER}",
        f"token={TOKEN}",
        f"transfer={TRANSFER}&token={TOKEN}x",
        f"transfer={TRANSFER}&token={TOKEN}&token={TOKEN}",
        f"transfer=tr_0&token={TOKEN}",
        f"transfer={TRANSFER}%00&token={TOKEN}",
    ],
)
def test_a_query_that_does_not_name_one_stream_is_no_place(query: str) -> None:
    assert CarrierUrls("https://relay.example.com").media_place(f"/carriers/asterisk/media?{query}") is None
