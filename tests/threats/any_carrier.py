"""What any carrier says and opens, true to its last byte, for attackers to record and to change."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from websockets.frames import Frame, Opcode

from relay.dev.carrier_call import SimulatedCall
from relay.dev.carrier_document import Stream
from relay.dev.carrier_outcomes import Detection
from relay.dev.carrier_webhooks import Kind, Message, Webhook
from relay.dev.phone_playout import FRAME_BYTES
from relay.dev.phone_wire import Call
from tests.threats.raw import request, upgrade
from tests.threats.stage import PUBLIC, Stage

_TOKEN = re.compile(r"(?<=/media/)[A-Za-z0-9_-]{43}|(?<=token=)[A-Za-z0-9_-]{43}")
UNSIGNED = frozenset({"Content-Type", "I-Twilio-Idempotency-Token", "User-Agent"})
"""The headers of a webhook that prove nothing."""


def sealed(stage: Stage, kind: Kind, message: Message) -> Webhook:
    """A webhook as the carrier signs it."""
    return stage.carrier._sending.sealed(kind, message)


def true_webhooks(stage: Stage, call: SimulatedCall) -> dict[Kind, Webhook]:
    """One of each kind that the carrier may send of a call: each of them would end its transfer, or open its media."""
    dialect = stage.carrier.dialect
    said = {Kind.STATUS: dialect.progress(call, "completed", "busy")}
    if call.order.answer_url:
        said[Kind.ANSWER] = dialect.answer(call, call.order.answer_url)
    if call.order.detection_url:
        said[Kind.DETECTION] = dialect.detection(call, Detection("machine_start"))
    return {kind: sealed(stage, kind, message) for kind, message in said.items() if message is not None and message.url}


def written(webhook: Webhook, *, url: str = "", without: str = "", **changes: str) -> bytes:
    """A webhook as bytes; ``url``: another; ``without``: a header that is left out; ``changes``: of headers."""
    parts = urlsplit(url or webhook.url)
    body = webhook.content
    headers = {"Host": parts.netloc, **webhook.headers, **{n.replace("_", "-"): v for n, v in changes.items()}}
    listed = [(name, value) for name, value in headers.items() if name != without]
    listed.append(("Content-Length", str(len(body))))
    return request(parts._replace(scheme="", netloc="").geturl(), listed, method="POST", body=body)


def with_a_byte_changed(webhook: Webhook, choose: random.Random, *, signs_body: bool) -> bytes:
    """A webhook with another byte in its path, in a header that proves something, or in a body that is signed."""
    parts = {name: value.encode() for name, value in webhook.headers.items()}
    parts |= {"": urlsplit(webhook.url).path.encode(), "body": webhook.content}
    part = choose.choice([name for name in parts if name not in UNSIGNED and (signs_body or name != "body")])
    original, place = parts[part], choose.randrange(len(parts[part]))
    parts[part] = original[:place] + bytes([(original[place] + choose.randrange(1, 256)) % 256]) + original[place + 1 :]
    if parts[part].lower() == original.lower():  # an escape in the other case is another byte and the same form
        return with_a_byte_changed(webhook, choose, signs_body=signs_body)
    path, body = parts.pop(""), parts.pop("body")
    head = b"".join(b"%s: %s\r\n" % (name.encode(), value) for name, value in parts.items())
    return b"POST %s HTTP/1.1\r\nHost: relay.example.com\r\n%sContent-Length: %d\r\n\r\n%s" % (
        path,
        head,
        len(body),
        body,
    )


def other_places(stage: Stage, webhook: Webhook, transfer_id: str, others: Mapping[str, str]) -> Iterator[str]:
    """
    URLs at which nobody was told to say this: of another stream, kind or transfer, with the proof of the true one, if
    there is one, and without.
    """
    urls, name = stage.service.services.urls, stage.carrier.dialect.name
    proof = _proof_of(webhook.url)
    for each in (transfer_id, *others):
        streams = [urls.answer(name, each, stream) for stream in (0, 1, 2, 7, 999)]
        for place in (*streams, urls.status(name, each), urls.detection(name, each)):
            for url in (place, f"{place}/{proof}", f"{place}/{'A' * 43}"):
                if url != webhook.url:
                    yield url


def _proof_of(url: str) -> str:
    found = re.search(r"/([A-Za-z0-9_-]{43})$", url)
    return found[1] if found is not None else "B" * 43


@dataclass(frozen=True, slots=True)
class Opening:
    """
    The upgrade that the carrier would send now.

    Args:
        stream: as relay has asked for it.
        stage: where.
        start: the stream's first messages, as WebSocket frames.
    """

    stream: Stream
    stage: Stage
    start: bytes

    @property
    def token(self) -> str:
        """The single-use token in its URL."""
        found = _TOKEN.search(self.stream.url)
        assert found is not None
        return found[0]

    @property
    def target(self) -> str:
        """What is asked for."""
        return urlsplit(self.stream.url)._replace(scheme="", netloc="").geturl()

    @property
    def headers(self) -> dict[str, str]:
        """What proves that it is the carrier."""
        dialect, sender = self.stage.carrier.dialect, self.stage.carrier._sending
        _, signed = sender.signed_upgrade(dialect.media_url(self.stream))
        return signed | dict(self.stream.headers)

    def written(self, *more: tuple[str, str], without: str = "", target: str = "") -> bytes:
        """Its bytes: with more headers, without one, or to another target."""
        subprotocols = ", ".join(self.stage.carrier.dialect.subprotocols)
        asked = [("Sec-WebSocket-Protocol", subprotocols)] if subprotocols else []
        proofs = [(name, value) for name, value in self.headers.items() if name != without]
        return upgrade(target or self.target, *asked, *proofs, *more)

    def to(self, url: str) -> Opening:
        """The same to another URL, which the carrier signs if it signs any."""
        return replace(self, stream=replace(self.stream, url=url))

    def with_token(self, token: str) -> Opening:
        """The same with another token."""
        return self.to(self.stream.url.replace(self.token, token))


async def opening(stage: Stage, call: SimulatedCall) -> Opening:
    """Somebody picks up: what the carrier is told to open then, or was told by the dial."""
    dialect = stage.carrier.dialect
    if dialect.opens_on_demand:
        call.report("answered", "in-progress")
        stream = await call.wanted.get()
    elif call.order.stream is not None:
        stream = call.order.stream
    else:
        fetched = await stage.carrier.replay(sealed(stage, Kind.ANSWER, dialect.answer(call, call.order.answer_url)))
        assert fetched.reply_status == 200
        stream = next(verb for verb in dialect.verbs_of(fetched) if isinstance(verb, Stream))
    about = Call(
        stream.parameters,
        call_sid=call.sid,
        account_sid=call.account_sid,
        from_number=call.order.from_number,
        to=call.to,
    )
    wire = dialect.wire(about, stream)
    audio = wire.media(bytes(FRAME_BYTES * wire.message_frames))
    said = [(Opcode.TEXT, text) for text in (wire.connected(), wire.start()) if text]
    said.append((Opcode.BINARY if wire.is_binary else Opcode.TEXT, audio))
    return Opening(stream, stage, b"".join(Frame(opcode, data).serialize(mask=True) for opcode, data in said))


def elsewhere(url: str) -> str:
    """The same place under another host."""
    return url.replace(PUBLIC, "https://evil.example")
