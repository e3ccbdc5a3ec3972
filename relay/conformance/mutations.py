"""Ways to break a message: every place in it, every type that JSON has, and bytes changed at random."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

Place: TypeAlias = tuple[str | int, ...]


def compact(value: Any) -> bytes:
    """JSON as carriers write it: without white space."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def nested(levels: int) -> bytes:
    """An object in an object ..., as text: Python's json writes fewer levels than orjson reads (1024)."""
    return b'{"a":' * levels + b"1" + b"}" * levels


VALUES: Final[Sequence[Any]] = (
    *(None, True, False, 0, 5, -1, 1.5, 10**18, 1 << 63),
    *("", "5", "-1", "AAAA", "AAA", "é", "\x00", "9" * 5000, "x" * 1000),
    *([], [None], [[]], {}, {"a": 1}, {"a": {"b": [{}]}}),
)


def places(value: Any, here: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Where the message has a value, and which: itself first."""
    yield here, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*here, key))


def replaced(message: Any, place: Place, value: Any) -> Any:
    """The message with another value there."""
    if not place:
        return value
    result = copy.copy(message)
    result[place[0]] = replaced(message[place[0]], place[1:], value)
    return result


def dropped(message: Any, place: Place) -> Any:
    """The message without what is there."""
    result = copy.copy(message)
    if len(place) == 1:
        del result[place[0]]
    else:
        result[place[0]] = dropped(message[place[0]], place[1:])
    return result


def broken(message: Any) -> Iterator[bytes]:
    """The message with one place changed to each value, or left out."""
    for place, _ in places(message):
        yield from (compact(replaced(message, place, value)) for value in VALUES)
        if place:
            yield compact(dropped(message, place))


def broken_bytes(data: bytes) -> Iterator[bytes]:
    """What is no JSON cut short, made longer, with parts of it twice, and in upper and lower case."""
    yield from (data[:size] for size in range(min(len(data), 64)))
    yield from (
        data[:-1],
        data[1:],
        data + data[-1:],
        data * 2,
        data + b"\x00",
        b" " + data,
        data.upper(),
        data.lower(),
    )


@st.composite
def disturbed(draw: st.DrawFn, messages: Sequence[Any]) -> bytes:
    """One of the messages, JSON values or bytes, with up to three places changed or left out, then three bytes."""
    message = draw(st.sampled_from(messages))
    text = bytearray(message if isinstance(message, bytes) else _disturbed_value(draw, message))
    for _ in range(draw(st.integers(0, 3)) if text else 0):
        text[draw(st.integers(0, len(text) - 1))] = draw(st.integers(0, 255))
    return bytes(text)


def _disturbed_value(draw: st.DrawFn, message: Any) -> bytes:
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from([place for place, _ in places(message)]))
        drop = bool(place) and draw(st.booleans())
        message = dropped(message, place) if drop else replaced(message, place, draw(st.sampled_from(VALUES)))
    return compact(message)
