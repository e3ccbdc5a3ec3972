"""Ways to break a message: every place in it, every type that JSON has, and bytes changed at random."""

import copy
from collections.abc import Iterator
from typing import Any, TypeAlias

from hypothesis import strategies as st

from tests.providers.recordings import compact

Place: TypeAlias = tuple[str | int, ...]


def nested(levels: int) -> bytes:
    """An object in an object ..., as text: Python's json writes fewer levels than orjson reads (1024)."""
    return b'{"a":' * levels + b"1" + b"}" * levels


VALUES: list[Any] = [
    *(None, True, False, 0, 5, -1, 1.5, 10**18, 1 << 63),
    *("", "5", "-1", "AAAA", "AAA", "é", "\x00", "9" * 5000, "x" * 1000),
    *([], [None], [[]], {}, {"a": 1}, {"a": {"b": [{}]}}),
]


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Where the message has a value, itself first."""
    yield here
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*here, key))


def replaced(message: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    result = copy.copy(message)
    result[place[0]] = replaced(message[place[0]], place[1:], value)
    return result


def dropped(message: Any, place: Place) -> Any:
    result = copy.copy(message)
    if len(place) == 1:
        del result[place[0]]
    else:
        result[place[0]] = dropped(message[place[0]], place[1:])
    return result


def broken(message: Any) -> Iterator[bytes]:
    """The message with one place changed to each value, or left out."""
    for place in places(message):
        yield from (compact(replaced(message, place, value)) for value in VALUES)
        if place:
            yield compact(dropped(message, place))


@st.composite
def disturbed(draw: st.DrawFn, messages: list[Any]) -> bytes:
    """One of the messages with up to three places changed or left out, then up to three bytes changed."""
    message = draw(st.sampled_from(messages))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(list(places(message))))
        drop = bool(place) and draw(st.booleans())
        message = dropped(message, place) if drop else replaced(message, place, draw(st.sampled_from(VALUES)))
    text = bytearray(compact(message))
    for _ in range(draw(st.integers(0, 3))):
        text[draw(st.integers(0, len(text) - 1))] = draw(st.integers(0, 255))
    return bytes(text)
