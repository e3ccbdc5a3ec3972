"""Adapters that break one promise each, and the check that finds out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from relay._codec import Field, MediaTemplate
from relay.conformance import Case, Closed, Mark
from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.providers.base import AudioReceived, DtmfReceived, Event, FrameRule, MarkReached, StreamStopped
from relay.providers.fields import MESSAGE_MAX_BYTES
from relay.providers.stream import StreamOrder
from tests.conformance.made_up import ACME, BINARY_ACME, AcmeAdapter, BinaryAcmeAdapter, refusal

BROKEN: dict[str, Case] = {}


def found_by(*checks: str, case: Case = ACME) -> Callable[[type[Any]], type[Any]]:
    """Put the adapter in the case's place."""

    def take(adapter: type[Any]) -> type[Any]:
        BROKEN.update({check: replace(case, new_adapter=adapter) for check in checks})
        return adapter

    return take


def template(**changes: Any) -> MediaTemplate:
    media = {"track": "inbound", "chunk": Field.SEQUENCE, "payload": Field.PAYLOAD, **changes}
    media = {key: value for key, value in media.items() if value is not None}
    return MediaTemplate({"event": "media", "stream": "s-1", "media": media})


@found_by("session_is_replayed_byte_for_byte")
class WritesWhiteSpace(AcmeAdapter):
    def encode_clear(self) -> Sequence[bytes]:
        return [message.replace(b":", b": ") for message in super().encode_clear()]


BROKEN["session_shows_all_that_the_carrier_can_do"] = replace(
    ACME,
    session=[each for each in ACME.session if b"dtmf" not in each.message.data],
    steps=[step for step in ACME.steps if step != [DtmfReceived("1")]],
)


@found_by("adapter_says_who_it_is")
class HasNoName(AcmeAdapter):
    name = ""


@found_by("streams_share_nothing")
class Shares(AcmeAdapter):
    shared = StreamOrder("acme")

    def __init__(self) -> None:
        super().__init__()
        self._order = self.shared


@found_by("messages_of_the_other_kind_are_refused")
class TakesBinary(AcmeAdapter):
    def payload_of(self, message: bytes) -> bytes:
        return message


@found_by("text_may_come_as_str_or_bytes")
class WantsBytes(AcmeAdapter):
    def parse(self, message: bytes | str) -> list[Event]:
        if isinstance(message, str):
            raise refusal(self.name)
        return super().parse(message)


@found_by("recorded_audio_takes_the_native_path")
class ExpectsAnotherOrder(AcmeAdapter):
    def parse(self, message: bytes | str) -> list[Event]:
        events = super().parse(message)
        self.media_in = template(track=None) if self.media_in else None
        return events


@found_by("any_audio_comes_in_as_it_was_sent")
class TrimsSilence(AcmeAdapter):
    def parse(self, message: bytes | str) -> list[Event]:
        events = super().parse(message)
        return [
            AudioReceived(each.payload.rstrip(b"\0")) if isinstance(each, AudioReceived) else each for each in events
        ]


@found_by("native_path_takes_nothing_that_the_adapter_refuses")
class RefusesTheSecond(AcmeAdapter):
    """Which is found in what is drawn, however little is tried."""

    def parse(self, message: bytes | str) -> list[Event]:
        events = super().parse(message)
        if any(isinstance(each, AudioReceived) and each.sequence == 2 for each in events):
            raise refusal(self.name)
        return events


@found_by("native_path_reads_a_changed_place_as_the_adapter_does")
class ExpectsLess(AcmeAdapter):
    def parse(self, message: bytes | str) -> list[Event]:
        events = super().parse(message)
        self.media_in = template(track=None) if self.media_in else None
        return events


@found_by("any_audio_goes_out_the_same_by_both_ways")
class WritesOtherwise(AcmeAdapter):
    def encode_audio(self, payload: bytes) -> bytes:
        return super().encode_audio(payload)[:-1] + b',"n":1}'


class HasNoTemplate(AcmeAdapter):
    """Which the bridge would take for one whose messages are numbered."""

    def parse(self, message: bytes | str) -> list[Event]:
        events = super().parse(message)
        self.media_out = None
        return events


class SendsLongMessagesOtherwise(WritesOtherwise):
    """A message has 20 frames or more: one that is tried with fewer is never compared."""

    capabilities = replace(AcmeAdapter.capabilities, frames_to_carrier=FrameRule(3200, 3200, 16_000))


class TakesNoWholeFrames(AcmeAdapter):
    capabilities = replace(AcmeAdapter.capabilities, frames_to_carrier=FrameRule(100, 100, 100))


OUT_BROKEN = [HasNoTemplate, SendsLongMessagesOtherwise, TakesNoWholeFrames]
"""What ``any_audio_goes_out_the_same_by_both_ways`` finds as well."""


@found_by("binary_audio_needs_an_open_stream", case=BINARY_ACME)
class HearsBeforeTheStart(BinaryAcmeAdapter):
    def payload_of(self, message: bytes) -> bytes:
        return message


@found_by("any_binary_message_is_audio_or_refused", case=BINARY_ACME)
class EndsAtOddAudio(BinaryAcmeAdapter):
    def payload_of(self, message: bytes) -> bytes:
        if len(message) % 2:
            self._order.stop()
        return super().payload_of(message) if not len(message) % 2 else self._refuse()

    def _refuse(self) -> bytes:
        raise refusal(self.name)


@found_by("in_any_order_there_is_one_start_one_stop_and_nothing_after_it", "session_that_comes_twice_is_heard_once")
class NeverEnds(AcmeAdapter):
    def stop_reason(self, _fields: object) -> str:
        return "bye"

    def parse(self, message: bytes | str) -> list[Event]:
        events = super().parse(message)
        over = self._order.over
        return events if events or not over else [StreamStopped("bye")]


