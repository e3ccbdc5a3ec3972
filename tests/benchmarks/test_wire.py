"""The frames of the simulated calls are what the relay reads."""

from websockets.frames import Frame
from websockets.streams import StreamReader

from relay.providers.base import AudioReceived, StreamStarted
from relay.providers.twilio import TwilioAdapter
from tests.benchmarks import wire
from tests.signals.waves import pcm, tone


def messages(data: bytes) -> list[bytes]:
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    found = []
    while reader.buffer:
        parser = Frame.parse(reader.read_exact, mask=True)
        try:
            next(parser)
        except StopIteration as parsed:
            found.append(bytes(parsed.value.data))
    return found


def test_stream_opens_and_speaks() -> None:
    adapter = TwilioAdapter()
    prefixes = wire.media_prefixes(pcm(tone(1000, 8000, 320)))
    data = wire.opening(7) + b"".join(prefix + wire.media_suffix(7) for prefix in prefixes)
    events = [event for message in messages(data) for event in adapter.parse(message)]
    started, *audio = events
    assert isinstance(started, StreamStarted)
    assert started.stream_id == wire.stream_sid(7)
    assert [(each.sequence, len(each.payload)) for each in audio if isinstance(each, AudioReceived)] == [
        (1, 160),
        (2, 160),
    ]
