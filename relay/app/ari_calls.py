"""What relay does about each call of an Asterisk: tells the coordinator, and opens, joins and ends its media."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final, Protocol

import structlog

from relay.app.carrier_urls import CarrierUrls
from relay.app.phone_reports import phone_reports
from relay.providers.asterisk_control import AsteriskControl
from relay.providers.asterisk_events import (
    AriEvent,
    Channels,
    MediaGone,
    MediaReady,
    PhoneChanged,
    PhoneGone,
    PhoneReady,
    Replaced,
    is_up,
    read_application,
    read_channels,
    read_empty_bridges,
    state_report,
)
from relay.providers.control import CallReport, CallStatus, HttpReply, HttpRequest
from relay.transfers.coordinator import Coordinator
from relay.transfers.record import TRANSFER_ID

STREAMS_MAX: Final = 999
"""A stream that breaks so often is no call any longer."""
REOPEN_S: Final = (0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 2.0, 4.0, 8.0, 15.0)
"""
Pauses after media that could not be opened or joined, the last one from then on; media that broke are opened again at
once.
"""
FAILURES_MAX: Final = 20
"""So many in a row, and no transfer waits for these media any longer: a phone is left that Asterisk does not end."""
CLOSE_TIMEOUT_S: Final = 3.0
"""How long the end may take of all media that are there when relay stops."""


class Ask(Protocol):
    """Sends one request to Asterisk; None: it was not answered."""

    async def __call__(self, operation: str, request: HttpRequest) -> HttpReply | None:
        """``operation`` is for metrics."""


@dataclass(slots=True)
class _Call:
    """A call that is being dialled, or that Asterisk has."""

    is_there: bool = False
    """Asterisk has said so, and not that it is over."""
    was_answered: bool = False
    streams: int = 0
    failures: int = 0
    """So often its media could not be opened or joined since they were joined last."""
    has_media: bool = False
    """Asterisk has been asked for its media's channel, and has not said that it is gone."""
    is_joined: bool = False
    """Its media are in its bridge."""
    is_bridged: bool = False
    """Its phone is."""