@found_by("start_again_is_no_news_and_leaves_the_templates_alone", "closed_stream_offers_no_native_path")
class KeepsMakingTemplates(AcmeAdapter):
    def parse(self, message: bytes | str) -> list[Event]:
        events = super().parse(message)
        self.media_in = template()
        return events


@found_by("commands_need_an_open_stream")
class ClearsAlways(AcmeAdapter):
    def encode_clear(self) -> Sequence[bytes]:
        return (b'{"event":"clear","stream":"s-1"}',)


@found_by("audio_goes_out_in_whole_frames_only")
class TakesHalfFrames(AcmeAdapter):
    def encode_audio(self, payload: bytes) -> bytes:
        return super().encode_audio(payload.ljust(160, b"\xff"))


@found_by("bad_mark_name_is_not_sent")
class TakesAnyName(AcmeAdapter):
    def encode_mark(self, name: str) -> bytes:
        return super().encode_mark((name.encode(errors="replace").hex() or "none")[:64])


@found_by("mark_comes_back_by_its_own_name")
class CutsNames(AcmeAdapter):
    def parse(self, message: bytes | str) -> list[Event]:
        return [
            MarkReached(each.name[:4]) if isinstance(each, MarkReached) else each for each in super().parse(message)
        ]


@found_by("keys_are_sent_by_the_stream_or_refused")
class SendsKeysThatItCannot(AcmeAdapter):
    def encode_dtmf(self, digits: str) -> Sequence[bytes]:
        self._order.open_id()
        return [digits.encode(errors="replace")]


@found_by("mark_of_before_a_clear_says_nothing_after_it")
class ForgetsMarks(AcmeAdapter):
    cleared = False

    def encode_clear(self) -> Sequence[bytes]:
        self.cleared = True
        return super().encode_clear()

    def parse(self, message: bytes | str) -> list[Event]:
        if self.cleared:
            raise refusal(self.name)
        return super().parse(message)


@found_by(
    "any_one_place_changed_is_read_or_refused_and_then_changes_nothing",
    "disturbed_message_is_read_or_refused_and_then_changes_nothing",
    "any_text_is_read_or_refused_and_then_changes_nothing",
)
class EndsAtAnError(AcmeAdapter):
    def parse(self, message: bytes | str) -> list[Event]:
        try:
            return super().parse(message)
        except RemoteProtocolError:
            self._order.stop()
            raise


@found_by("huge_or_deep_message_is_refused_and_changes_nothing")
class PassesOverWhatIsHuge(AcmeAdapter):
    def parse(self, message: bytes | str) -> list[Event]:
        return super().parse(message) if len(message) <= MESSAGE_MAX_BYTES else []


@found_by("what_is_deep_but_is_read_cannot_break_an_error")
class ShowsAll(AcmeAdapter):
    def parse(self, message: bytes | str) -> list[Event]:
        try:
            return super().parse(message)
        except RemoteProtocolError as error:
            raise LocalProtocolError(self.name, "message", expected="", got=repr(orjson.loads(message))) from error


def lying(**capabilities: Any) -> Case:
    """Who does the same as before, and says that it can something else."""
    lie = replace(AcmeAdapter.capabilities, **capabilities)
    return replace(ACME, new_adapter=type("Lies", (AcmeAdapter,), {"capabilities": lie}))


LIES: list[tuple[str, Case]] = [
    ("capabilities_are_of_their_kinds", lying(marks_after_clear="never")),
    ("capabilities_are_of_their_kinds", lying(dtmf_sent=False)),
    ("capabilities_are_of_their_kinds", lying(close_ends_call="perhaps")),
    ("capabilities_are_of_their_kinds", lying(ordered=1)),
    ("capabilities_are_of_their_kinds", lying(marks=False)),
    ("audio_is_out_of_order_where_it_may_be", lying(ordered=False)),
    ("marks_out_at_a_clear_come_back_or_not", lying(marks_after_clear="returned")),
    ("session_shows_what_only_some_carriers_say", lying(says_when_full=True)),
    ("session_shows_what_only_some_carriers_say", lying(tells_faults=True)),
    ("subprotocol_is_one_that_the_carrier_offers", lying(subprotocol="acme.v1")),
    ("subprotocol_is_one_that_the_carrier_offers", replace(ACME, subprotocols=["acme.v1"])),
    ("subprotocol_is_one_that_the_carrier_offers", replace(lying(subprotocol="a b"), subprotocols=["a b"])),
    ("stream_ends_once", replace(ACME, steps=[*ACME.steps, Closed()])),
    ("stream_ends_once", replace(ACME, session=ACME.session[:-1], steps=ACME.steps[:-1])),
    ("stream_ends_once", replace(ACME, session=ACME.session[:-1], steps=[Closed(), *ACME.steps[:-1]])),
]
BROKEN.update(LIES)


def _late() -> Case:
    """What is said to come in order, and has not."""
    session, steps = list(ACME.session), list(ACME.steps)
    session[1], session[2], steps[1], steps[2] = session[2], session[1], steps[2], steps[1]
    return replace(ACME, session=session, steps=steps)


LIES.append(("audio_is_out_of_order_where_it_may_be", _late()))


def _without_a_mark_at_the_clear() -> Case:
    """Nobody can see what would become of it."""
    session = [each for each in ACME.session if b"m2" not in each.message.data]
    return replace(ACME, session=session, steps=[step for step in ACME.steps if step != Mark("m2")])


LIES.append(("marks_out_at_a_clear_come_back_or_not", _without_a_mark_at_the_clear()))
