"""Twilio: the variations its messages may have, and what is sent to it."""

import orjson
import pytest

from relay.conformance.mutations import compact
from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.media.format import AudioFormat
from relay.providers.base import (
    AudioReceived,
    Event,
    MediaAdapter,
    StreamStarted,
)
from relay.providers.twilio import TwilioAdapter
from tests.providers.twilio_cases import (
    CALL_ID,
    DTMF,
    MARK,
    MEDIA,
    MESSAGES_TAKEN,
    REFUSED,
    SILENCE,
    START,
    STARTED,
    STARTS_TAKEN,
    STREAM_ID,
    with_media,
)


def opened() -> MediaAdapter:
    """Typed as the protocol: that the adapter satisfies it is checked here too."""
    adapter = TwilioAdapter()
    adapter.parse(compact(START))
    return adapter


# --- From Twilio ---


def test_custom_parameters_cannot_be_changed() -> None:
    [event] = TwilioAdapter().parse(compact(START))
    assert isinstance(event, StreamStarted)
    with pytest.raises(TypeError, match="does not support item assignment"):
        event.custom["leg"] = "another"  # type: ignore[index]  # read-only is the promise


@pytest.mark.parametrize("message", STARTS_TAKEN.values(), ids=STARTS_TAKEN.keys())
def test_a_start_is_taken_however_it_is_written(message: bytes) -> None:
    assert TwilioAdapter().parse(message) == STARTED


@pytest.mark.parametrize(("message", "events"), MESSAGES_TAKEN.values(), ids=MESSAGES_TAKEN.keys())
def test_a_message_is_taken_however_it_is_written(message: bytes | str, events: list[Event]) -> None:
    assert opened().parse(message) == events


@pytest.mark.parametrize("parameters", [{}, {"customParameters": None}, {"customParameters": {}}])
def test_a_start_may_have_no_parameters(parameters: dict[str, None]) -> None:
    start = {"streamSid": STREAM_ID, "callSid": CALL_ID, **parameters}
    expected = StreamStarted(STREAM_ID, CALL_ID, AudioFormat("pcmu", 8000))
    assert TwilioAdapter().parse(compact({"event": "start", "start": start})) == [expected]


@pytest.mark.parametrize(("message", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_says_why_and_changes_nothing(message: bytes, text: str) -> None:
    adapter = opened()
    with pytest.raises(RemoteProtocolError) as caught:
        adapter.parse(message)
    assert str(caught.value).startswith(text)
    assert adapter.parse(compact(MEDIA)) == [AudioReceived(SILENCE, 1, 5)]


@pytest.mark.parametrize("event", ["media", "dtmf", "mark", "stop"])
def test_nothing_of_a_stream_comes_before_its_start(event: str) -> None:
    adapter = TwilioAdapter()
    with pytest.raises(RemoteProtocolError, match=f"^twilio event: expected 'start' first, got '{event}'$"):
        adapter.parse(compact({"event": event, "streamSid": STREAM_ID}))
    assert adapter.parse(compact(START)) == STARTED


@pytest.mark.parametrize("message", [MEDIA, DTMF, MARK, {"event": "stop"}], ids=lambda message: message["event"])
def test_every_message_of_another_stream_is_refused(message: dict[str, object]) -> None:
    with pytest.raises(RemoteProtocolError, match=f"^twilio streamSid: expected '{STREAM_ID}', got 'MZ2'$"):
        opened().parse(compact({**message, "streamSid": "MZ2"}))


def test_a_start_again_with_another_format_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match=r"mediaFormat\.channels: expected 1, got 2$"):
        opened().parse(compact({**START, "start": {**START["start"], "mediaFormat": {"channels": 2}}}))


def test_no_error_shows_a_secret_or_a_whole_payload() -> None:
    for parameters in ("t0k3n", ["t0k3n"], {"t0k3n": 1}):
        with pytest.raises(RemoteProtocolError) as caught:
            TwilioAdapter().parse(compact({**START, "start": {**START["start"], "customParameters": parameters}}))
        assert "t0k3n" not in str(caught.value)
    with pytest.raises(RemoteProtocolError) as caught:
        opened().parse(with_media(payload="A" * 2001))
    assert "AAAA" not in str(caught.value)


# --- To Twilio ---


@pytest.mark.parametrize("size", [0, 1, 159, 161, 319])
def test_audio_in_broken_frames_is_not_sent(size: int) -> None:
    expected = f"^twilio payload: expected a multiple of 160 bytes, at least 160, got {size} bytes$"
    with pytest.raises(LocalProtocolError, match=expected):
        opened().encode_audio(bytes(size))


def test_a_bad_mark_name_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError, match=r"^twilio mark name: expected 1 to 64 .*, got ''$"):
        opened().encode_mark("")


def test_a_hostile_stream_id_stays_a_string() -> None:
    stream_id = 'MZ","event":"clear","x":"\x01'
    adapter = TwilioAdapter()
    adapter.parse(compact({"event": "start", "start": {"streamSid": stream_id, "callSid": CALL_ID}}))
    for message in (adapter.encode_audio(SILENCE), adapter.encode_mark("m1"), *adapter.encode_clear()):
        event = message.split(b'"')[3].decode()
        expected = {
            "media": {"media": {"payload": MEDIA["media"]["payload"]}},
            "mark": {"mark": {"name": "m1"}},
            "clear": {},
        }[event]
        assert orjson.loads(message) == {"event": event, "streamSid": stream_id, **expected}