class AriCalls:
    """
    The calls of one Asterisk, by the ids of their transfers.

    What happens to one call is done about in the order in which it happened; a call that takes its time delays no
    other.

    Args:
        control: makes the requests.
        ask: sends them.
        urls: what media streams are known by.
        coordinator: whose calls they are.
    """

    def __init__(self, control: AsteriskControl, ask: Ask, urls: CarrierUrls, coordinator: Coordinator) -> None:
        self._control = control
        self._ask = ask
        self._urls = urls
        self._coordinator = coordinator
        self._calls: dict[str, _Call] = {}
        self._turns: dict[str, asyncio.Task[None]] = {}  # the last of each call
        self._begun: set[asyncio.Task[None]] = set()  # and all before it
        self._ending: set[str] = set()  # calls whose media are being ended
        self._log = structlog.get_logger()

    def dialling(self, call_id: str) -> None:
        """A call is dialled: it may have rung, and be over, before the dial is answered with ``dialled``."""
        self._calls.setdefault(call_id, _Call())

    def dialled(self, call_id: str, *, is_there: bool) -> None:
        """The dial was answered: whether Asterisk says that it has the call, or had."""
        call = self._calls.get(call_id)
        if call is not None and is_there:
            call.is_there = True
        elif call is not None and not call.is_there:
            del self._calls[call_id]

    def take(self, event: AriEvent) -> None:
        """Begin to do what an event asks for; those of calls that are not relay's are passed over."""
        match event:
            case PhoneChanged(report):
                self._in_turn(report.call_id, partial(self._on_changed, report))
            case PhoneReady(call_id):
                self._in_turn(call_id, partial(self._on_ready, call_id))
            case PhoneGone(call_id):
                self._in_turn(call_id, partial(self._on_gone, event))
            case MediaReady(call_id):
                self._in_turn(call_id, partial(self._on_media, call_id))
            case MediaGone(call_id):
                self._in_turn(call_id, partial(self._on_media_gone, call_id))
            case Replaced():  # it is of no call
                pass

    async def catch_up(self) -> bool:
        """
        Ask what has happened while nobody listened; False: Asterisk did not say.

        A call that is not there any longer is over; one that has been answered is given its media. One that nobody
        here knows is the coordinator's to end, if our application has dialled it. What was left of calls that are no
        more, by a relay that is no more, is ended.
        """
        before = {call_id: call for call_id, call in self._calls.items() if call.is_there}
        had_media = {call_id for call_id, call in before.items() if call.has_media and call_id not in self._turns}
        application = await self._ask("look_up_application", self._control.look_up_application())
        bridges = await self._ask("list_bridges", self._control.list_bridges())
        channels = await self._ask("list_channels", self._control.list_channels())
        own = None if application is None else read_application(application)
        empty = None if bridges is None else read_empty_bridges(bridges)
        there = None if channels is None else read_channels(channels)
        if own is None or empty is None or there is None:
            return False
        for call_id, call in before.items():
            self._see(call_id, call, there, had_media=call_id in had_media)
        for call_id in own & there.phones.keys() - self._calls.keys():
            self.take(PhoneChanged(state_report(call_id, there.phones[call_id])))
        left = {call_id for call_id in empty | there.media if TRANSFER_ID.fullmatch(call_id)}
        for call_id in left - there.phones.keys() - before.keys():
            self._in_turn(call_id, partial(self._end_media, call_id))
        return True

    async def close(self) -> None:
        """
        Do nothing any longer, when what was opened for media has been ended: nobody hears of it from now on.

        An Asterisk that does not answer is not waited for: the next relay ends what is left.
        """
        begun = list(self._begun)
        for turn in begun:
            turn.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        opened = {call_id for call_id, call in self._calls.items() if call.streams}
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await asyncio.gather(*map(self._end_media, opened | self._ending))
        except TimeoutError:
            self._log.warning("ari_media_left", transfer_ids=sorted(self._ending))

    def _see(self, call_id: str, call: _Call, there: Channels, *, had_media: bool) -> None:
        """Take what the list of all channels says of a call as what was not heard of it."""
        state = there.phones.get(call_id)
        if state is None:
            self.take(PhoneGone(call_id, "", 0))
            return
        self.take(PhoneChanged(state_report(call_id, state)))
        if call_id not in there.media and had_media:
            self.take(MediaGone(call_id))
        elif call_id in there.media and not call.is_joined:
            self.take(MediaReady(call_id))
        elif is_up(state):
            self.take(PhoneReady(call_id))

    def _in_turn(self, call_id: str, do: Callable[[], Awaitable[None]]) -> None:
        """Do it when all is done that was begun for this call before."""
        if TRANSFER_ID.fullmatch(call_id):
            turn = asyncio.create_task(self._after(self._turns.get(call_id), call_id, do))
            self._turns[call_id] = turn
            self._begun.add(turn)
            turn.add_done_callback(lambda _: self._forget(call_id, turn))

    def _forget(self, call_id: str, turn: asyncio.Task[None]) -> None:
        self._begun.discard(turn)
        if self._turns.get(call_id) is turn:  # else another waits for it
            del self._turns[call_id]

    async def _after(self, before: asyncio.Task[None] | None, call_id: str, do: Callable[[], Awaitable[None]]) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            await do()
        except Exception:  # noqa: BLE001 - a defect in what is done for one call is no other's
            self._log.exception("ari_call_broke", transfer_id=call_id)

    async def _on_changed(self, report: CallReport) -> None:
        call = self._there(report.call_id)
        call.was_answered = call.was_answered or report.status is CallStatus.ANSWERED
        await self._report(report)

    async def _on_ready(self, call_id: str) -> None:
        call = self._there(call_id)
        call.was_answered = True
        if not call.has_media:  # else it is heard of twice: as it happens, and from a list
            await self._open_media(call_id, call)

    def _there(self, call_id: str) -> _Call:
        call = self._calls.setdefault(call_id, _Call())
        call.is_there = True
        return call

    async def _on_media(self, call_id: str) -> None:
        call = self._calls.get(call_id)
        if call is not None and call.has_media and not call.is_joined:  # without: it is another relay's
            join = self._control.join_media(call_id, is_first=not call.is_bridged)
            again = partial(self._join_again, call_id, call.streams)
            call.is_joined = await self._do(call_id, call, "join_media", join, again=again)
            if call.is_joined:
                call.is_bridged, call.failures = True, 0

    async def _join_again(self, call_id: str, streams: int) -> None:
        """Try what has failed once more, while there are the same media: perhaps there was no bridge."""
        if self._is_apart(call_id, streams):
            await self._ask("open_bridge", self._control.open_bridge(call_id))
            await self._on_media(call_id)

    async def _open_again(self, call_id: str, streams: int) -> None:
        """
        The media's channel was not to be had, or the answer was lost: then it may be there.

        If it is, its end is asked for, and comes as ``MediaGone``.
        """
        if not self._is_apart(call_id, streams):
            return
        call = self._calls[call_id]
        reply = await self._ask("end_media", self._control.end_media(call_id)[0])
        if reply is None or not self._control.read_hang_up(reply):
            self._failed(call_id, call, "end_media", reply, again=partial(self._open_again, call_id, streams))
        elif reply.status == HTTPStatus.NOT_FOUND:
            await self._reopen(call_id, call)

    def _is_apart(self, call_id: str, streams: int) -> bool:
        """Whether a call still waits to be joined with the last of so many streams."""
        call = self._calls.get(call_id)
        return call is not None and call.has_media and not call.is_joined and call.streams == streams

    def _failed(
        self,
        call_id: str,
        call: _Call,
        operation: str,
        reply: HttpReply | None,
        *,
        again: Callable[[], Awaitable[None]],
    ) -> None:
        """Try again in its turn after a pause, in which others' may come, unless it has failed too often."""
        call.failures += 1
        if call.failures in (1, FAILURES_MAX):
            status = None if reply is None else reply.status
            self._log.error(
                "ari_refused", transfer_id=call_id, operation=operation, status=status, failures=call.failures
            )
        if call.failures < FAILURES_MAX:
            pause_s = REOPEN_S[min(call.failures, len(REOPEN_S)) - 1]
            waiting = asyncio.create_task(self._pause(call_id, pause_s, again))
            self._begun.add(waiting)
            waiting.add_done_callback(self._begun.discard)

    async def _pause(self, call_id: str, pause_s: float, do: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(pause_s)
        self._in_turn(call_id, do)

    async def _on_media_gone(self, call_id: str) -> None:
        """It broke, or could not be opened, or the transfer has ended: the coordinator knows."""
        call = self._calls.get(call_id)
        if call is not None and call.has_media:
            if not call.is_joined:
                await asyncio.sleep(REOPEN_S[0])
            await self._reopen(call_id, call)

    async def _reopen(self, call_id: str, call: _Call) -> None:
        call.has_media = call.is_joined = False
        await self._open_media(call_id, call)

    async def _on_gone(self, event: PhoneGone) -> None:
        call = self._calls.pop(event.call_id, _Call())
        await self._report(event.report(was_answered=call.was_answered))
        if call.streams or call.was_answered or is_up(event.state):  # perhaps by a relay that is no more
            await self._end_media(event.call_id)

    async def _open_media(self, call_id: str, call: _Call) -> None:
        """Ask for the next stream as a carrier's webhook does; the coordinator ends a call that nobody wants."""
        stream, call.streams = call.streams, call.streams + 1
        if stream > STREAMS_MAX:
            await self._ask("hang_up", self._control.hang_up(call_id))
            return
        grant = await self._coordinator.answer(call_id, self._control.name, stream=stream, call_id=call_id)
        if grant is None:
            return
        call.has_media = True
        media_url = self._urls.media(self._control.name, call_id, grant.token)
        await self._ask("open_bridge", self._control.open_bridge(call_id))  # joining it shows whether there is one
        again = partial(self._open_again, call_id, call.streams)
        await self._do(call_id, call, "open_media", self._control.open_media(call_id, media_url), again=again)

    async def _end_media(self, call_id: str) -> None:
        self._ending.add(call_id)
        for request in self._control.end_media(call_id):
            await self._ask("end_media", request)
        self._ending.discard(call_id)

    async def _do(
        self, call_id: str, call: _Call, operation: str, request: HttpRequest, *, again: Callable[[], Awaitable[None]]
    ) -> bool:
        """Send what a call cannot do without, and say whether it is done; else ``again`` comes later."""
        reply = await self._ask(operation, request)
        is_done = reply is not None and 200 <= reply.status < 300
        if not is_done:
            self._failed(call_id, call, operation, reply, again=again)
        return is_done

    async def _report(self, report: CallReport) -> None:
        for said in phone_reports(report):
            await self._coordinator.report(report.call_id, self._control.name, said)
