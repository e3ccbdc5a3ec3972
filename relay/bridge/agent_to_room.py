"""Agent to room: the carrier's messages in, PCM out as the room's microphone asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Literal

from relay._codec import Decoder, MediaTemplate, Resampler
from relay.bridge.stats import NO_SPREAD, AgentToRoomStats, Spread, Tally, counted_on
from relay.errors import RemoteProtocolError
from relay.media.format import AudioFormat, pcm
from relay.media.playout import Playout
from relay.providers.base import AudioReceived, Event, MediaAdapter, StreamStarted

_NO_EVENTS: Final[Sequence[Event]] = ()


class AgentToRoom:
    """
    One direction of one bridge.

    Args:
        adapter: reads what the codec does not take as this stream's audio.
        room_rate_hz: of the PCM to give out.
        microphone_ptime_ms: how much of it at a time.
        profile: the codec's filter.
        clock: monotonic ns.
        tally: goes on from stream to stream of a bridge.
    """

    def __init__(
        self,
        adapter: MediaAdapter,
        *,
        room_rate_hz: int,
        microphone_ptime_ms: int,
        profile: Literal["balanced", "low_delay", "high_quality"],
        clock: Callable[[], int] = time.monotonic_ns,
        tally: Tally | None = None,
    ) -> None:
        self._adapter = adapter
        self._room_rate_hz = room_rate_hz
        self._microphone_ptime_ms = microphone_ptime_ms
        self._profile: Literal["balanced", "low_delay", "high_quality"] = profile
        self._decoder: Decoder | None = None
        self._template: MediaTemplate | None = None
        self._clock = clock
        self._tally = tally or Tally()
        self._lateness, self._own_time = self._tally.lateness.recent, self._tally.received.recent
        self._play_at(room_rate_hz)
        self.last_audio_ns = 0
        """When audio came last; 0: there was none."""
        self.frames = 0

    @property
    def decoded(self) -> bool:
        """Whether any of the agent's audio has been decoded."""
        return self.frames > 0

    @property
    def in_room(self) -> bool:
        """Whether any of the agent's audio has been given to the room."""
        return self._playout.played

    def pull(self, now_ns: int) -> bytes:
        """What the room's microphone gets next."""
        pcm = self._playout.pull(now_ns)
        return pcm if self._resampler is None else self._resampler.push(pcm)

    def begin_anew(self) -> None:
        """Drop what waits for the room, as if nothing had been given to it."""
        self._playout.clear()
        self._playout.played = False

    def take(self, message: bytes, received_ns: int) -> Sequence[Event]:
        """
        Read one text message: audio goes towards the room, everything else is returned.

        Raises:
            RemoteProtocolError: the message breaks the protocol, and nothing has changed.
        """
        if self._decoder is not None and self._template is not None:
            try:
                decoded = self._decoder.push_message(message, self._template)
            except ValueError:
                decoded = None  # the adapter knows what is wrong with it
            if decoded is not None:
                self._push(decoded, received_ns, self._decoder.sequence)
                return _NO_EVENTS
        return [event for event in self._adapter.parse(message) if not self._took_audio(event, received_ns)]

    def take_binary(self, message: bytes, received_ns: int) -> None:
        """
        Read one binary message: it holds nothing but audio.

        Raises:
            RemoteProtocolError: the message breaks the protocol, and nothing has changed.
        """
        payload = self._adapter.payload_of(message)
        if payload and self._decoder is not None:  # always, as there is audio: the adapter has seen the start
            self._take_payload(self._decoder, payload, received_ns, -1)

    def stats(self, *, whole_call: bool) -> AgentToRoomStats:
        """Where things stand, with the waits since the last call of this, or of the whole call."""
        return self._stats_with(
            self._tally.lateness.take(whole_call=whole_call),
            self._tally.received.take(whole_call=whole_call),
            self._tally.wait.take(whole_call=whole_call),
        )

    def counts(self) -> AgentToRoomStats:
        """Where things stand, of all streams so far, without durations."""
        return self._stats_with(NO_SPREAD, NO_SPREAD, NO_SPREAD)

    def _stats_with(self, lateness: Spread, own_time: Spread, wait: Spread) -> AgentToRoomStats:
        before = self._tally.agent_to_room
        playout = counted_on(self._playout.snapshot(), before.playout if before is not None else None)
        return counted_on(AgentToRoomStats(self.frames, lateness, own_time, wait, playout), before)

    def chain(self, carrier: AudioFormat) -> str:
        """The steps a frame takes."""
        if self._playout_rate_hz != self._room_rate_hz:
            return f"{carrier} -> {pcm(self._playout_rate_hz)} -> jitter -> {pcm(self._room_rate_hz)} -> room"
        return f"{carrier} -> jitter -> {pcm(self._room_rate_hz)} -> room"

    def _begin(self, audio: AudioFormat) -> None:
        if not self._adapter.capabilities.ordered and audio.rate_hz != self._room_rate_hz:
            # A resampler goes on from the frame before: it must get them in their order, which playout makes.
            self._play_at(audio.rate_hz)
        self._decoder = Decoder(audio.encoding, audio.rate_hz, self._playout_rate_hz, profile=self._profile)
        self._template = self._adapter.media_in

    def _play_at(self, rate_hz: int) -> None:
        self._playout_rate_hz = rate_hz
        self._byte_ns = 500_000_000 // rate_hz
        self._playout = Playout(rate_hz, pull_ms=self._microphone_ptime_ms, wait=self._tally.wait.recent)
        is_resampled = rate_hz != self._room_rate_hz
        self._resampler = Resampler(rate_hz, self._room_rate_hz, profile=self._profile) if is_resampled else None

    def _took_audio(self, event: Event, received_ns: int) -> bool:
        if isinstance(event, StreamStarted):
            self._begin(event.format)
        if not isinstance(event, AudioReceived) or self._decoder is None:
            return False
        self._take_payload(self._decoder, event.payload, received_ns, -1 if event.sequence is None else event.sequence)
        return True

    def _take_payload(self, decoder: Decoder, payload: bytes, received_ns: int, sequence: int) -> None:
        try:
            decoded = decoder.push(payload)
        except ValueError as error:
            got = f"{len(payload)} bytes"
            raise RemoteProtocolError(self._adapter.name, "payload", expected=str(error), got=got) from error
        self._push(decoded, received_ns, sequence)

    def _push(self, decoded: bytes, received_ns: int, sequence: int) -> None:
        if self.frames:
            self._lateness.record(received_ns - self.last_audio_ns - len(decoded) * self._byte_ns)
        self.frames += 1
        self.last_audio_ns = received_ns
        self._playout.push(decoded, received_ns, sequence if sequence >= 0 else None)
        self._own_time.record(self._clock() - received_ns)
