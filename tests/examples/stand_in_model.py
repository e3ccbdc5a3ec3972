"""A stand-in of a language model behind OpenAI's HTTP API: it calls the tool first, and then says its line."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from relay.dev.until import Changes

FAILURE_S = 10.0  # a bound for what never comes; nothing is waited for by time
TOOL_CALL_ID = "call_1"


@dataclass
class StandInModel:
    """``requests`` are the bodies of what it was asked, in order."""

    tool_name: str
    arguments: dict[str, str]
    url: str = ""
    requests: list[Any] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)

    async def was_asked(self, times: int) -> None:
        """Wait until it was asked so often."""
        await self.changes.until(lambda: len(self.requests) >= times, "the model", timeout_s=FAILURE_S)

    def heard(self, request: int) -> str:
        """What the messages of one request say, as one text."""
        return "\n".join(str(message.get("content")) for message in self.requests[request]["messages"])

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        is_first = len(self.requests) == 1
        for delta, finish_reason in (
            (self._delta(is_first=is_first), None),
            ({}, "tool_calls" if is_first else "stop"),
        ):
            choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
            chunk = {
                "id": "1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "stand-in",
                "choices": [choice],
            }
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        self.changes.changed()
        return response

    def _delta(self, *, is_first: bool) -> dict[str, Any]:
        if not is_first:
            return {"role": "assistant", "content": "I will pass that on."}
        function = {"name": self.tool_name, "arguments": json.dumps(self.arguments)}
        call = {"index": 0, "id": TOOL_CALL_ID, "type": "function", "function": function}
        return {"role": "assistant", "tool_calls": [call]}


@asynccontextmanager
async def stand_in_model(tool_name: str, **arguments: str) -> AsyncIterator[StandInModel]:
    """Serve until the block ends."""
    model = StandInModel(tool_name, arguments)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", model._complete)
    runner = web.AppRunner(app, shutdown_timeout=FAILURE_S)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    model.url = f"http://{host}:{port}/v1"
    try:
        yield model
    finally:
        await runner.cleanup()
