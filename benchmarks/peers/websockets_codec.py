"""`websockets` as it comes, with relay's codec both ways: what the native path beside the library is worth."""

from __future__ import annotations

import contextlib
import json

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from benchmarks.peers.serving import run
from relay._codec import Decoder, Encoder, Field, MediaTemplate

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


if __name__ == "__main__":
    run(serve_call)
