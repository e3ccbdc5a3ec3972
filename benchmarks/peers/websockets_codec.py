"""`websockets` as it comes, with relay's codec both ways: what the native path beside the library is worth."""

from __future__ import annotations

import contextlib
import json

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from relay._codec import Decoder, Encoder, Field, MediaTemplate
from relay.dev.bench.cores import SERVER_CORE, pin
from relay.dev.bench.server import freeze, obey

ROOM_HZ = 16000


async def serve_call(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        await connection.recv()  # `connected`
        start = json.loads(await connection.recv())
        media_in, media_out = templates(start["streamSid"])
        decoder, encoder = Decoder("pcmu", 8000, ROOM_HZ), Encoder("pcmu", 8000, ROOM_HZ)
        async for message in connection:
            assert isinstance(message, str)
            pcm = decoder.push_message(message.encode(), media_in)
            if pcm is not None:
                await connection.send(encoder.push_message(pcm, media_out), text=True)


def templates(stream_sid: str) -> tuple[MediaTemplate, MediaTemplate]:
    """What Twilio sends on a stream, and what it takes."""
    numbers = {"chunk": Field.SEQUENCE, "timestamp": Field.TIMESTAMP}
    media = {"track": "inbound", **numbers, "payload": Field.PAYLOAD}
    media_in = {"event": "media", "sequenceNumber": Field.NUMBER, "media": media, "streamSid": stream_sid}
    media_out = {"event": "media", "streamSid": stream_sid, "media": {"payload": Field.PAYLOAD}}
    return MediaTemplate(media_in), MediaTemplate(media_out)


async def main() -> None:
    async with serve(serve_call, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        await obey(port, {"freeze": freeze, "begin": int, "end": dict})


if __name__ == "__main__":
    pin(SERVER_CORE)
    uvloop.run(main())
