"""The socket pair between a front and a worker: whole messages in order, and never a descriptor lost or left."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.bridge.messages import (
    Admit,
    End,
    HandOver,
    Join,
    Message,
    Ring,
    Told,
)
from relay.transfers import ports
from relay.transfers.reasons import Reason
from tests.bridge.pairs import (
    carrier_socket,
    close,
    duplicates,
    framed,
    is_open_elsewhere,
    pair,
    raw,
)

Run = Callable[[Coroutine[Any, Any, None]], None]

LARGE = b"x" * 60_000


def test_descriptor_comes_with_its_message_and_is_the_same_connection(run: Run) -> None:
    async def test() -> None:
        with carrier_socket() as (descriptor, theirs):
            async with pair() as both:
                both.front.send(HandOver(b"GET /media", "twilio"), descriptor)
                with pytest.raises(OSError, match="descriptor"):
                    os.fstat(descriptor)
                await both.at_worker.until_heard(1)
                assert both.at_worker.heard == [HandOver(b"GET /media", "twilio")]
                (came,) = both.at_worker.descriptors
                assert fcntl.fcntl(came, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
                os.write(came, b"101")
                assert theirs.recv(3) == b"101"
            assert not is_open_elsewhere(theirs)

    run(test())


@given(st.lists(st.sampled_from([Ring(), Admit(), HandOver(b"", "twilio"), HandOver(LARGE, "twilio")]), max_size=12))
@settings(max_examples=25, deadline=None)
def test_every_hand_over_has_its_own_descriptor_whatever_is_said_around_it(said: list[Message]) -> None:
    async def test() -> None:
        async with pair(send_buffer_bytes=4096) as both:
            inodes = []
            others: list[socket.socket] = []
            for message in said:
                if isinstance(message, HandOver):
                    ours, theirs = socket.socketpair()
                    others.append(theirs)
                    inodes.append(os.fstat(ours.fileno()).st_ino)
                    both.front.send(message, ours.detach())
                    await both.front.flush()  # otherwise a dozen of them would be too much to wait
                else:
                    both.front.send(message)
            await both.at_worker.until_heard(len(said))
            assert both.at_worker.heard == said
            assert [os.fstat(each).st_ino for each in both.at_worker.descriptors] == inodes
            for each in others:
                each.close()

    uvloop.run(test())


@pytest.mark.parametrize("piece_bytes", [1, 3, 1000])
def test_bytes_in_pieces_make_the_same_messages(run: Run, piece_bytes: int) -> None:
    async def test() -> None:
        async with raw() as peer:
            said: list[Message] = [Ring(), HandOver(b"GET /one", "twilio"), Admit(), HandOver(b"GET /two", "twilio")]
            descriptors = duplicates(2)
            for message in said:
                data = framed(message)
                takes = [descriptors.pop()] if isinstance(message, HandOver) else []
                for at in range(0, len(data), piece_bytes):
                    peer.write(data[at : at + piece_bytes], takes if at == 0 else [])
                    await asyncio.sleep(0)
                close(takes)
            await peer.ear.until_heard(len(said))
            assert peer.ear.heard == said
            assert len(peer.ear.descriptors) == 2

    run(test())


def test_many_messages_of_one_read_are_all_told_in_order(run: Run) -> None:
    async def test() -> None:
        async with raw() as peer:
            said: list[Message] = [Ring(), Admit()] * 100
            peer.write(b"".join(framed(message) for message in said))
            await peer.ear.until_heard(len(said))
            assert peer.ear.heard == said

    run(test())


def test_messages_around_a_descriptor_may_come_in_one_read(run: Run) -> None:
    async def test() -> None:
        async with raw() as peer:
            (one,) = duplicates(1)
            two = HandOver(b"", "twilio")
            peer.write(framed(Ring()))
            peer.write(framed(two), [one])
            peer.write(framed(Admit()))
            os.close(one)
            await peer.ear.until_heard(3)
            assert peer.ear.heard == [Ring(), two, Admit()]

    run(test())


def test_half_a_hand_over_and_the_next_ones_descriptor_in_one_read(run: Run) -> None:
    async def test() -> None:
        async with raw() as peer:
            one, two = duplicates(2)
            first, second = framed(HandOver(b"1", "twilio")), framed(HandOver(b"2", "twilio"))
            peer.write(first[:9], [one])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            peer.write(first[9:])
            peer.write(second, [two])
            close([one, two])
            await peer.ear.until_heard(2)
            assert [message.request for message in peer.ear.heard] == [b"1", b"2"]
            assert len(peer.ear.descriptors) == 2

    run(test())


# The end


def test_end_of_one_side_is_told_to_the_other_once_and_not_to_itself(run: Run) -> None:
    async def test() -> None:
        async with pair() as both:
            both.front.close()
            both.front.close()
            assert await both.at_worker.until_over() == "the other end was closed"
            assert both.at_front.closed == []
            assert both.worker.is_closed

    run(test())


def test_last_words_are_heard_though_nobody_listens_any_longer(run: Run) -> None:
    """A worker exits behind its last message: what the front says meanwhile must not make it lost."""

    async def test() -> None:
        async with pair() as both:
            ended = ports.BridgeEnded(Reason.AGENT_HUNG_UP, "stopped")
            both.front.send(Ring())  # unread when the other end is closed: the kernel calls that a reset
            both.worker.send(Told(ended))
            both.worker.close()
            with carrier_socket() as (descriptor, theirs):
                both.front.send(HandOver(b"", "twilio"), descriptor)
                both.front.send(End(Reason.CUSTOMER_LEFT))
                assert not is_open_elsewhere(theirs)
            assert await both.at_front.until_over() == "the other end was closed"
            assert both.at_front.heard == [Told(ended)]

    run(test())


@pytest.mark.parametrize("who", ["front", "worker", "front then worker", "worker then front"])
@pytest.mark.parametrize("is_read", [True, False], ids=["read", "unread"])
def test_no_descriptor_is_left_in_any_order_of_closing(run: Run, who: str, *, is_read: bool) -> None:
    async def test() -> None:
        with carrier_socket() as (descriptor, theirs):
            async with pair() as both:
                both.front.send(HandOver(b"", "twilio"), descriptor)
                if is_read:
                    await both.at_worker.until_heard(1)
                for each in who.split(" then "):
                    getattr(both, each).close()
                both.at_worker.close_descriptors()
            assert not is_open_elsewhere(theirs)

    run(test())


@pytest.mark.parametrize("who", ["front", "worker"])
def test_descriptors_that_wait_to_be_sent_are_closed_with_the_pair(run: Run, who: str) -> None:
    async def test() -> None:
        async with pair(send_buffer_bytes=4096) as both:
            both.front.send(HandOver(LARGE, "twilio"), duplicates(1)[0])
            with carrier_socket() as (descriptor, theirs):
                both.front.send(HandOver(LARGE, "twilio"), descriptor)
                assert is_open_elsewhere(theirs)
                getattr(both, who).close()
                if who == "worker":
                    await both.at_front.until_over()
                assert not is_open_elsewhere(theirs)

    run(test())


def test_descriptor_of_half_a_message_is_closed_with_the_pair(run: Run) -> None:
    async def test() -> None:
        with carrier_socket() as (descriptor, theirs):
            async with raw() as peer:
                peer.write(framed(HandOver(b"", "twilio"))[:9], [descriptor])
                os.close(descriptor)
                peer.front.close()
                assert await peer.ear.until_over() == "the other end was closed in the middle of a message"
                assert not is_open_elsewhere(theirs)

    run(test())


def test_what_is_sent_behind_the_end_is_dropped_and_its_descriptor_closed(run: Run) -> None:
    async def test() -> None:
        with carrier_socket() as (descriptor, theirs):
            async with pair() as both:
                both.front.close()
                both.front.send(HandOver(b"", "twilio"), descriptor)
                assert not is_open_elsewhere(theirs)
                await both.front.flush()

    run(test())


def test_no_message_comes_behind_a_close_in_the_middle_of_a_read(run: Run) -> None:
    async def test() -> None:
        async with raw() as peer:
            peer.ear.on_message = lambda _: peer.worker.close()
            peer.write(framed(Ring()) + framed(Admit()))
            await peer.ear.until_heard(1)
            assert peer.ear.heard == [Ring()]
            assert peer.ear.closed == []

    run(test())


def test_listener_that_fails_ends_the_pair_at_both_ends(run: Run) -> None:
    async def test() -> None:
        async with pair() as both:
            both.at_worker.on_message = lambda message: [][message]
            both.front.send(Join())
            assert await both.at_worker.until_over() == "Join could not be handled"
            assert await both.at_front.until_over() == "the other end was closed"

    run(test())
