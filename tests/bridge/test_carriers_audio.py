"""Which way every carrier's audio takes through a bridge: in text by the codec alone, in binary by the adapter, too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast
from unittest.mock import patch

import pytest
import structlog

from relay import _codec
from relay._codec import Encoder
from relay.bridge.agent_to_room import AgentToRoom
from relay.bridge.faults import Faults
from relay.bridge.media_connection import MediaConnection
from relay.bridge.room_to_agent import RoomToAgent
from relay.conformance import Case, Message
from relay.providers.base import AudioReceived, MediaAdapter, StreamStarted
from tests.providers.all_cases import CASES
from tests.signals import pcm, tone

TEXT = [case for case in CASES if case.new_adapter().capabilities.audio == "text"]
BINARY = [case for case in CASES if case not in TEXT]
NUMBERED = "exotel camel case"
"""No two of its messages to the carrier are alike but for the payload: see docs/carriers.md."""


def of_case(case: Case) -> tuple[MediaAdapter, AgentToRoom]:
    """A stream that has started."""
    adapter = case.new_adapter()
    agent = AgentToRoom(adapter, room_rate_hz=16000, microphone_ptime_ms=20, profile="balanced")
    for message in case.received[: case.received.index(case.of(StreamStarted)[0]) + 1]:
        agent.take(message.data, 0)
    return adapter, agent


def to_carrier(case: Case, adapter: MediaAdapter) -> RoomToAgent:
    """Of which nothing is written."""
    return RoomToAgent(
        cast("MediaConnection", SimpleNamespace(writer=None)),
        adapter,
        case.format,
        room_rate_hz=16000,
        queue_max_ms=100,
        profile="balanced",
        faults=Faults(structlog.get_logger()),
    )


def message_of(direction: RoomToAgent) -> tuple[bytes, bytes]:
    """What the room said, and the message that is made of it."""
    said = pcm(tone(440, 16000, direction._whole_bytes // 2, amplitude=8000))
    return said, direction._message(said)


def test_carriers_are_of_one_kind_each() -> None:
    assert {case.new_adapter().name for case in BINARY} == {"asterisk", "jambonz", "vonage"}
    assert {case.new_adapter().name for case in TEXT} == {"exotel", "plivo", "signalwire", "telnyx", "twilio"}


@pytest.mark.parametrize("case", TEXT, ids=str)
def test_recorded_audio_in_text_needs_neither_adapter_nor_parser(case: Case) -> None:
    adapter, agent = of_case(case)
    recorded = case.of(AudioReceived)
    assert len(recorded) >= 3
    with patch.object(adapter, "parse", None), patch.object(_codec, "orjson", None):
        assert [list(agent.take(message.data, 0)) for message in recorded] == [[] for _ in recorded]
    assert agent.frames == len(recorded)


@pytest.mark.parametrize("case", [case for case in TEXT if str(case) != NUMBERED], ids=str)
def test_audio_to_the_carrier_in_text_does_not_need_the_adapter(case: Case) -> None:
    adapter, other = case.opened(), case.opened()
    direction = to_carrier(case, adapter)
    with patch.object(adapter, "encode_audio", None):
        said, message = message_of(direction)
    assert message == other.encode_audio(Encoder(case.format.encoding, case.format.rate_hz, 16000).push(said))


def test_only_numbered_messages_have_no_template() -> None:
    assert [str(case) for case in TEXT if case.opened().media_in is None] == []
    assert [str(case) for case in TEXT if case.opened().media_out is None] == [NUMBERED]


@pytest.mark.parametrize("case", BINARY, ids=str)
def test_recorded_audio_in_binary_is_decoded_as_the_adapter_hands_it_over(case: Case) -> None:
    adapter, agent = of_case(case)
    recorded: list[Message] = case.of(AudioReceived)
    assert all(message.is_binary for message in recorded)
    with patch.object(adapter, "parse", None):
        for message in recorded:
            agent.take_binary(message.data, 0)
    assert agent.frames == len(recorded) >= 3


@pytest.mark.parametrize("case", BINARY, ids=str)
def test_audio_to_the_carrier_in_binary_is_the_payload_alone(case: Case) -> None:
    said, message = message_of(to_carrier(case, case.opened()))
    payload = Encoder(case.format.encoding, case.format.rate_hz, 16000).push(said)
    assert message == case.opened().encode_audio(payload)
    assert len(message) == len(payload)
