"""
What the store promises, in plain Python, and hypothesis machines that hold the store against it.

Whatever is done to a transfer, in whatever order, by who owns it or does not any more: each answer, the transfer and
its log are the model's. Likewise for claims.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from relay.transfers.reasons import Reason
from relay.transfers.states import TERMINAL, TRANSITIONS, Event, State, closing_event, next_state
from relay.transfers.store import Answer, TransferStore
from tests.transfers.stores import key_of, new_transfer, raw

T = TypeVar("T")
HOLDERS = st.sampled_from([new_transfer().transfer_id for _ in range(2)])
# Mostly what the owner does, so that there is something for the others to break.
EVENT_IDS = st.sampled_from(["", "", "a", "b"])
EPOCH_STEPS = st.sampled_from([0] * 8 + [-1, 1])
STREAM_STEPS = st.sampled_from([0] * 4 + [1] * 2 + [-1] * 2 + [2])
TOKENS = st.sampled_from(["t", "t", "t", "u"])


@dataclass
class Model:
    """One transfer, as it should be stored."""

    transfer_id: str
    state: State = State.REQUESTED
    version: int = 1
    epoch: int = 1
    call_id: str | None = None
    reason: Reason | None = None
    reconnecting: bool = False
    streams: int = 0
    token: str | None = None
    token_stream: int = 0
    seen: set[str] = field(default_factory=set)
    log: list[tuple[int, Event | None, State]] = field(default_factory=lambda: [(1, None, State.REQUESTED)])

    def apply(self, event: Event, *, epoch: int, event_id: str, reason: Reason | None, call_id: str | None) -> Answer:
        if epoch != self.epoch:
            return Answer.FENCED
        if event_id in self.seen:
            return Answer.DUPLICATE
        after = next_state(self.state, event)
        if after is None:
            return Answer.IGNORED
        self.state = after
        self.version += 1
        self.log.append((self.version, event, after))
        self.seen |= {event_id} - {""}
        self.reason = reason or self.reason
        self.call_id = call_id or self.call_id
        if event is Event.MEDIA_LOST:
            self.reconnecting = True
        elif event is Event.MEDIA_BACK or after in TERMINAL:
            self.reconnecting = False
        return Answer.OK

    def mint(self, *, epoch: int, stream: int, token: str) -> Answer:
        if epoch != self.epoch:
            return Answer.FENCED
        last = self.streams if self.token is None else max(self.streams, self.token_stream + 1)
        if self.state in TERMINAL or not max(self.streams, self.token_stream) <= stream <= last:
            return Answer.IGNORED
        self.token, self.token_stream = token, stream
        return Answer.OK

    def consume(self, token: str) -> Answer:
        if self.state in TERMINAL or token != self.token:
            return Answer.IGNORED
        self.token = None
        self.streams = self.token_stream + 1
        return Answer.OK


class Machine(RuleBasedStateMachine):
    """
    A store beside a model.

    Args:
        runner: of the loop on which the store lives.
        store: real, open.
    """

    def __init__(self, runner: asyncio.Runner, store: TransferStore) -> None:
        super().__init__()
        self.runner = runner
        self.store = store

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)


class OneTransfer(Machine):
    """A transfer of which the store and the model say the same."""

    model: Model

    @initialize()
    def it_is_made(self) -> None:
        self.model = Model(self.do(self.store.create(new_transfer())).transfer_id)

    @rule()
    def another_node_takes_over(self) -> None:
        self.model.epoch += 1
        self.do(raw(self.store, "HINCRBY", key_of(self.store, self.model.transfer_id), "epoch", 1))

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        model, transfer = self.model, self.do(self.store.get(self.model.transfer_id))
        assert transfer is not None
        assert (transfer.state, transfer.version, transfer.epoch) == (model.state, model.version, model.epoch)
        assert (transfer.provider_call_id, transfer.reason) == (model.call_id, model.reason)
        assert (transfer.reconnecting, transfer.streams) == (model.reconnecting, model.streams)
        log = self.do(self.store.events(model.transfer_id))
        assert [(entry.version, entry.event, entry.state) for entry in log] == model.log


class EventMachine(OneTransfer):
    """All that can happen to a transfer."""

    @rule(data=st.data(), event_id=EVENT_IDS, epoch_step=EPOCH_STEPS)
    def something_happens_that_may(self, data: st.DataObject, event_id: str, epoch_step: int) -> None:
        may = [event for state, event in TRANSITIONS if state is self.model.state]
        event = data.draw(st.sampled_from(may or list(Event)))
        call_id = data.draw(st.sampled_from([None, "CA1", "CA2"]))
        reason = data.draw(st.sampled_from([None, Reason.BUSY, Reason.CUSTOMER_LEFT]))
        self._apply(event, epoch_step, event_id, reason=reason, call_id=call_id)

    @rule(event=st.sampled_from(Event), event_id=EVENT_IDS)
    def anything_happens(self, event: Event, event_id: str) -> None:
        self._apply(event, 0, event_id)

    def _apply(
        self, event: Event, epoch_step: int, event_id: str, *, reason: Reason | None = None, call_id: str | None = None
    ) -> None:
        epoch = self.model.epoch + epoch_step
        changes = {"provider_call_id": call_id} if call_id else {}
        expected = self.model.apply(event, epoch=epoch, event_id=event_id, reason=reason, call_id=call_id)
        applied = self.do(
            self.store.apply(
                self.model.transfer_id, event, epoch=epoch, event_id=event_id, reason=reason, changes=changes
            )
        )
        assert applied.answer is expected
        assert applied.transfer == self.do(self.store.get(self.model.transfer_id))

    @rule(reason=st.sampled_from([Reason.NODE_LOST, Reason.CANCELED_BY_API]), epoch_step=EPOCH_STEPS)
    def another_node_ends_it(self, reason: Reason, epoch_step: int) -> None:
        epoch = self.model.epoch + epoch_step
        event = closing_event(reason)
        expected = self.model.apply(event, epoch=epoch, event_id="", reason=reason, call_id=None)
        if expected is Answer.OK:
            self.model.epoch += 1
        ended = self.store.apply(self.model.transfer_id, event, epoch=epoch, reason=reason, takes_over=True)
        assert self.do(ended).answer is expected

    @rule()
    def it_is_made_again(self) -> None:
        try:
            self.do(self.store.create(new_transfer(transfer_id=self.model.transfer_id)))
        except ValueError:
            return
        raise AssertionError("made twice")


class TokenMachine(OneTransfer):
    """The media sockets of a transfer: the tokens that are minted for them, and those they come with."""

    @rule(epoch_step=EPOCH_STEPS, stream_step=STREAM_STEPS, token=TOKENS)
    def a_token_is_minted(self, epoch_step: int, stream_step: int, token: str) -> None:
        epoch, stream = self.model.epoch + epoch_step, self.model.streams + stream_step
        expected = self.model.mint(epoch=epoch, stream=stream, token=token)
        minted = self.store.mint(self.model.transfer_id, epoch=epoch, stream=stream, token_sha256=token, ttl_s=600)
        assert self.do(minted) is expected

    @rule(token=TOKENS)
    def a_socket_comes(self, token: str) -> None:
        expected = self.model.consume(token)
        assert self.do(self.store.consume(self.model.transfer_id, token_sha256=token)) is expected

    @precondition(lambda self: self.model.token is not None and self.model.streams > 1)
    @rule()
    def it_ends(self) -> None:
        self.model.apply(Event.STOPPED, epoch=self.model.epoch, event_id="", reason=None, call_id=None)
        self.do(self.store.apply(self.model.transfer_id, Event.STOPPED, epoch=self.model.epoch))


class ClaimMachine(Machine):
    """One idempotency key and one room, and two transfers that want them."""

    _numbers = itertools.count()

    def __init__(self, runner: asyncio.Runner, store: TransferStore) -> None:
        super().__init__(runner, store)
        self.key = f"key-{next(self._numbers)}"
        self.request: tuple[str, str] | None = None
        self.room: str | None = None

    @rule(holder=HOLDERS, fingerprint=st.sampled_from(["f", "g"]))
    def a_request_is_claimed(self, holder: str, fingerprint: str) -> None:
        self.request = self.request or (holder, fingerprint)
        claim = self.do(self.store.claim_request(self.key, fingerprint=fingerprint, transfer_id=holder, ttl_s=600))
        assert (claim.holder, claim.fingerprint) == self.request
        assert claim.is_new == (claim.holder == holder)

    @rule(holder=HOLDERS)
    def a_request_is_released(self, holder: str) -> None:
        if self.request and self.request[0] == holder:
            self.request = None
        self.do(self.store.release_request(self.key, transfer_id=holder))

    @rule(holder=HOLDERS)
    def a_room_is_claimed(self, holder: str) -> None:
        self.room = self.room or holder
        assert self.do(self.store.claim_room(self.key, transfer_id=holder, ttl_s=600)) == self.room

    @rule(before=HOLDERS, holder=HOLDERS)
    def a_room_is_taken_over(self, before: str, holder: str) -> None:
        expected = self.room in (before, holder)
        if expected:
            self.room = holder
        taken = self.store.take_over_room(self.key, holder=before, transfer_id=holder, ttl_s=600)
        assert self.do(taken) == expected

    @rule(holder=HOLDERS)
    def a_room_is_released(self, holder: str) -> None:
        if self.room == holder:
            self.room = None
        self.do(self.store.release_room(self.key, transfer_id=holder))
