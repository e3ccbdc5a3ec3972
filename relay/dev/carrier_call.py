"""One call of the simulated carrier as it is: its status, phones and webhooks, and what the relay is told of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Protocol

import structlog

from relay.dev.carrier_document import Stream
from relay.dev.carrier_order import Order
from relay.dev.carrier_outcomes import Detection, Outcome
from relay.dev.carrier_webhooks import Courier, Kind, Message, Sender, Webhook
from relay.dev.interruption import Interruption
from relay.dev.phone import SimulatedPhone
from relay.dev.until import Changes

TERMINAL: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
TIMEOUT_S: Final = 10.0


log = structlog.get_logger(__name__)


class EndedBy(StrEnum):
    """Who or what ended a call."""

    AGENT = "agent"
    RELAY = "relay"
    """By REST."""
    DOCUMENT = "document"
    """There was nothing more in it."""
    NETWORK = "network"
    """The media stream was lost, or could not be opened."""
    TIME_LIMIT = "time limit"
    CARRIER = "carrier"
    """It never came to an answer, or the simulated carrier was closed."""


@dataclass(frozen=True, slots=True)
class CallIds:
    """
    What a carrier calls a call.

    Args:
        sid: its id: REST commands and callbacks have it.
        placed: the id that the answer to the dial has; the same, at most carriers.
        others: more of them, that callbacks have.
    """

    sid: str
    placed: str
    others: tuple[str, ...] = ()


class Teller(Protocol):
    """How a carrier speaks of a call to its relay. Statuses and events are Twilio's words; each says its own."""

    def new_ids(self, order: Order) -> CallIds:
        """Those of a new call."""

    def form(self, call: SimulatedCall, status: str) -> dict[str, str]:
        """The fields that all webhooks of a call have."""

    def progress(self, call: SimulatedCall, event: str, status: str) -> Message | None:
        """The callback of an event: ``initiated``, ``ringing``, ``answered`` or, at every end, ``completed``."""

    def detection(self, call: SimulatedCall, found: Detection) -> Message | None:
        """The callback that tells who or what picked up."""


