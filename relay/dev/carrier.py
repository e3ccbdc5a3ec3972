"""
A simulated carrier: its REST interface, and calls that use a relay as the carrier's do. Its dialect says which.

It signs its webhooks, fetches and parses the answer document, opens the media stream that it finds there or in the
dial, and plays what it gets through a playout clock. What happens to a number that is dialled is a ``Script``. It
listens on 127.0.0.1 unless told otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp import web

from relay.dev.carrier_call import EndedBy, SimulatedCall
from relay.dev.carrier_life import live
from relay.dev.carrier_order import Order
from relay.dev.carrier_outcomes import ANSWERED, Outcome, Script, outcome_of
from relay.dev.carrier_rest import application
from relay.dev.carrier_webhooks import Origins, Sender, Webhook
from relay.dev.carriers.dialect import Dialect, KeepsThings
from relay.dev.carriers.twilio import ACCOUNT_SID, AUTH_TOKEN, Twilio
from relay.dev.phone import SimulatedPhone
from relay.dev.until import Changes

__all__ = ["ACCOUNT_SID", "AUTH_TOKEN", "SimulatedCarrier"]

TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 3.0  # a relay that is asked to end its calls has 2 s for the closing handshake
SHUTDOWN_S: Final = 0.1  # a request that hangs on purpose is not waited for


class SimulatedCarrier:
    """
    ``async with SimulatedCarrier(script=...) as carrier:`` and let a relay use ``carrier.api_url`` for Twilio's.

    Leaving the block hangs up all calls, see ``hang_up_all``.

    Args:
        dialect: which carrier it is; Twilio unless given.
        account_sid, auth_token: of the one account, as its REST interface wants them; the dialect's unless given.
        script: what happens to a number that is dialled; see ``carrier_outcomes``. It can be changed at any time.
        host, port: where to listen; port 0 is any free one, see ``port``.
        phone: makes the phone of each media stream, as ``SimulatedPhone`` does.

    Raises:
        OSError: it cannot listen there (on entering).
    """

    def __init__(
        self,
        *,
        dialect: Dialect | None = None,
        account_sid: str | None = None,
        auth_token: str | None = None,
        script: Script = ANSWERED,
        host: str = "127.0.0.1",
        port: int = 0,
        phone: Callable[..., SimulatedPhone] = SimulatedPhone,
    ) -> None:
        self.dialect: Dialect = Twilio() if dialect is None else dialect
        self.account_sid = self.dialect.account if account_sid is None else account_sid
        self.auth_token = self.dialect.secret if auth_token is None else auth_token
        self.script = script
        self.host = host
        self.port = port
        self.calls: list[SimulatedCall] = []
        """All that were placed, the oldest first."""
        self.dial_requests: list[str] = []
        """The numbers of all requests to dial that were authorised, refused or not; empty without a number."""
        self.violations: list[str] = []
        """What the relay did against the REST interface, calls apart."""
        self._phone = phone
        self._origins = Origins()
        self._changes = Changes()
        self._lives: set[asyncio.Task[None]] = set()
        self._sender: Sender | None = None
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    def __repr__(self) -> str:
        return (
            f"<simulated carrier ({self.dialect.title}) on {self.host}:{self.port}, {len(self.live_calls)} live calls>"
        )

    @property
    def api_url(self) -> str:
        """The base URL of the REST interface: stands in for Twilio's ``https://api.twilio.com``, say."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def live_calls(self) -> list[SimulatedCall]:
        """Calls that have not ended."""
        return [call for call in self.calls if call.is_live]

    @property
    def left_over(self) -> Sequence[str]:
        """What there is now beside calls that a relay has made and must remove: only some carriers have it."""
        return self.dialect.left_over() if isinstance(self.dialect, KeepsThings) else ()

    @property
    def dials(self) -> int:
        """How many calls were placed."""
        return len(self.calls)

    def reach(self, public: str, local: str) -> None:
        """Connect to ``local``, ``http://127.0.0.1:8080``, for the origin ``public``, ``https://relay.example.com``."""
        self._origins.reach(public, local)

    async def replay(self, webhook: Webhook) -> Webhook:
        """Send a webhook of a call once more, the same to its last byte; returns it with the relay's new answer."""
        return await self._sending.send(webhook)

    async def until(
        self, met: Callable[[SimulatedCarrier], bool], what: str = "condition", *, timeout_s: float = TIMEOUT_S
    ) -> None:
        """
        Return when ``met``, which is asked after every change of a call but those of media (``call.phone.until``).

        Raises:
            TimeoutError: it was not, for so long.
        """
        await self._changes.until(lambda: met(self), f"{self!r}, {what}", timeout_s=timeout_s)

    async def until_call(self, number: int = 0, *, timeout_s: float = TIMEOUT_S) -> SimulatedCall:
        """
        Return the call of this number, from 0, when it has been placed.

        Raises:
            TimeoutError: it has not, for so long.
        """
        await self.until(lambda carrier: len(carrier.calls) > number, f"call {number}", timeout_s=timeout_s)
        return self.calls[number]

    async def until_idle(self, *, timeout_s: float = TIMEOUT_S) -> None:
        """
        Return when no call is live and no callback is under way.

        Raises:
            TimeoutError: one was, for so long.
        """
        await self.until(lambda _: not self._lives, "all calls over", timeout_s=timeout_s)

    async def hang_up_all(self) -> None:
        """Hang up all calls, and wait for a relay to take note of it for at most ``CLOSE_TIMEOUT_S``."""
        for call in self.live_calls:
            call.hang_up(EndedBy.CARRIER)
        if self._lives:
            await asyncio.wait(self._lives, timeout=CLOSE_TIMEOUT_S)

    def outcome(self, to: str) -> Outcome:
        """What the script says of a number."""
        return outcome_of(self.script, to)

    def place(self, order: Order) -> SimulatedCall:
        """Place a call; it begins at once, whether or not the request that asked for it is answered."""
        call = SimulatedCall(
            order,
            self.outcome(order.to),
            teller=self.dialect,
            account_sid=self.account_sid,
            sender=self._sending,
            changed=self._changes.changed,
        )
        self.calls.append(call)
        life = asyncio.create_task(live(call, self._sending, self.dialect, phone=self._phone))
        self._lives.add(life)
        life.add_done_callback(self._buried)
        self._changes.changed()
        return call

    def noticed(self) -> None:
        """Let those that wait look again."""
        self._changes.changed()

    async def __aenter__(self) -> Self:
        # A connection each: one that is kept may be closed by the relay just as it is used, and a POST is sent once.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        key = self.dialect.signing_key or self.auth_token
        self._sender = Sender(
            self._session, self._origins, auth_token=key, seal=self.dialect, deliver=self.dialect.deliver
        )
        # A client that has gone takes its request with it: one that hangs would be left.
        self._runner = web.AppRunner(
            application(self, self.dialect), access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S
        )
        try:
            await self._runner.setup()
            await web.TCPSite(self._runner, self.host, self.port).start()
        except BaseException:
            await self._close()
            raise
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.hang_up_all()
        finally:
            await self._close()

    async def _close(self) -> None:
        lives = list(self._lives)
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    def _buried(self, life: asyncio.Task[None]) -> None:
        self._lives.discard(life)
        if not life.cancelled() and (error := life.exception()) is not None:
            self.violations.append(f"bug of the simulated carrier: {error!r}")
        self._changes.changed()

    @property
    def _sending(self) -> Sender:
        if self._sender is None:
            raise RuntimeError("simulated carrier: expected to run, got none: use it as `async with`")
        return self._sender
