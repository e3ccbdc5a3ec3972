"""The socket pair between a front and a worker: peers that say what they never should, and that do not read."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from relay.bridge.handoff import DESCRIPTORS_MAX, Channel
from relay.bridge.messages import (
    FROM_WORKER,
    MESSAGE_MAX_BYTES,
    Admit,
    HandOver,
    Message,
    Ready,
    Ring,
    Seat,
    Told,
)
from relay.transfers import ports
from tests.bridge.pairs import (
    Ear,
    carrier_socket,
    close,
    duplicates,
    framed,
    is_open_elsewhere,
    open_descriptors,
    pair,
    raw,
)

Run = Callable[[Coroutine[Any, Any, None]], None]

LARGE = b"x" * 60_000


# What only a defect sends


@pytest.mark.parametrize(
    ("data", "descriptors", "says"),
    [
        (framed(HandOver(b"", "twilio")), 0, "a descriptor with a HandOver, got none"),
        (framed(Ring()), 1, "got another one"),
        (framed(HandOver(b"", "twilio")), 2, "got another one"),
        (framed(HandOver(b"", "twilio")), DESCRIPTORS_MAX + 3, "got another one"),
        (framed(HandOver(b"", "twilio"))[:9], 2, "got another one"),
        (framed(b"no message"), 0, "expected JSON"),
        (framed(b"no message"), 1, "expected JSON"),
        (framed(b""), 0, "expected JSON"),
        (framed(Ready(1)), 0, "expected one of Configure"),
        (framed(b'[1,{"is":"Ring"}]'), 0, "expected version 2, got 1"),
        (framed(b'[2,{"is":"Configure"}]'), 0, "expected no Configure at stage 2"),
        ((MESSAGE_MAX_BYTES + 1).to_bytes(4, "big"), 0, f"at most, got a message of {MESSAGE_MAX_BYTES + 1}"),
        (b"GET / HTTP/1.1\r\n\r\n", 0, "at most, got a message of"),
    ],
)
def test_peer_that_does_what_it_never_should_loses_the_pair(
    run: Run, capsys: pytest.CaptureFixture[str], data: bytes, descriptors: int, says: str
) -> None:
    async def test() -> None:
        async with raw() as peer:
            given_away = duplicates(descriptors)
            peer.write(data, given_away)
            close(given_away)
            assert says in await peer.ear.until_over()
            assert peer.front.recv(1) == b"", "the other end sees it, too"

    run(test())
    assert "pair_broken" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("message", "has_descriptor"), [(HandOver(b"", "twilio"), False), (Seat(), False), (Ring(), True)]
)
def test_descriptor_goes_with_a_hand_over_and_with_nothing_else(
    run: Run, message: Message, *, has_descriptor: bool
) -> None:
    async def test() -> None:
        with carrier_socket() as (descriptor, theirs):
            async with pair() as both:
                with pytest.raises(ValueError, match="a descriptor with each Seat and HandOver, and no other"):
                    both.front.send(message, descriptor if has_descriptor else None)
                assert is_open_elsewhere(theirs) != has_descriptor
                both.front.send(Admit())
                await both.at_worker.until_heard(1)
                assert both.at_worker.heard == [Admit()]
                if not has_descriptor:
                    os.close(descriptor)

    run(test())


def test_message_that_cannot_be_sent_takes_its_descriptor_and_nothing_else_with_it(run: Run) -> None:
    async def test() -> None:
        with carrier_socket() as (descriptor, theirs):
            async with pair() as both:
                with pytest.raises(ValueError, match="131072 bytes at most"):
                    both.front.send(HandOver(b"\0" * MESSAGE_MAX_BYTES, "twilio"), descriptor)
                assert not is_open_elsewhere(theirs)
                assert not both.front.is_closed

    run(test())


# Peers that do not read


def test_peer_that_does_not_read_is_given_up_before_much_waits(run: Run) -> None:
    async def test() -> None:
        before = open_descriptors()
        ours, theirs = socket.socketpair()
        ear = Ear()
        front = Channel(ours, incoming=FROM_WORKER, on_message=ear.message, on_closed=ear.over)
        sent_bytes = 0
        while not front.is_closed:
            front.send(HandOver(LARGE, "twilio"), duplicates(1)[0])
            sent_bytes += len(LARGE) * 4 // 3
            assert sent_bytes < 1_500_000
        assert "expected a peer that reads" in await ear.until_over()
        theirs.close()
        assert open_descriptors() == before

    run(test())


def test_what_waits_is_sent_when_the_peer_reads_again(run: Run) -> None:
    async def test() -> None:
        async with pair(send_buffer_bytes=4096) as both:
            said = [HandOver(LARGE, "twilio") for _ in range(3)]
            for message in said:
                both.front.send(message, duplicates(1)[0])
            assert both.at_worker.heard == []
            flushed = asyncio.ensure_future(both.front.flush())
            await asyncio.sleep(0)
            assert not flushed.done()
            await both.at_worker.until_heard(3)
            assert both.at_worker.heard == said
            await flushed

    run(test())


def test_whoever_waits_for_a_peer_to_read_is_woken_by_the_end(run: Run) -> None:
    async def test() -> None:
        async with pair(send_buffer_bytes=4096) as both:
            both.front.send(HandOver(LARGE, "twilio"), duplicates(1)[0])
            flushed = asyncio.ensure_future(both.front.flush())
            await asyncio.sleep(0)
            both.front.close()
            await flushed

    run(test())


def test_worker_that_is_never_read_is_not_kept_by_it_either(run: Run) -> None:
    async def test() -> None:
        async with raw(outbox_max_bytes=1000) as peer:
            peer.worker.send(Ready(1))
            for _ in range(10_000):
                peer.worker.send(Told(ports.MediaLost("x" * 1000)))
                if peer.worker.is_closed:
                    break
            assert "expected a peer that reads" in await peer.ear.until_over()

    run(test())
