"""The simulated carrier's webhooks: signed, sent in the order asked for, and kept with what the relay answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlencode, urlsplit

import aiohttp

from relay.dev.carrier_outcomes import Delivery
from relay.dev.carrier_signature import TwilioSeal

ANSWER_TIMEOUT_S: Final = 15.0  # Twilio's own: then it gives up, error 11200


class Kind(StrEnum):
    """What a webhook is about."""

    ANSWER = "answer"
    STATUS = "status"
    DETECTION = "detection"
    STREAM = "stream"
    """Of the media stream, and not of the call."""


@dataclass(frozen=True, slots=True)
class Message:
    """
    What a webhook says, before it is signed.

    Args:
        url: public; where it goes.
        form: its fields, in one that is a form.
        body: its JSON, in one that is none.
        status: of the call, in the words that all carriers share here (Twilio's).
    """

    url: str
    form: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    body: bytes | None = field(default=None, repr=False)
    status: str = ""

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        return urlencode(self.form).encode() if self.body is None else self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """
    A webhook as it was sent, and what came back.

    Args:
        url: public, as it was signed; it may be reached elsewhere.
        form: its fields, in one that is a form.
        body: its JSON, in one that is none.
        status: of the call, in one about that.
        reply_status: HTTP's; 0 if none came.
        error: why none came.
        sent_ns: monotonic; 0 before.
    """

    kind: Kind
    url: str
    form: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    status: str = ""
    sent_ns: int = 0
    reply_status: int = 0
    reply_body: str = field(default="", repr=False)
    error: str = ""

    @property
    def call_status(self) -> str:
        """Of the call; empty in one about something else."""
        return self.status or self.form.get("CallStatus", "")

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        return urlencode(self.form).encode() if self.body is None else self.body

    @property
    def is_accepted(self) -> bool:
        """Whether the relay answered with success."""
        return 200 <= self.reply_status < 300


class Origins:
    """Where public origins are reached: stands in for DNS and the proxy in front of a relay, at which TLS ends."""

    def __init__(self) -> None:
        self._local: dict[str, str] = {}

    def reach(self, public: str, local: str) -> None:
        """Connect to ``http://127.0.0.1:8080`` for ``https://relay.example.com``; ``wss://`` goes there as well."""
        self._local[public.rstrip("/")] = local.rstrip("/")

    def local(self, url: str) -> str:
        """The URL to connect to for a public one; the same for an origin that is not known."""
        parts = urlsplit(url)
        http = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        local = self._local.get(f"{http}://{parts.netloc}")
        if local is None:
            return url
        rest = url.removeprefix(f"{parts.scheme}://{parts.netloc}")
        return (local.replace("http", "ws", 1) if parts.scheme.startswith("ws") else local) + rest


class Seal(Protocol):
    """How a carrier proves that it is who it is."""

    def webhook(self, url: str, form: Mapping[str, str], body: bytes, *, secret: str) -> Mapping[str, str]:
        """The headers of a webhook, its ``Content-Type`` among them; ``body`` is all of it, also of a form."""

    def upgrade(self, url: str, *, secret: str) -> Mapping[str, str]:
        """The headers of a media stream's upgrade, to the URL that the carrier was told."""


Deliver: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Brings what is no webhook, as it has no URL, over a connection that the relay has opened."""


class Sender:
    """
    Signs and sends the webhooks of one account.

    Args:
        auth_token: the secret that they are signed with.
        seal: how; Twilio's unless given.
        deliver: brings messages without a URL, of a carrier that has such.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        origins: Origins,
        *,
        auth_token: str,
        seal: Seal | None = None,
        deliver: Deliver | None = None,
    ) -> None:
        self._deliver = deliver
        self._session = session
        self._origins = origins
        self._auth_token = auth_token
        self._seal = seal or TwilioSeal()

    def signed(self, kind: Kind, url: str, form: Mapping[str, str]) -> Webhook:
        """A form to send, once or more often: each sending of it is the same to its last byte."""
        return self.sealed(kind, Message(url, form))

    def sealed(self, kind: Kind, message: Message) -> Webhook:
        """The webhook that says this; as ``signed``."""
        headers = self._seal.webhook(message.url, message.form, message.content, secret=self._auth_token)
        return Webhook(
            kind=kind,
            url=message.url,
            form=dict(message.form),
            headers=headers,
            body=message.body,
            status=message.status,
        )

    def signed_upgrade(self, url: str) -> tuple[str, dict[str, str]]:
        """Where to open a media stream, and with which headers."""
        return self._origins.local(url), dict(self._seal.upgrade(url, secret=self._auth_token))

    async def send(self, webhook: Webhook) -> Webhook:
        """Send it and return it with what came back; nothing is raised for a relay that is not there."""
        sent = replace(webhook, sent_ns=time.monotonic_ns(), reply_status=0, reply_body="", error="")
        if self._deliver is not None and not webhook.url:
            await self._deliver(webhook.content)
            return replace(sent, reply_status=204)
        try:
            async with self._session.post(
                self._origins.local(webhook.url),
                data=webhook.content,
                headers=webhook.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S),
            ) as reply:
                return replace(sent, reply_status=reply.status, reply_body=await reply.text())
        except (aiohttp.ClientError, TimeoutError) as error:
            return replace(sent, error=str(error) or type(error).__name__)


class Courier:
    """
    Brings one call's callbacks, as its ``Delivery`` says, one after the other.

    Args:
        bring: sends one and notes what came back.
    """

    def __init__(self, bring: Callable[[Webhook], Awaitable[None]], delivery: Delivery) -> None:
        self._bring = bring
        self._delivery = delivery
        self._turn = asyncio.Lock()  # first come, first served
        self._under_way: set[asyncio.Task[None]] = set()
        self._happened = 0
        self._held: dict[int, Webhook] = {}  # by place in the order of coming
        self._next_place = 0

    def take(self, webhook: Webhook, *, is_last: bool = False) -> None:
        """Bring a status callback; ``is_last``: and all that was held back for those that will not be."""
        order = self._delivery.order
        place = order.index(self._happened) if self._happened < len(order) else self._happened
        self._happened += 1
        self._held[place] = webhook
        while self._held and (is_last or self._next_place in self._held):
            first = min(self._held)
            self._next_place = first + 1
            due = self._held.pop(first)
            for _ in range(self._delivery.copies):
                self.hurry(due, late_s=self._delivery.late_s)

    def hurry(self, webhook: Webhook, *, late_s: float = 0.0) -> None:
        """Bring one that no delivery is asked for."""
        task = asyncio.create_task(self._go(webhook, late_s))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def in_step(self) -> None:
        """Return when all that is to be waited for has been answered."""
        if not self._delivery.late_s:
            await self.idle()

    async def idle(self) -> None:
        """Return when nothing is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def close(self) -> None:
        """Bring nothing more."""
        under_way = list(self._under_way)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _go(self, webhook: Webhook, late_s: float) -> None:
        await asyncio.sleep(late_s)
        async with self._turn:
            await self._bring(webhook)
