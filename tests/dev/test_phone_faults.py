"""The simulated phone as a bad carrier on a bad network: each fault is the one that its name says."""

import asyncio
import base64
import time
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response

from relay._codec import Decoder
from relay.dev.phone import Closed, HangUp, Network, SimulatedPhone
from tests.dev.conftest import RunWithRelay
from tests.dev.stand_in_relay import FRAME, StandInRelay

HEARD = Decoder("pcmu", 8000, 8000).push(FRAME)


@pytest.mark.parametrize(
    ("how", "code", "cause"),
    [
        (HangUp.RESET, 1006, ConnectionResetError),
        (HangUp.FIN, 1006, EOFError),
        (HangUp.CLOSE, 1000, None),
    ],
)
def test_each_way_to_hang_up_is_seen_as_such(
    how: HangUp, code: int, cause: type[BaseException] | None, run_with_relay: RunWithRelay
) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url) as phone:
            await phone.until_said(2)
            await relay.until(lambda r: len(r.of("media")) == 2)
            phone.hang_up(how)
            assert (await phone.until_closed()).code == code
            ended = await relay.until_ended()
        assert (ended.rcvd.code if ended.rcvd else 1006) == code
        assert isinstance(ended.__cause__, cause) if cause else ended.__cause__ is None
        assert "stop" not in relay.events

    run_with_relay(scenario)


def test_a_phone_gone_silent_answers_nothing_and_keeps_its_socket(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url) as phone:
            await relay.until(lambda r: len(r.of("media")) >= 2)
            phone.hang_up(HangUp.SILENCE)
            pong = await relay.connection.ping()
            await relay.play()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(pong), 0.1)
            assert phone.closed is None
            assert phone.frames_heard == 0
        assert (await relay.until_ended()).rcvd is None
        with pytest.raises(ConnectionClosed):
            await pong

    run_with_relay(scenario)


def test_when_the_relay_closes_its_code_and_reason_are_kept(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url) as phone:
            await relay.until(lambda r: "start" in r.events)
            await relay.connection.close(1008, "token used")
            assert await phone.until_closed() == Closed(1008, "token used")
            with pytest.raises(ConnectionError, match=r"simulated phone .*1 frames heard: closed with 1008 token used"):
                await phone.until_heard(1)

    run_with_relay(scenario)


def test_a_relay_that_drops_the_connection_is_an_abnormal_closure(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url) as phone:
            await relay.until(lambda r: "start" in r.events)
            relay.connection.transport.abort()
            assert (await phone.until_closed()).code == 1006

    run_with_relay(scenario)


def test_a_relay_that_refuses_is_an_error_with_its_status() -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        assert request.headers["X-Twilio-Signature"] == "signed"
        return connection.respond(HTTPStatus.FORBIDDEN, "token used\n")

    async def scenario() -> None:
        relay = StandInRelay()
        async with serve(relay._serve, "127.0.0.1", 0, process_request=refuse) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            with pytest.raises(InvalidStatus) as refused:
                await SimulatedPhone(
                    f"ws://127.0.0.1:{port}/media", headers={"X-Twilio-Signature": "signed"}
                ).__aenter__()
            assert refused.value.response.status_code == 403

    asyncio.run(scenario())


def test_nobody_listening_is_an_error_and_tls_is_not_spoken() -> None:
    async def scenario() -> None:
        async with StandInRelay() as relay:
            url = relay.url
        with pytest.raises(ConnectionRefusedError):
            await SimulatedPhone(url).__aenter__()

    asyncio.run(scenario())
    with pytest.raises(ValueError, match="expected a ws:// URL, got 'wss://127"):
        SimulatedPhone("wss://127.0.0.1/")


def test_a_call_in_one_byte_segments_is_the_same_call(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url, 3 * HEARD, network=Network(segment_bytes=1)):
            await relay.until(lambda r: len(r.of("media")) >= 3)
        assert [base64.b64decode(m["media"]["payload"]) for m in relay.of("media")[:3]] == [FRAME] * 3
        assert relay.events[-1] == "stop"

    run_with_relay(scenario)


