"""The life of a simulated call, from dialling to its end: what the carrier does, and the agent at the phone."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal, Protocol, TypeAlias
from urllib.parse import urljoin

from websockets.exceptions import InvalidHandshake

from relay.dev.carrier_call import EndedBy, SimulatedCall
from relay.dev.carrier_document import DocumentError, HangUp, Pause, Redirect, Say, Stream, Verb
from relay.dev.carrier_outcomes import Answers, Declines, Detection, Rings
from relay.dev.carrier_webhooks import Kind, Message, Sender, Webhook
from relay.dev.interruption import Interrupted
from relay.dev.phone import Call, SimulatedPhone
from relay.dev.phone_wire import PhoneWire

DOCUMENTS_MAX: Final = 50  # no transfer needs as many: one that leads to itself would never end
DAY_S: Final = 86400.0
LOST: Final = 1006


StreamNews: TypeAlias = Literal["opened", "closed", "failed"]


class Manner(Protocol):
    """How a carrier goes about a call that somebody answered."""

    close_ends_call: bool
    """The end of a stream ends the call, unless a document goes on behind it."""
    refusal_ends_call: bool
    """A stream that cannot be opened is one that ended; else whoever picked up is left in silence."""
    opens_on_demand: bool
    """A call that was answered waits for the relay to ask for its streams, and asks for no document."""
    subprotocols: tuple[str, ...]
    """Of the media WebSocket; the relay must select one of them, if there are any."""

    def answer(self, call: SimulatedCall, url: str) -> Message:
        """What asks the relay for a document."""

    def verbs_of(self, fetched: Webhook) -> tuple[Verb, ...]:
        """
        What the document says that came.

        Raises:
            DocumentError: it cannot be used.
        """

    def media_url(self, stream: Stream) -> str:
        """The URL that a stream's upgrade goes to, and is signed for."""

    def wire(self, call: Call, stream: Stream) -> PhoneWire:
        """How the stream is spoken."""

    def about_stream(self, call: SimulatedCall, stream: Stream, news: StreamNews) -> Message | None:
        """The callback that tells of a stream's beginning and end; None if nobody wants it."""


async def live(
    call: SimulatedCall, sender: Sender, manner: Manner, *, phone: Callable[..., SimulatedPhone] = SimulatedPhone
) -> None:
    """Live to the end, callbacks included. Cancelled, the call ends at once and without a word."""
    life = _Life(call, sender, manner, phone)
    try:
        await life.run()
        await call.courier.idle()
    finally:
        life.cancel_timers()
        await call.courier.close()


