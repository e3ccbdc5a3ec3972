"""The course of one transfer: what each thing that happens makes of it, and what has to be done then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from relay.errors import StoreUnavailable
from relay.transfers.clock import CallLater, Timer
from relay.transfers.course_news import Asked, Close, Dialed, Expired, News, Undetected
from relay.transfers.course_settings import CourseSettings
from relay.transfers.ledger import Ledger
from relay.transfers.media_tokens import MediaTokens
from relay.transfers.phone_leg import PhoneLeg
from relay.transfers.ports import (
    BothHeard,
    Bridge,
    BridgeEnded,
    BridgeEvent,
    Carrier,
    DialAnswer,
    KeyPressed,
    MachineDetected,
    MediaBack,
    MediaLost,
    MediaStarted,
    PhoneAlive,
    PhoneAnswered,
    PhoneEnded,
    PhoneRang,
    PhoneReport,
    Placed,
    Refused,
    StreamFailed,
    TryLater,
    Unclear,
)
from relay.transfers.reasons import Reason
from relay.transfers.record import Accept, TransferOrder
from relay.transfers.states import UNJOINED, Event, State

ACCEPT_KEY: Final = "1"
DECLINE_KEY: Final = "2"
LAST_WORD_S: Final = 0.5
"""A carrier's word that the call is over may come before the bridge's, which knows whether its stream broke."""


class Course:
    """
    Decides about one transfer, one thing after the other; the table of ``states`` says which of them count.

    Args:
        order: what was asked for.
        bridge: the transfer's.
        phone: the transfer's.
        carrier: asked what it can do, and for nothing else.
        ledger: where it is written.
        tokens: of its media streams.
        tell: takes news of its own, later.
        settings: the bounds.
        call_later: the clock.
        log: bound to the transfer.
    """

    def __init__(
        self,
        order: TransferOrder,
        bridge: Bridge,
        *,
        phone: PhoneLeg,
        carrier: Carrier,
        ledger: Ledger,
        tokens: MediaTokens,
        tell: Callable[[News], None],
        settings: CourseSettings,
        call_later: CallLater,
        log: FilteringBoundLogger,
    ) -> None:
        self._order = order
        self._bridge = bridge
        self._phone = phone
        self._carrier = carrier
        self._ledger = ledger
        self._tokens = tokens
        self._tell = tell
        self._settings = settings
        self._call_later = call_later
        self._log = log
        self._deadline: tuple[Expired, Timer] | None = None
        self._detecting: Timer | None = None
        self._is_admitted = order.accept is Accept.NONE
        self._is_heard_ringing = False
        self._key_decides = order.accept is Accept.PRESS_1
        self._key: str | None = None
        self._is_phone_over = False
        self.has_media = False
        """The carrier has a stream open: somebody is on the line, and hears it."""

    async def begin(self) -> Close | None:
        """Dial, unless it is to end already, or another may have dialled."""
        if not self._phone.may_dial:
            return None
        if not await self._ledger.write_first(Event.DIALED):
            return Close(Reason.INTERNAL_ERROR)
        media_token = None
        if self._carrier.opens_stream_at_dial:
            media_token = await self._token_for_dial()
            if media_token is None:
                return Close(Reason.INTERNAL_ERROR)
        self._expect(self._order.ring_timeout_s, self._why_unanswered)
        self._phone.dial(media_token=media_token)
        return None

    async def take(self, news: News) -> Close | None:
        """Do what has to be done; what is returned is the end."""
        match news:
            case Close():
                return news
            case Expired():
                is_due = self._deadline is not None and self._deadline[0] is news
                return Close(news.why(), news.code) if is_due else None
            case Dialed(answer):
                return await self._on_dialed(answer)
            case Asked():
                return await self._on_asked(news)
            case PhoneReport():
                return await self._on_report(news)
        return await self._on_bridge(news)

    def expect_nothing(self) -> None:
        """Nothing is waited for any longer."""
        if self._detecting is not None:
            self._detecting.cancel()
        if self._deadline is not None:
            self._deadline[1].cancel()
            self._deadline = None

    # The phone

    async def _token_for_dial(self) -> str | None:
        try:
            return await self._tokens.mint(0, unanswered_s=self._order.ring_timeout_s)
        except StoreUnavailable as error:
            self._log.error("token_not_minted", detail=str(error))
            return None

    async def _on_dialed(self, answer: DialAnswer) -> Close | None:
        if isinstance(answer, Refused):
            self._log.warning("dial_refused", code=answer.code, detail=answer.detail)
            return Close(answer.reason, answer.code)
        if isinstance(answer, Unclear):
            self._log.warning("dial_unclear", detail=answer.detail)
        await self._write_placed()
        if isinstance(answer, Placed) and answer.is_final:
            self._taken()
        return None

    async def _on_report(self, report: PhoneReport) -> Close | None:
        if not self._phone.see(report):
            return None
        await self._write_placed()
        match report.news:
            case PhoneAlive():
                self._taken()
            case PhoneRang():
                if await self._ledger.write(Event.RANG, event_id=report.event_id):
                    self._ring()
            case PhoneAnswered():
                await self._answered(report.event_id)
            case MachineDetected(is_machine):
                return self._on_detected(is_machine=is_machine)
            case StreamFailed(detail):
                return self._on_stream_failed(detail)
            case PhoneEnded():
                return self._on_ended(report.news)
        return None

    def _on_stream_failed(self, detail: str) -> Close | None:
        """Whoever has picked up hears nothing, and nothing will come. Of a stream that was there the bridge tells."""
        self._log.warning("stream_failed", detail=detail)
        return None if self.has_media else Close(Reason.MEDIA_LOST)

    def _on_ended(self, ended: PhoneEnded) -> Close | None:
        """The call is over; what the carrier takes for the agent's hanging up may have been something else."""
        if ended.reason is not Reason.AGENT_HUNG_UP:
            return Close(ended.reason, ended.code)
        if self._state in (State.DIALING, State.RINGING):  # some carriers say "completed" of every end
            return Close(Reason.NO_ANSWER, ended.code)
        if self._ledger.transfer.reconnecting:
            return Close(Reason.MEDIA_LOST)  # with its stream the carrier has ended the call
        if self._state is not State.JOINED:
            return Close(ended.reason, ended.code)
        if not self._is_phone_over:  # a callback that comes again makes it no longer
            self._is_phone_over = True
            self._expect(LAST_WORD_S, lambda: ended.reason, ended.code)
        return None

    def _taken(self) -> None:
        """The carrier has the call: it rings as far as anybody will ever know, where that is not told."""
        if not self._carrier.tells_ringing and self._state is State.DIALING:
            self._ring()

    def _ring(self) -> None:
        """Let the customer hear that it rings; from the first time on, as the tone has a beginning."""
        if self._settings.ringback and not self._is_heard_ringing:
            self._is_heard_ringing = True
            self._bridge.ring()

    async def _on_asked(self, asked: Asked) -> Close | None:
        token = None
        try:
            self._phone.know(asked.call_id, asked.placed_id)
            if asked.call_id == self._phone.call_id and self._may_stream(asked.stream):
                await self._write_placed()
                await self._answered("")
                token = await self._tokens.mint(asked.stream)
        except StoreUnavailable as error:
            self._log.error("token_not_minted", detail=str(error))
            return Close(Reason.INTERNAL_ERROR)
        finally:
            asked.reply(token)
        return None

    async def _answered(self, event_id: str) -> None:
        """Somebody, or something, has picked up: whoever says so first counts."""
        if self._state in (State.DIALING, State.RINGING) and await self._ledger.write(
            Event.ANSWERED, event_id=event_id
        ):
            self._expect(self._settings.answer_timeout_s + self._order.say_s, lambda: Reason.MEDIA_TIMEOUT)

    def _on_detected(self, *, is_machine: bool | None) -> Close | None:
        if self._is_admitted or self._order.accept is not Accept.DETECTION:
            return None
        if is_machine:
            return Close(Reason.VOICEMAIL)
        if is_machine is None:
            return self._let_key_decide("the carrier cannot tell who picked up")
        self._admit()
        return None

    def _let_key_decide(self, why: str) -> Close | None:
        """Nobody is let in unproven, and who is a person can show it, or has done so already."""
        if self._is_admitted or self._key_decides:
            return None
        self._log.info("detection_undecided", detail=f"the agent's key decides: {why}")
        self._key_decides = True
        return self._decide()

    async def _write_placed(self) -> None:
        call_id = self._phone.call_id
        if call_id is not None and self._ledger.transfer.provider_call_id != call_id:  # none yet, or the dial's
            await self._ledger.write(Event.PLACED, changes={"provider_call_id": call_id})

    def _may_stream(self, stream: int) -> bool:
        """
        Whether the carrier may ask for its ``stream``-th stream now; that it is the next one, the store sees to.

        A later one than the first follows a stream that broke, or could not be opened: the call has been answered.
        """
        return self._state in (State.ANSWERED, State.JOINED) if stream else self._state in UNJOINED

    def _why_unanswered(self) -> Reason:
        if self._phone.call_id is not None:
            return Reason.NO_ANSWER
        return Reason.PROVIDER_BUSY if isinstance(self._phone.answer, TryLater) else Reason.DIAL_UNKNOWN

    # The bridge

    async def _on_bridge(self, event: BridgeEvent | Undetected) -> Close | None:
        match event:
            case Undetected():  # since its stream began
                return self._let_key_decide("the carrier has not said who picked up")
            case MediaStarted(call_id):
                return await self._on_media(call_id)
            case KeyPressed(digit):
                return self._on_key(digit)
            case BridgeEnded(reason):
                return Close(reason, is_told=True)
            case BothHeard():
                if await self._ledger.write(Event.JOINED):
                    self.expect_nothing()
            case MediaLost():
                self.has_media = False
                await self._ledger.write(Event.MEDIA_LOST)
                if self._is_phone_over or not self._carrier.reopens_stream:  # nobody brings another
                    return Close(Reason.MEDIA_LOST)
            case MediaBack():
                await self._ledger.write(Event.MEDIA_BACK)
        return None

    async def _on_media(self, call_id: str) -> Close | None:
        if self._carrier.opens_stream_at_dial and self._phone.call_id is None:  # it may be faster than what is signed
            self._phone.know(call_id)
            await self._write_placed()
        if call_id != self._phone.call_id:
            self._log.error("media_of_another_call", detail="expected the call of the signed webhook, got another")
            return Close(Reason.PROVIDER_ERROR)
        is_first = not self.has_media
        self.has_media = True
        await self._answered("")
        if is_first:  # streams that come to nothing, one after the other, do not make the wait longer
            self._expect_audience()
        return None

    def _on_key(self, digit: str) -> Close | None:
        if self._is_admitted or digit not in (ACCEPT_KEY, DECLINE_KEY):
            return None
        self._key = digit  # while a verdict may come it counts for nothing, but is not forgotten
        return self._decide() if self._key_decides else None

    def _decide(self) -> Close | None:
        """By the last key, if there was one."""
        if self._key == DECLINE_KEY:
            return Close(Reason.DECLINED)
        if self._key == ACCEPT_KEY:
            self._admit()
        return None

    def _admit(self) -> None:
        self._is_admitted = True
        self._bridge.admit()
        if self.has_media:
            self._expect_audience()

    # Deadlines: there is one at a time

    def _expect_audience(self) -> None:
        if self._state not in UNJOINED:
            return
        if self._is_admitted:
            self._expect(self._settings.join_timeout_s, lambda: Reason.MEDIA_TIMEOUT)
        else:
            self._expect(self._settings.accept_timeout_s, lambda: Reason.VOICEMAIL)
            if not self._key_decides and self._detecting is None:  # some carriers say nothing of whom they cannot tell
                within_s = self._settings.detection_timeout_s
                self._detecting = self._call_later(within_s, lambda: self._tell(Undetected()))

    def _expect(self, within_s: float, why: Callable[[], Reason], code: str = "") -> None:
        """What is waited for next must happen within so long, else the transfer ends."""
        if self._deadline is not None:
            self._deadline[1].cancel()
        expired = Expired(why, code)
        self._deadline = expired, self._call_later(within_s, lambda: self._tell(expired))

    @property
    def _state(self) -> State:
        return self._ledger.transfer.state
