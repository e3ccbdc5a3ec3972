"""Asterisk's recorded sessions in both forms, what its adapter takes although it is unusual, and what it refuses."""

from dataclasses import replace
from typing import Any

from relay.conformance import Case, Clear, Closed, Mark, NotOurs, Play, read_case, read_session
from relay.conformance.mutations import compact
from relay.media.format import AudioFormat
from relay.providers.asterisk import AsteriskAdapter
from relay.providers.base import (
    AudioReceived,
    CarrierFault,
    DtmfReceived,
    Event,
    FlowChanged,
    MarkReached,
    StreamStarted,
)
from tests.providers.samples import SAMPLES, base64

CHANNEL_ID = "1767225601.7"
SILENCE = b"\xff" * 160  # 20 ms of PCMU
STARTED = StreamStarted(CHANNEL_ID, CHANNEL_ID, AudioFormat("pcmu", 8000), {"LEG": "agent-7"})
PLAIN_STARTED = StreamStarted(CHANNEL_ID, CHANNEL_ID, AudioFormat("pcmu", 8000))


def json_session(name: str, audio: AudioFormat, silence: bytes) -> Case:
    """The recorded session, which has ulaw, in another format; ``silence`` is 20 ms."""
    text = (SAMPLES / "asterisk_json_session.json").read_text().replace('"ulaw"', f'"{name}"')
    text = text.replace('"optimal_frame_size": 160', f'"optimal_frame_size": {len(silence)}')
    for frames in (1, 5):
        text = text.replace(f'"{base64(SILENCE * frames)}"', f'"{base64(silence * frames)}"')
    heard: list[Event] = [AudioReceived(silence)]
    return Case(
        new_adapter=AsteriskAdapter,
        session=read_session(text),
        steps=[
            [replace(STARTED, format=audio)],
            *[heard] * 3,
            *[NotOurs()] * 2,  # ANSWER, START_MEDIA_BUFFERING
            *[Play(silence * 5)] * 2,
            Mark("m1"),
            NotOurs(),  # STOP_MEDIA_BUFFERING
            [MarkReached("m1")],
            [],
            [DtmfReceived("1")],
            NotOurs(),  # GET_STATUS
            [],
            [FlowChanged(paused=True)],
            [FlowChanged(paused=False)],
            [CarrierFault("Unable to parse JSON command")],
            Play(silence),
            Mark("m2"),
            Clear(),
            NotOurs(),  # HANGUP
            Closed(),
        ],
        subprotocols=["media"],
        variant=f"json {name}",
    )


JSON = json_session("ulaw", STARTED.format, SILENCE)
AUDIO: list[Event] = [AudioReceived(SILENCE)]
PLAIN = read_case(
    AsteriskAdapter,
    SAMPLES / "asterisk_plain_session.json",
    [
        [PLAIN_STARTED],
        *[AUDIO] * 3,
        Play(SILENCE),
        Mark("m1"),
        [MarkReached("m1")],
        [DtmfReceived("1")],
        NotOurs(),  # GET_STATUS
        [],
        [FlowChanged(paused=True)],
        [FlowChanged(paused=False)],
        [CarrierFault("MARK_MEDIA not supported in passthrough mode")],
        Mark("m2"),
        Clear(),
        NotOurs(),  # HANGUP
        Closed(),
    ],
    variant="plain",
    subprotocols=["media"],
)
CASES = [JSON, PLAIN, json_session("slin16", AudioFormat("l16le", 16000), bytes(640))]

START = JSON.of(StreamStarted)[0].value
PLAIN_START = PLAIN.of(StreamStarted)[0].data
DTMF = JSON.of(DtmfReceived)[0].value
MARK = JSON.of(MarkReached)[0].value


def start(**changes: Any) -> bytes:
    """MEDIA_START with other values, without those that are None."""
    return compact({key: value for key, value in {**START, **changes}.items() if value is not None})


# As the first message of a stream.
STARTS_TAKEN: dict[str, bytes] = {
    "white space before it": b"\n " + start(),
    "numbers as strings": start(optimal_frame_size="160", ptime="20"),
    "no `optimal_frame_size`: 20 ms": start(optimal_frame_size=None),
    "`optimal_frame_size` 0: 20 ms": start(optimal_frame_size=0),
    "no `connection_id`, `channel`, `ptime`": start(connection_id=None, channel=None, ptime=None),
    "channel variables that are no strings, left out": start(channel_variables={"LEG": "agent-7", "N": 1, "X": None}),
}

# As a message of an open stream.
MESSAGES_TAKEN: dict[str, tuple[bytes, list[Event]]] = {
    "no `channel_id`: a socket carries one stream": (compact({"event": "DTMF_END", "digit": "1"}), [DtmfReceived("1")]),
    "ERROR without a text": (compact({"event": "ERROR"}), [CarrierFault("")]),
    "QUEUE_DRAINED and other events: no event": (compact({"event": "QUEUE_DRAINED", "channel_id": CHANNEL_ID}), []),
    "MEDIA_START again: no event": (compact(START), []),
}

# As the first message of a stream.
STARTS_REFUSED: dict[str, tuple[bytes, str]] = {
    "no `channel_id`": (
        start(channel_id=None),
        "asterisk channel_id: expected a string that is not empty, got nothing",
    ),
    "another format": (
        start(format="opus"),
        "asterisk format: expected one of ulaw, alaw, slin, slin16, slin24, got 'opus'",
    ),
    "half a sample": (
        start(format="slin", optimal_frame_size=321),
        "asterisk optimal_frame_size: expected a multiple of 2, at most 65500, got 321",
    ),
    "a frame too long to send": (
        start(optimal_frame_size=65501),
        "asterisk optimal_frame_size: expected a multiple of 1, at most 65500, got 65501",
    ),
    "neither form": (b"<start/>", "asterisk message: expected an event's name first, in capitals, got 8 others"),
}

# As a message of a stream that is open, and in JSON.
REFUSED: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{", "asterisk message: expected JSON, got 1 bytes: "),
    "text in a stream of JSON": (b"MEDIA_XOFF", "asterisk message: expected JSON, got 10 bytes: "),
    "no event": (b"{}", "asterisk event: expected a string that is not empty, got nothing"),
    "another channel's": (
        compact({**DTMF, "channel_id": "2.2"}),
        "asterisk channel_id: expected '1767225601.7', got '2.2'",
    ),
    "another channel's MEDIA_START": (
        start(channel_id="2.2"),
        "asterisk start: expected stream '1767225601.7' again, got stream '2.2'",
    ),
    "no key of a phone": (compact({**DTMF, "digit": "w"}), "asterisk digit: expected one of 0-9 * # A-D, got 'w'"),
    "a mark without a name": (
        compact({**MARK, "correlation_id": ""}),
        "asterisk correlation_id: expected a string that is not empty, got a string of 0 characters",
    ),
}
