"""What the phone said and what it heard lie on one timeline: an echo's delay is the one the frames really had."""

import asyncio
import base64

import uvloop

from relay.dev.phone import SimulatedPhone
from tests.dev.stand_in_relay import StandInRelay
from tests.signals import Chirps, chirp_delays, pcm

CHIRPS = Chirps(count=3, spacing_ms=250.0)


async def echo(relay: StandInRelay, frames: int) -> None:
    for frame in range(frames):
        await relay.until(lambda r, frame=frame: len(r.of("media")) > frame)  # type: ignore[misc]  # no type for a default
        await relay.play(base64.b64decode(relay.of("media")[frame]["media"]["payload"]))


def test_the_delay_of_an_echo_is_found_from_its_chirps() -> None:
    async def scenario() -> None:
        async with StandInRelay() as relay, SimulatedPhone(relay.url, pcm(CHIRPS.wave(8000))) as phone:
            await echo(relay, 45)
            await phone.until_heard(45)
            found = chirp_delays(*phone.heard, chirps=CHIRPS, said_start_ns=phone.said.start_ns)
            for chirp in found:
                first = round(CHIRPS.at_ms(chirp.index) / 20)
                # A frame's delay jumps by 20 ms where this machine was too busy: any of the chirp's frames may count.
                delays_ms = [
                    (phone.arrivals[n].heard_ns - phone.said.start_ns) / 1e6 - 20 * n for n in range(first, first + 4)
                ]
                assert min(abs(chirp.delay_ms - delay_ms) for delay_ms in delays_ms) < 0.05
            assert [chirp.heard for chirp in found] == [True] * 3
            assert phone.violations == []

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
