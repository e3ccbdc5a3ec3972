"""
A Pipecat pipeline for each call: its FastAPI transport with Twilio's serializer, and what comes in goes out again.

As Pipecat's own Twilio example, less the bot: one transport for both ways, so that it has half of what a bridge between
a phone and a room would have. Runs in a virtual environment of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.frames.frames import Frame, InputAudioRawFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

from relay.dev.bench.cores import SERVER_CORE, pin
from relay.dev.bench.server import freeze, obey

ROOM_HZ, PHONE_HZ = 16000, 8000
BEST: dict[str, Any] = {"enable_rtvi": False, "enable_turn_tracking": False, "idle_timeout_secs": None}


class Forward(FrameProcessor):  # type: ignore[misc] # Pipecat is not installed where types are checked
    """What the phone says is what it is to hear."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            frame = OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels)
        await self.push_frame(frame, direction)


def make_app(*, best: bool) -> FastAPI:
    """Return the application; ``best`` is 8 kHz throughout, 20 ms at a time, without what the job does not need."""
    app = FastAPI()
    rate_hz = PHONE_HZ if best else ROOM_HZ

    @app.websocket("/media")
    async def media(websocket: WebSocket) -> None:
        await websocket.accept()
        messages = websocket.iter_text()
        await anext(messages)  # `connected`
        stream_sid = json.loads(await anext(messages))["start"]["streamSid"]
        serializer = TwilioFrameSerializer(stream_sid, params=TwilioFrameSerializer.InputParams(auto_hang_up=False))
        chunks = {"audio_out_10ms_chunks": 2} if best else {}
        params = FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer, **chunks)
        transport = FastAPIWebsocketTransport(websocket, params)
        worker = PipelineWorker(
            Pipeline([transport.input(), Forward(), transport.output()]),
            params=PipelineParams(audio_in_sample_rate=rate_hz, audio_out_sample_rate=rate_hz),
            **(BEST if best else {}),
        )

        @transport.event_handler("on_client_disconnected")  # type: ignore[untyped-decorator] # as above
        async def over(_: object, __: object) -> None:
            await worker.cancel()

        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await runner.run()

    return app


class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--best", action="store_true")
    config = uvicorn.Config(make_app(best=parser.parse_args().best), host="127.0.0.1", port=0, log_level="warning")
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    await server.listening.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    await obey(port, {"freeze": freeze, "begin": int, "end": dict})
    serving.cancel()


if __name__ == "__main__":
    pin(SERVER_CORE)
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    uvloop.run(main())
