"""What carriers with JSON and base64 have in common: what they may say oddly, what is refused, what is sent."""

from types import ModuleType

import pytest

from relay.conformance import Case
from relay.conformance.mutations import compact
from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.providers.base import Event
from tests.providers import exotel_cases, plivo_cases, signalwire_cases, telnyx_cases

MODULES = [exotel_cases, plivo_cases, signalwire_cases, telnyx_cases]
USUAL: dict[ModuleType, Case] = {module: module.CASES[0] for module in MODULES}


def each(name: str) -> list[object]:
    return [
        pytest.param(USUAL[module], *found, id=f"{module.CASES[0]} {what}")
        for module in MODULES
        for what, found in getattr(module, name).items()
    ]


@pytest.mark.parametrize(("case", "message", "events"), each("STARTS_TAKEN"))
def test_a_start_is_taken_however_it_is_written(case: Case, message: bytes, events: list[Event]) -> None:
    assert case.new_adapter().parse(message) == events


@pytest.mark.parametrize(("case", "message", "events"), each("MESSAGES_TAKEN"))
def test_a_message_is_taken_however_it_is_written(case: Case, message: bytes, events: list[Event]) -> None:
    assert case.opened().parse(message) == events


@pytest.mark.parametrize(("case", "message", "text"), each("STARTS_REFUSED"))
def test_a_start_that_is_refused_says_why_and_another_may_follow(case: Case, message: bytes, text: str) -> None:
    adapter = case.new_adapter()
    with pytest.raises(RemoteProtocolError) as caught:
        adapter.parse(message)
    assert str(caught.value).startswith(text)
    assert "t0k3n" not in str(caught.value)
    assert [adapter.parse(each.data) for each in case.received] == case.said


@pytest.mark.parametrize("case", USUAL.values(), ids=str)
def test_what_is_of_another_stream_is_refused(case: Case) -> None:
    key = {"plivo": "streamId", "telnyx": "stream_id", "exotel": "stream_sid"}.get(case.new_adapter().name, "streamSid")
    for event in ("stop", "dtmf"):
        with pytest.raises(RemoteProtocolError, match=f"{key}: expected '[^']+', got 'another'$"):
            case.opened().parse(compact({"event": event, key: "another"}))


@pytest.mark.parametrize("case", USUAL.values(), ids=str)
def test_a_hostile_stream_id_stays_a_string(case: Case) -> None:
    hostile = 'S","event":"stop","x":"\x01'
    [usual] = {event.stream_id for event in case.events() if hasattr(event, "stream_id")}
    adapter = case.new_adapter()
    for message in case.received:
        adapter.parse(message.with_text(usual, hostile).data)
        if adapter.media_in is not None:
            break
    silence = bytes(adapter.frame_rule.min_bytes)
    for sent in (adapter.encode_mark("m1"), *adapter.encode_clear(), adapter.encode_audio(silence)):
        assert b'"stop"' not in sent


@pytest.mark.parametrize("case", USUAL.values(), ids=str)
def test_a_binary_message_is_refused_until_the_end(case: Case) -> None:
    with pytest.raises(RemoteProtocolError, match=r"message: expected text, got 3 bytes of binary$"):
        case.opened().payload_of(b"abc")
    assert case.closed().payload_of(b"abc") == b""


@pytest.mark.parametrize("case", USUAL.values(), ids=str)
def test_what_is_sent_after_the_end_is_refused(case: Case) -> None:
    with pytest.raises(LocalProtocolError, match=r"stream: expected an open one, got one that is over$"):
        case.closed().encode_clear()
