"""Vonage's documents: one connect, which names the phone, after what is said."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import LocalProtocolError
from relay.providers.vonage_control import SAY_MAX_BYTES
from tests.providers.vonage_requests import CALL_ID, EXCHANGES, MEDIA_URL, STREAM_TOKEN, control


def actions(**options: Any) -> Any:
    document = control().stream_document(MEDIA_URL, **{"then_url": None, "call_id": CALL_ID, **options})
    assert document.content_type == "application/json"
    return json.loads(document.body)


def test_the_stream_document_is_the_recorded_one() -> None:
    """But for what relay has no use for; what Vonage says at the upgrade comes with it."""
    [recorded] = EXCHANGES["answer_webhook"]["response"]["body"]
    [endpoint] = recorded["endpoint"]
    expected = {
        **endpoint,
        "headers": {"call_uuid": endpoint["headers"]["call_uuid"]},
        "authorization": {"type": "custom", "value": f"Bearer {STREAM_TOKEN}"},
    }
    assert actions() == [{"action": "connect", "endpoint": [expected]}]


def test_what_a_stream_starts_with_names_the_phone() -> None:
    """Vonage puts the headers of the document into the first message."""
    [connect] = actions()
    [endpoint] = connect["endpoint"]
    first = {"event": "websocket:connected", "content-type": endpoint["content-type"], **endpoint["headers"]}
    [started] = control().media_adapter().parse(json.dumps(first))
    assert getattr(started, "call_id", None) == CALL_ID


def test_a_connect_is_the_last_action() -> None:
    """What follows would run at once."""
    said = actions(then_url="https://relay.example.com/answer/1", say="A caller wants a refund: Zoë 東京 & more")
    assert [action["action"] for action in said] == ["talk", "connect"]
    assert said[0]["text"] == "A caller wants a refund: Zoë 東京 & more"


@pytest.mark.parametrize("say", [None, "", " \n", "\x00"])
def test_nothing_to_say_is_not_said(say: str | None) -> None:
    assert [action["action"] for action in actions(say=say)] == ["connect"]


@given(st.text())
def test_t20_any_text_is_said_as_text(say: str) -> None:
    said = [action["text"] for action in actions(say=say) if action["action"] == "talk"]
    assert all(len(text.encode()) <= SAY_MAX_BYTES and not {"<", ">"} & set(text) for text in said)


@pytest.mark.parametrize("char", ["a", "é", "東", "😀"])
def test_a_long_text_is_cut_between_characters(char: str) -> None:
    [talk, _] = actions(say=char * 5000)
    assert talk["text"] == char * (SAY_MAX_BYTES // len(char.encode()))


@pytest.mark.parametrize("call_id", ["", "a b c d e f", CALL_ID + "\n"])
def test_a_stream_that_would_name_no_call_is_refused(call_id: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"^vonage call_id: expected "):
        actions(call_id=call_id)


def test_t21_a_media_url_is_one() -> None:
    with pytest.raises(LocalProtocolError, match=r"^vonage media_url: expected a wss or ws URL"):
        control().stream_document("https://relay.example.com/", then_url=None, call_id=CALL_ID)


def test_the_hang_up_document_leaves_nothing_to_do() -> None:
    assert control().hang_up_document().body == b"[]"