class _Life:
    def __init__(
        self, call: SimulatedCall, sender: Sender, manner: Manner, phone: Callable[..., SimulatedPhone]
    ) -> None:
        self._call = call
        self._sender = sender
        self._manner = manner
        self._phone = phone
        self._timers: list[asyncio.TimerHandle] = []

    def cancel_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()

    async def run(self) -> None:
        with contextlib.suppress(Interrupted):  # the call has been ended, and the relay is told
            await self._dial()
        self.cancel_timers()

    async def _dial(self) -> None:
        call, callee = self._call, self._call.outcome.callee
        call.report("initiated", "initiated")
        await self._in_step()
        match callee:
            case Answers():
                if await self._ring(callee.after_s):
                    await self._answer(callee)
            case Rings():
                await self._ring(math.inf)
            case Declines(status="busy"):
                if await self._ring(callee.after_s):
                    call.end("busy", EndedBy.CARRIER, sip_code=callee.sip_code)
            case Declines():
                await self._pass(callee.after_s)
                call.end(callee.status, EndedBy.CARRIER, sip_code=callee.sip_code)

    async def _ring(self, duration_s: float) -> bool:
        """Ring for so long, or until the order's time-out ends the call: False."""
        call = self._call
        call.status = "ringing"
        call.report("ringing", "ringing")
        await self._in_step()
        await self._pass(min(duration_s, call.order.ring_timeout_s))
        if duration_s >= call.order.ring_timeout_s:
            call.end("no-answer", EndedBy.CARRIER)
        return call.is_live

    async def _answer(self, callee: Answers) -> None:
        """Do what the dial says, or the documents, to their end."""
        call = self._call
        call.answered_at = datetime.now(UTC)
        call.status = "in-progress"
        call.report("answered", "in-progress")
        self._after(call.order.time_limit_s, functools.partial(call.hang_up, EndedBy.TIME_LIMIT))
        if callee.hangs_up_after_s is not None:
            self._after(callee.hangs_up_after_s, call.hang_up)
        if callee.detected is not None and call.order.detection_url:
            found, timeout_s = callee.detected, call.order.detection_timeout_s
            if found.after_s > timeout_s:
                found = Detection("unknown", timeout_s)
            self._after(found.after_s, functools.partial(call.report_detection, found))
        while self._manner.opens_on_demand:  # until somebody hangs up
            async with call.over.awaiting():
                stream = await call.wanted.get()
            await self._stream(stream, callee)
        if call.order.stream is not None:
            await self._stream(call.order.stream, callee)
            if not self._manner.close_ends_call:
                await self._pass(DAY_S)  # without a stream, until somebody hangs up
        url: str | None = call.order.answer_url or None
        for _ in range(DOCUMENTS_MAX):
            if url is None:
                break
            url = await self._follow(url, callee)
        else:
            call.violate(f"documents: expected at most {DOCUMENTS_MAX} for one call, got one more")
        call.end("completed", EndedBy.DOCUMENT)

    async def _follow(self, url: str, callee: Answers) -> str | None:
        """Fetch a document and do what it says; returns the URL of the next, if there is one."""
        for verb in await self._fetch(url):
            if not self._call.is_live:
                break
            match verb:
                case Say(text):
                    await self._speak(text, callee)
                case Pause(duration_s):
                    await self._pass(duration_s)
                case Stream():
                    await self._stream(verb, callee)
                case Redirect(then):
                    return urljoin(url, then)
                case HangUp():
                    return None
        return None

    async def _speak(self, text: str, callee: Answers) -> None:
        self._call.spoken.append(text)
        self._call.changed()
        if callee.speech_characters_per_s is not None:
            await self._pass(len(text) / callee.speech_characters_per_s)

    async def _fetch(self, url: str) -> tuple[Verb, ...]:
        """The verbs of the document there; none, with a violation, if it cannot be used: the carrier hangs up."""
        async with self._call.over.awaiting():
            webhook = self._sender.sealed(Kind.ANSWER, self._manner.answer(self._call, url))
            fetched = await self._sender.send(webhook)
        self._call.note(fetched)
        if not fetched.is_accepted:
            return ()
        try:
            return self._manner.verbs_of(fetched)
        except DocumentError as error:
            self._call.violate(f"document: {error}")
            return ()

    async def _stream(self, stream: Stream, callee: Answers) -> None:
        """Carry a media stream to its end; returns if the document goes on behind it, or the call has ended."""
        call = self._call
        url, headers = self._sender.signed_upgrade(self._manner.media_url(stream))
        start = self._start(stream)
        phone = self._phone(
            url,
            callee.says,
            call=start,
            network=callee.network,
            headers=headers | dict(stream.headers),
            wire=self._manner.wire(start, stream),
            subprotocols=self._manner.subprotocols,
        )
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with call.over.awaiting():
                    await stack.enter_async_context(phone)
            except (InvalidHandshake, OSError) as error:
                call.violate(f"media: expected a WebSocket, got {str(error) or type(error).__name__}")
                self._tell(stream, "failed")
                call.changed()
                if not self._manner.refusal_ends_call:
                    await self._pass(DAY_S)
                self._lost(callee)
                return
            self._tell(stream, "opened")
            self._begin(phone, callee)
            await phone.changes.until(
                lambda: phone.closed is not None or not call.is_live, "the stream's end", timeout_s=DAY_S
            )
        self._tell(stream, "closed")
        call.changed()
        if phone.stopped:
            call.hang_up()
        elif phone.closed is not None and phone.closed.code == LOST:
            self._lost(callee)

    def _start(self, stream: Stream) -> Call:
        call = self._call
        return Call(
            stream.parameters,
            call_sid=call.sid,
            account_sid=call.account_sid,
            from_number=call.order.from_number,
            to=call.to,
        )

    def _begin(self, phone: SimulatedPhone, callee: Answers) -> None:
        self._call.phones.append(phone)
        if len(self._call.phones) == 1:  # it is one agent, who presses each key once
            for press in callee.presses:
                self._after(press.after_s, functools.partial(self._call.press, press.digit))
        if callee.media_for_s == 0:
            phone.withhold_media()
        elif callee.media_for_s is not None:
            self._after(callee.media_for_s, phone.withhold_media)
        self._call.changed()

    def _tell(self, stream: Stream, news: StreamNews) -> None:
        message = self._manner.about_stream(self._call, stream, news)
        if message is not None:
            self._call.courier.hurry(self._sender.sealed(Kind.STREAM, message))

    def _lost(self, callee: Answers) -> None:
        if self._manner.close_ends_call and not callee.reconnects:
            self._call.end("completed", EndedBy.NETWORK)

    async def _in_step(self) -> None:
        async with self._call.over.awaiting():
            await self._call.courier.in_step()

    async def _pass(self, duration_s: float) -> None:
        async with self._call.over.awaiting():
            await asyncio.sleep(duration_s)

    def _after(self, delay_s: float, act: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(delay_s, act))
