"""Keys for the agent's phone, over a stream whose carrier can: beside the audio, and nobody is told which."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import structlog

from relay.bridge.in_process import InProcessBridge
from relay.transfers.reasons import Reason
from tests.bridge.case import bridged
from tests.bridge.made_up import BinaryAdapter
from tests.bridge.process import new_adapter
from tests.bridge.test_binary_carrier import binary

Run = Callable[[Coroutine[Any, Any, None]], None]
PIN = "2468"


def sending() -> BinaryAdapter:
    return BinaryAdapter(dtmf_sent="stream", dtmf_keys="0123456789")


def test_keys_go_out_beside_the_audio(run: Run) -> None:
    async def test() -> None:
        async with binary(new_adapter=sending) as carrier:
            await carrier.exchange(said=bytes(3200))
            carrier.case.bridge.send_digits(PIN)
            await carrier.exchange()
            assert carrier.heard[-1].data == b'{"event":"dtmf","digits":"2468"}'
            assert carrier.case.bridge.stats(carrier.case.clock.now_ns()).faults == {}

    run(test())


@pytest.mark.parametrize("adapter", [BinaryAdapter, lambda: BinaryAdapter(dtmf_sent="stream", dtmf_keys="13579")])
def test_keys_that_the_stream_cannot_send_are_a_fault_that_shows_none(
    run: Run, adapter: Callable[[], BinaryAdapter]
) -> None:
    async def test() -> None:
        async with binary(new_adapter=adapter) as carrier:
            with structlog.testing.capture_logs() as logs:
                assert not carrier.case.bridge.send_digits(PIN)
            await carrier.exchange(said=bytes(3200))
            assert carrier.case.bridge.stats(carrier.case.clock.now_ns()).faults == {"digits_refused": 1}
            assert not any(b"dtmf" in bytes(frame.data) for frame in carrier.heard)
            assert PIN not in str(logs)

    run(test())


def test_without_a_stream_there_is_nobody_to_send_them_to(run: Run) -> None:
    async def test() -> None:
        async with bridged(new_adapter=sending) as case:
            bridge = InProcessBridge(case.bridge, new_adapter)
            assert not bridge.send_digits(PIN)  # the carrier has not said what its stream is
            assert case.bridge.stats(case.clock.now_ns()).faults == {"digits_lost": 1}

    run(test())


def test_what_a_stream_that_is_being_closed_does_not_take_is_a_fault_that_shows_none(run: Run) -> None:
    async def test() -> None:
        async with binary(new_adapter=sending) as carrier:
            await carrier.exchange(said=bytes(3200))
            bridge = InProcessBridge(carrier.case.bridge, new_adapter)
            assert bridge.send_digits(PIN)
            leg = carrier.case.bridge._legs.current
            assert leg is not None
            leg.connection.protocol.send_close(1000)
            with structlog.testing.capture_logs() as logs:
                assert not bridge.send_digits(PIN)
            assert carrier.case.bridge.stats(carrier.case.clock.now_ns()).faults == {"digits_lost": 1}
            assert PIN not in str(logs)

    run(test())


def test_after_the_end_there_is_nobody_either(run: Run) -> None:
    async def test() -> None:
        async with binary(new_adapter=sending) as carrier:
            await carrier.exchange(said=bytes(3200))
            carrier.case.bridge.end(Reason.CUSTOMER_LEFT)
            await carrier.case.bridge.ended()
            assert not carrier.case.bridge.send_digits(PIN)
            assert carrier.case.bridge.stats(carrier.case.clock.now_ns()).faults["digits_lost"] == 1

    run(test())