class SimulatedCall:
    """
    A call that was placed.

    Args:
        order, outcome: what was asked for, and what happens.
        teller: how the relay is told of it.
        account_sid: in every message.
        sender: for its webhooks.
        changed: called after every change.
    """

    def __init__(
        self,
        order: Order,
        outcome: Outcome,
        *,
        teller: Teller,
        account_sid: str,
        sender: Sender,
        changed: Callable[[], None],
    ) -> None:
        self.ids = teller.new_ids(order)
        self.sid = self.ids.sid
        self.account_sid = account_sid
        self.order = order
        self.outcome = outcome
        self.status = "queued"
        self.created_at = datetime.now(UTC)
        self.answered_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.hung_up_by: EndedBy | None = None
        self.sip_code: int | None = None
        """Why it came to no answer, if that is known."""
        self.detected: Detection | None = None
        """Who or what picked up, once that is known."""
        self.wanted: asyncio.Queue[Stream] = asyncio.Queue()
        """Streams that the relay has asked for, where they are opened on demand."""
        self.told = 0
        """How many status callbacks were made."""
        self.phones: list[SimulatedPhone] = []
        """One for each media stream that was opened."""
        self.spoken: list[str] = []
        """What documents had said to the agent, the last of it perhaps not to its end yet."""
        self.webhooks: list[Webhook] = []
        """All that were sent, in the order in which they were answered."""
        self.over = Interruption()
        """Interrupts its life when it ends."""
        self.courier = Courier(self._bring, outcome.delivery)
        self._teller = teller
        self._sender = sender
        self._changes = Changes()
        self._carrier_changed = changed
        self._violations: list[str] = list(order.violations)
        self._keys_heard = ""

    def __repr__(self) -> str:
        return f"<simulated call {self.sid}, {self.status}>"

    @property
    def to(self) -> str:
        """The number that was dialled."""
        return self.order.to

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.status not in TERMINAL

    @property
    def duration_s(self) -> int | None:
        """How long it was answered, in whole seconds; None if it never was, or has not ended."""
        if self.answered_at is None or self.ended_at is None:
            return None
        return math.ceil((self.ended_at - self.answered_at).total_seconds())

    @property
    def phone(self) -> SimulatedPhone | None:
        """The agent's phone, on the newest media stream."""
        return self.phones[-1] if self.phones else None

    @property
    def keys_heard(self) -> str:
        """What the relay let the agent's phone hear, by REST and over streams; pauses are ``w`` and ``W``."""
        return self._keys_heard + "".join(phone.keys_heard for phone in self.phones)

    @property
    def answer_documents(self) -> list[str]:
        """The documents that were fetched, in order."""
        return [webhook.reply_body for webhook in self.webhooks if webhook.kind is Kind.ANSWER and webhook.is_accepted]

    @property
    def callbacks_sent(self) -> list[Webhook]:
        """The status and detection callbacks, each with the relay's answer to it."""
        return [webhook for webhook in self.webhooks if webhook.kind is not Kind.ANSWER]

    @property
    def violations(self) -> list[str]:
        """What the relay did that the carrier would refuse, ignore or warn of; media included."""
        return [*self._violations, *(violation for phone in self.phones for violation in phone.violations)]

    async def until(
        self, met: Callable[[SimulatedCall], bool], what: str = "condition", *, timeout_s: float = TIMEOUT_S
    ) -> None:
        """
        Return when ``met``, which is asked after every change but those of media; for these there is ``phone.until``.

        Raises:
            TimeoutError: it was not, for so long.
        """
        await self._changes.until(lambda: met(self), f"{self!r}, {what}", timeout_s=timeout_s)

    async def until_phone(self, *, timeout_s: float = TIMEOUT_S) -> SimulatedPhone:
        """
        Return the agent's phone when it has a media stream.

        Raises:
            TimeoutError: it has none, for so long.
        """
        await self.until(lambda call: call.phone is not None, "a media stream", timeout_s=timeout_s)
        return self.phones[-1]

    def hang_up(self, by: EndedBy = EndedBy.AGENT) -> None:
        """End the call, whatever it is doing; nothing if it has ended."""
        self.end("canceled" if self.answered_at is None else "completed", by)

    def press(self, digit: str) -> None:
        """The agent presses a key; nothing without a media stream."""
        if self.phone is not None and self.phone.closed is None:
            self.phone.dtmf(digit)

    def hear(self, digits: object, keys: str) -> bool:
        """The relay wants its phone to hear these, of the carrier's keys, by REST; False: it cannot."""
        if not isinstance(digits, str) or not digits or set(digits) - set(keys):
            self.violate(f"keys: expected some of {keys}, got others")
            return False
        if self.answered_at is None or not self.is_live:
            return False
        self._keys_heard += digits
        self.changed()
        return True

    def report(self, event: str, status: str) -> None:
        """Tell the relay of its progress, if it asked for this event; ``completed`` is every end."""
        log.info("simulated_call.progress", call_sid=self.sid, status=status, violations=len(self.violations))
        message = self._teller.progress(self, event, status)
        if message is not None:
            self.told += 1
            self.courier.take(self._sender.sealed(Kind.STATUS, message), is_last=event == "completed")
        self.changed()

    def report_detection(self, detection: Detection) -> None:
        """Tell the relay who or what picked up."""
        self.detected = detection
        message = self._teller.detection(self, detection)
        if message is not None:
            self.courier.hurry(self._sender.sealed(Kind.DETECTION, message))
        self.changed()

    def end(self, status: str, by: EndedBy, *, sip_code: int | None = None) -> None:
        """It has ended: interrupt its life and tell the relay. Nothing if it had."""
        if not self.is_live:
            return
        self.hung_up_by = by
        self.ended_at = datetime.now(UTC)
        self.status = status
        self.sip_code = sip_code
        self.report("completed", status)
        self.over.interrupt()
        if self.phone is not None:
            self.phone.changes.changed()

    def form(self, status: str) -> dict[str, str]:
        """The fields that all webhooks of a call have."""
        return self._teller.form(self, status)

    def note(self, webhook: Webhook) -> None:
        """Remember a webhook that was sent."""
        self.webhooks.append(webhook)
        if not webhook.is_accepted:
            name = f"{webhook.kind} {webhook.call_status}".rstrip()
            self.violate(f"{name}: expected 2xx, got {webhook.reply_status or webhook.error}")
        self.changed()

    def violate(self, what: str) -> None:
        """Remember what the relay should not have done."""
        self._violations.append(what)

    def changed(self) -> None:
        """Let those that wait look again."""
        self._changes.changed()
        self._carrier_changed()

    async def _bring(self, webhook: Webhook) -> None:
        self.note(await self._sender.send(webhook))
