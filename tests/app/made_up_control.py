"""A carrier of JSON webhooks, with one URL for all of them and a proof in it, that any test can make as it needs it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from relay.providers.base import MediaAdapter
from relay.providers.control import (
    AnsweredBy,
    CallCapabilities,
    CallOrder,
    CallPlaced,
    CallReport,
    CallStatus,
    DialReply,
    Document,
    HttpReply,
    HttpRequest,
    Webhook,
)
from relay.providers.twilio import TwilioAdapter

PROOF = "p" * 43


class MadeUpControl:
    """
    Takes Twilio's place, and notes what it is asked to believe.

    What ends with ``PROOF`` is its own; so is an upgrade with ``authorization: Basic made-up``.
    """

    name = "twilio"

    def __init__(self, **capabilities: Any) -> None:
        self.capabilities = CallCapabilities(**capabilities)
        self.webhooks: list[Webhook] = []
        self.upgrades: list[Webhook] = []
        self.orders: list[CallOrder] = []

    def dial(self, order: CallOrder) -> HttpRequest:
        self.orders.append(order)
        return HttpRequest("POST", f"{self.api_url}/dial", {})

    api_url = "http://127.0.0.1:1"

    def read_dial(self, reply: HttpReply) -> DialReply:
        return CallPlaced(json.loads(reply.body)["id"], is_final=False)

    def hang_up(self, call_id: str) -> HttpRequest:
        return HttpRequest("POST", f"{self.api_url}/hang_up/{call_id}", {})

    def hang_up_steps(self, call_id: str) -> Sequence[HttpRequest]:
        """A call that rings takes the second, one that nobody knows the third."""
        return [HttpRequest("POST", f"{self.api_url}/{step}/{call_id}", {}) for step in ("cancel", "look_up")]

    def read_hang_up(self, reply: HttpReply) -> bool:
        return reply.status == 200

    def find_calls(self, order: CallOrder) -> Sequence[HttpRequest]:  # noqa: ARG002 - it has no list
        return ()

    def read_find_calls(self, reply: HttpReply, order: CallOrder) -> Sequence[str] | None:
        raise NotImplementedError

    def verify(self, webhook: Webhook) -> bool:
        self.webhooks.append(webhook)
        return webhook.url.partition("?")[0].endswith((f"/{PROOF}", "/answer/0"))

    def verify_upgrade(self, webhook: Webhook) -> bool:
        self.upgrades.append(webhook)
        return webhook.headers.get("authorization") == "Basic made-up"

    def read_report(self, webhook: Webhook) -> CallReport:
        said: dict[str, Any] = json.loads(webhook.body)
        return CallReport(
            said["call"],
            CallStatus(said["status"]) if "status" in said else None,
            event_id=said.get("event", ""),
            answered_by=AnsweredBy(said["by"]) if "by" in said else None,
            placed_id=said.get("placed", ""),
        )

    def stream_document(
        self, media_url: str, *, then_url: str | None, say: str | None = None, call_id: str = ""
    ) -> Document:
        document = [{"verb": "stream", "url": media_url, "call": call_id, "then": then_url, "say": say}]
        return Document("application/json", json.dumps(document).encode())

    def hang_up_document(self) -> Document:
        return Document("application/json", b'[{"verb": "hangup"}]')

    def media_adapter(self) -> MediaAdapter:
        return TwilioAdapter()
