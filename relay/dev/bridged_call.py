"""One call over real sockets, measured: a simulated carrier's phone, the bridge, and a local room with a customer."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Iterator

import structlog
import uvloop

from relay.bridge.bridge import Bridge
from relay.bridge.events import BridgeEvent, Ended, Joined
from relay.bridge.media_connection import serve_media
from relay.dev.phone import SimulatedPhone
from relay.dev.phone_leg import Figure, level_db, pcm_of, pulse, samples_of, tone
from relay.dev.recording import Recording
from relay.dev.room_server import RoomServer
from relay.errors import RoomError
from relay.media.format import PTIME_MS
from relay.providers.twilio import TwilioAdapter
from relay.rooms.base import Participant
from relay.rooms.local import LocalRoom

PHONE_HZ, ROOM_HZ = 8000, 16000
AGENT_HZ, CUSTOMER_HZ = 500, 1300
TONE_S = 2
PULSES, PULSE_SPACING_MS = 6, 400
CALL_FRAMES = (1000 * TONE_S + (PULSES + 1) * PULSE_SPACING_MS + 600) // PTIME_MS


def said(frequency_hz: float, rate_hz: int) -> bytes:
    """A tone, silence, then pulses: 100 ms into every ``PULSE_SPACING_MS``."""
    spacing = PULSE_SPACING_MS * rate_hz // 1000
    rest = [0.0] * (spacing - len(pulse(rate_hz)))
    return pcm_of(
        [*tone(frequency_hz, rate_hz, seconds=TONE_S), *[0.0] * spacing, *(PULSES * [*pulse(rate_hz), *rest])]
    )


class Customer:
    """A participant of the room who says ``pcm`` and keeps what is heard."""

    def __init__(self, pcm: bytes, frame_bytes: int) -> None:
        self._frames: Iterator[bytes] = itertools.chain(
            (pcm[at : at + frame_bytes] for at in range(0, len(pcm) - frame_bytes + 1, frame_bytes)),
            itertools.repeat(bytes(frame_bytes)),
        )
        self._heard: list[bytes] = []
        self.said_ns = 0
        self._heard_ns = 0

    @property
    def heard(self) -> Recording:
        """Everything since the first frame."""
        return Recording(b"".join(self._heard), ROOM_HZ, self._heard_ns)

    def microphone_due(self, now_ns: int) -> bytes:
        """Say the next frame."""
        self.said_ns = self.said_ns or now_ns
        return next(self._frames)

    def speaker_frame(self, pcm: bytes, now_ns: int) -> None:
        """Hear a frame."""
        self._heard_ns = self._heard_ns or now_ns
        self._heard.append(pcm)

    def participant_joined(self, participant: Participant) -> None:
        """Somebody came."""

    def participant_left(self, participant: Participant, reason: str) -> None:
        """Somebody went."""

    def room_closed(self, error: RoomError) -> None:
        """The room is gone."""


def delays_ms(heard: Recording, rate_hz: int, said_ns: int) -> list[float]:
    """Mouth to ear, of each pulse: where the energy of the 300 ms from its beginning on lies."""
    delays = []
    for number in range(PULSES):
        begun_ns = said_ns + (1000 * TONE_S + (number + 1) * PULSE_SPACING_MS) * 1_000_000
        window = samples_of(heard.since(begun_ns).pcm[: 2 * 350 * rate_hz // 1000])
        energy = [sample * sample for sample in window]
        middle_ms = 1000 * sum(at * each for at, each in enumerate(energy)) / (rate_hz * max(sum(energy), 1e-9))
        first_ns = max(heard.start_ns, begun_ns)
        delays.append(middle_ms - 100 + (first_ns - begun_ns) / 1e6)
    return delays


def figures(phone: SimulatedPhone, customer: Customer, ended: Ended, joined_ms: float) -> list[Figure]:
    """What was heard on both sides."""
    # 100 ms: while the delay comes to its target a tone is re-timed by up to 0.2 %, and longer ones would not add up.
    steady = {
        "customer": samples_of(customer.heard.since(phone.start_ns + 1_000_000_000).pcm[: 2 * ROOM_HZ // 10]),
        "agent": samples_of(phone.heard.since(customer.said_ns + 1_000_000_000).pcm[: 2 * PHONE_HZ // 10]),
    }
    sent_db = 20 * math.log10(0.5)
    agent, room = ended.stats.agent_to_room, ended.stats.room_to_agent
    return [
        Figure("phone answered until both were heard (joined)", joined_ms, "ms"),
        Figure(
            "agent's tone at the customer, against what was sent",
            level_db(steady["customer"], AGENT_HZ, ROOM_HZ) - sent_db,
            "dB",
        ),
        Figure(
            "customer's tone at the agent, against what was sent",
            level_db(steady["agent"], CUSTOMER_HZ, PHONE_HZ) - sent_db,
            "dB",
        ),
        Figure("customer's own tone coming back", level_db(steady["customer"], CUSTOMER_HZ, ROOM_HZ) - sent_db, "dB"),
        Figure("agent's own tone coming back", level_db(steady["agent"], AGENT_HZ, PHONE_HZ) - sent_db, "dB"),
        Figure(
            "agent's mouth to customer's ear, simulated room included",
            statistics.median(delays_ms(customer.heard, ROOM_HZ, phone.said.start_ns)),
            "ms",
        ),
        Figure(
            "customer's mouth to agent's ear, simulated room and phone included",
            statistics.median(delays_ms(phone.heard, PHONE_HZ, customer.said_ns)),
            "ms",
        ),
        Figure(
            "of these in relay, socket to room, jitter buffer included (p99)", agent.wait.p99_ms if agent else 0, "ms"
        ),
        Figure("of these in relay, room to socket (p99)", room.own_time.p99_ms if room else 0, "ms"),
        Figure("frames concealed or lost", agent.playout.frames_lost + agent.playout.underruns if agent else 0, ""),
        Figure("gaps the agent heard", len(phone.gaps), ""),
    ]


async def call() -> list[Figure]:
    """Make the call and return what was measured."""
    events: dict[type, int] = {}

    def note(event: BridgeEvent) -> None:
        events.setdefault(type(event), time.monotonic_ns())

    async with RoomServer(port=0) as server:
        url = server.room_url("demo")
        customer = Customer(said(CUSTOMER_HZ, ROOM_HZ), ROOM_HZ * PTIME_MS // 1000 * 2)
        place, bridge = LocalRoom(url, name="customer"), Bridge(LocalRoom(url), transfer_id="demo", on_event=note)
        await bridge.join_room()
        media = await serve_media(
            lambda connection: bridge.serve(connection, TwilioAdapter()), host="127.0.0.1", port=0
        )
        port = next(iter(media.sockets)).getsockname()[1]
        async with SimulatedPhone(f"ws://127.0.0.1:{port}/media", said(AGENT_HZ, PHONE_HZ)) as phone:
            answered_ns = time.monotonic_ns()
            await place.join(customer)
            await phone.until_said(CALL_FRAMES)
        ended = await bridge.ended()
        await place.leave()
        media.close()
        await media.wait_closed()
    return figures(phone, customer, ended, (events[Joined] - answered_ns) / 1e6)


def main() -> None:
    """Print the figures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))  # warnings: nothing, if all goes well
    print("One call: simulated phone (Twilio Media Streams) <-> relay's bridge <-> simulated room with a customer\n")
    for figure in uvloop.run(call()):
        print(f"  {figure.what:68} {figure.value:9.2f} {figure.unit}".rstrip())


if __name__ == "__main__":
    main()
