"""
What one writes first: `websockets`, json, base64 and audioop, whose ``ratecv`` interpolates and filters nothing.

Of relay it has nothing but what starts and ends it. Needs audioop where Python has none.
"""

from __future__ import annotations

import base64
import contextlib
import json
import warnings

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from benchmarks.peers.serving import run

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # that Python 3.13 has none any longer
    import audioop

PHONE_HZ, ROOM_HZ = 8000, 16000


async def serve_call(connection: ServerConnection) -> None:
    to_room = to_phone = None
    with contextlib.suppress(ConnectionClosed):
        async for text in connection:
            message = json.loads(text)
            if message["event"] != "media":
                continue
            pcm = audioop.ulaw2lin(base64.b64decode(message["media"]["payload"]), 2)
            room, to_room = audioop.ratecv(pcm, 2, 1, PHONE_HZ, ROOM_HZ, to_room)
            phone, to_phone = audioop.ratecv(room, 2, 1, ROOM_HZ, PHONE_HZ, to_phone)
            payload = base64.b64encode(audioop.lin2ulaw(phone, 2)).decode()
            answer = {"event": "media", "streamSid": message["streamSid"], "media": {"payload": payload}}
            await connection.send(json.dumps(answer))


if __name__ == "__main__":
    run(serve_call)
