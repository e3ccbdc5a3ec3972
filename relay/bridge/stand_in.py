"""What somebody hears in place of somebody else who cannot be heard yet."""

from __future__ import annotations

from relay._codec import crossfade
from relay.media.format import pcm
from relay.media.tones import Loop


class StandIn:
    """
    Silence or a tone, until there is a voice; then the voice, faded in over its first frame.

    Args:
        rate_hz: of the PCM.
        ptime_ms: of each frame.
    """

    __slots__ = ("_ptime_ms", "_silence", "_sound")

    def __init__(self, rate_hz: int, ptime_ms: int) -> None:
        self._ptime_ms = ptime_ms
        self._silence = bytes(pcm(rate_hz).size_bytes(ptime_ms))
        self._sound: Loop | None = None

    def play(self, sound: Loop) -> None:
        """Let this be heard from now on."""
        self._sound = sound

    def frame(self) -> bytes:
        """The next frame, while there is no voice."""
        return self._silence if self._sound is None else self._sound.take(self._ptime_ms)

    def take_over(self, voice: bytes) -> bytes:
        """The next frame, where there was a voice until now: ``voice``, faded out."""
        return crossfade(voice, self.frame())

    def give_way(self, voice: bytes) -> bytes:
        """The next frame, now that there is a voice: ``voice``."""
        if self._sound is None:
            return voice
        sound, self._sound = self._sound, None
        return crossfade(sound.take(self._ptime_ms), voice)