def test_after_a_stall_comes_the_burst_with_every_frame(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url) as phone:
            await phone.until_said(3)
            stalled_ns = time.monotonic_ns()
            phone.stall(0.2)
            await phone.until_said(14)
            in_stall = [at for at in phone.sent_ns if stalled_ns < at < stalled_ns + 200_000_000]
            burst = [at for at in phone.sent_ns if at >= stalled_ns + 200_000_000]
            assert in_stall == []
            assert len(burst) >= 9
            assert phone.sent_ns[3] == burst[0]
        chunks = [m["media"]["chunk"] for m in relay.of("media")]
        assert chunks == [str(n) for n in range(1, len(chunks) + 1)]

    run_with_relay(scenario)


def test_jitter_delays_frames_and_keeps_their_order(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        network = Network(jitter_ms=lambda number: 70.0 if number == 2 else 0.0)
        async with SimulatedPhone(relay.url, network=network) as phone:
            await phone.until_said(8)
            due_ns = phone.said.start_ns + 2 * 20_000_000
            assert phone.sent_ns[1] < phone.sent_ns[2]
            assert min(phone.sent_ns[2:]) >= due_ns + 70_000_000
            assert list(phone.sent_ns) == sorted(phone.sent_ns)
        chunks = [m["media"]["chunk"] for m in relay.of("media")]
        assert chunks == [str(n) for n in range(1, len(chunks) + 1)]

    run_with_relay(scenario)


def test_a_drifting_phone_has_its_rate_in_its_recordings(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url, network=Network(drift_ppm=100.0)) as phone:
            await phone.until_said(1)
            assert phone.said.rate_hz == phone.heard.rate_hz == pytest.approx(8000.8)

    run_with_relay(scenario)


def test_a_phone_that_stops_reading_stops_the_relays_writes(run_with_relay: RunWithRelay) -> None:
    """A few kilobytes fill its buffer, then the sender's own; without the option the kernel would take megabytes."""

    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url, network=Network(receive_buffer_bytes=4096)) as phone:
            await relay.until(lambda r: "start" in r.events)
            phone.pause_reading()
            relay.connection.transport.set_write_buffer_limits(high=0)
            sending = asyncio.ensure_future(_send_for_ever(relay))
            said = len(phone.sent_ns)
            await phone.until_said(said + 10)
            assert not sending.done()
            assert phone.arrivals == []
            assert relay.connection.transport.get_write_buffer_size() > 0
            phone.resume_reading()
            await phone.until(lambda p: len(p.arrivals) > 100)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            assert phone.violations == []

    run_with_relay(scenario)


async def _send_for_ever(relay: StandInRelay) -> None:
    while True:
        await relay.play(10 * FRAME)
        await asyncio.sleep(0)


def test_what_a_bad_carrier_sends_can_be_sent(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url) as phone:
            await phone.until_said(1)
            phone.start_again()
            phone.send_text('{"event":"brand-new"}')
            phone.mislabel(2, "MZ-other")
            await phone.until_said(4)
            phone.stop(frames_after=3)
            await phone.until_closed()
        await relay.until_ended()
        assert len(relay.of("start")) == 2
        assert len(relay.of("brand-new")) == 1
        assert [m["streamSid"] == "MZ-other" for m in relay.of("media")[:4]] == [False, True, True, False]
        assert relay.events[-4:] == ["stop", "media", "media", "media"]

    run_with_relay(scenario)


def test_a_relay_that_never_ends_the_closing_handshake_does_not_hold_the_phone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.dev.phone.CLOSE_TIMEOUT_S", 0.05)

    async def scenario() -> None:
        async with StandInRelay() as relay:
            async with SimulatedPhone(relay.url) as phone:
                await relay.until(lambda r: "start" in r.events)
                phone.stall(60)  # neither the close frame nor its answer passes
            assert phone._link.closed
            await relay.until_ended()

    asyncio.run(scenario())


def test_every_output_says_that_it_is_simulated() -> None:
    assert repr(SimulatedPhone("ws://127.0.0.1/")).startswith("<simulated phone CA")
