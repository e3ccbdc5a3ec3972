"""Vonage does what an NCCO of its own says, and refuses the rest with a reason."""

import json
from typing import Any

import pytest

from relay.dev.carrier_document import DocumentError, Say, Stream
from relay.dev.carriers.vonage_document import verbs_of_ncco
from tests.dev.carriers.sessions import exchange

EXAMPLE = exchange("vonage", "answer_webhook")["response"]["body"]
ENDPOINT = EXAMPLE[0]["endpoint"][0]


def verbs(ncco: object) -> tuple[Any, ...]:
    return verbs_of_ncco(json.dumps(ncco), token=lambda: "made")


def connect(**changes: object) -> dict[str, Any]:
    return {"action": "connect", "endpoint": [ENDPOINT | changes]}


def test_vonages_own_example_is_read() -> None:
    (found,) = verbs(EXAMPLE)
    assert isinstance(found, Stream)
    assert (found.url, found.encoding, found.rate_hz) == (ENDPOINT["uri"], "l16le", 16000)
    assert found.parameters == ENDPOINT["headers"]
    assert found.options == {"eventUrl": EXAMPLE[0]["eventUrl"][0]}


def test_a_text_is_spoken_first_and_nothing_is_an_end() -> None:
    said, _ = verbs([{"action": "talk", "text": "One moment."}, connect()])
    assert said == Say("One moment.")
    assert verbs([]) == ()


@pytest.mark.parametrize(
    ("authorization", "header"),
    [({"type": "vonage"}, "Bearer made"), ({"type": "custom", "value": "Bearer own"}, "Bearer own"), (None, None)],
)
def test_the_upgrade_is_authorised_as_the_endpoint_says(authorization: object, header: str | None) -> None:
    (found,) = verbs([connect(authorization=authorization)])
    assert found.headers.get("Authorization") == header


@pytest.mark.parametrize(
    ("ncco", "complaint"),
    [
        ({}, "expected a list of actions"),
        ([1], "expected a list of actions"),
        ([{"action": "record"}], "expected talk or connect, got 'record'"),
        ([connect(), {"action": "talk", "text": "a"}], "expected to be the last action, got 1 behind it"),
        ([{"action": "talk"}], "talk: expected a text"),
        ([{"action": "talk", "text": "a", "colour": 1}], r"talk: expected .* got \['colour'\]"),
        ([{"action": "connect", "endpoint": []}], "expected one endpoint"),
        ([connect(type="phone")], "endpoint type: expected websocket"),
        ([connect(**{"content-type": "audio/l16;rate=44100"})], "endpoint content-type: expected one of"),
        ([connect(uri="https://a")], "endpoint uri: expected wss://"),
        ([connect(headers={"a": 512 * "b"})], "at most 512 bytes"),
        ([connect(authorization={"type": "basic"})], "endpoint authorization"),
    ],
)
def test_what_vonage_cannot_do_is_refused_with_a_reason(ncco: object, complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        verbs(ncco)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(DocumentError, match="expected JSON"):
        verbs_of_ncco("<Response/>", token=str)
