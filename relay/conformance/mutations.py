"""Ways to break a message or a webhook: every place in it, every type that JSON has, and bytes changed at random."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from relay.providers.control import Webhook
from relay.providers.forms import parse_form

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


FORGERIES: Final = 1000
"""Of one webhook."""


def with_a_byte_changed(data: bytes, choose: random.Random) -> bytes:
    """With one other byte somewhere."""
    place = choose.randrange(len(data))
    other = choose.choice([each for each in range(256) if each != data[place]])
    return data[:place] + bytes([other]) + data[place + 1 :]


def with_a_char_changed(text: str, choose: random.Random) -> str:
    """By a byte of its UTF-8, whatever comes of it."""
    return with_a_byte_changed(text.encode(), choose).decode("latin-1")


def tampered(original: Webhook, parts: Sequence[str], choose: random.Random) -> Webhook:
    """
    With a byte changed of one of these parts: ``url``, ``body``, or a header by its name. Of what is empty, none is.

    It may say the same, written in another way: see ``says_the_same``.
    """
    values = {**original.headers, "url": original.url, "body": original.body}
    part = choose.choice([each for each in parts if values[each]])
    match part:
        case "url":
            return replace(original, url=with_a_char_changed(original.url, choose))
        case "body":
            return replace(original, body=with_a_byte_changed(original.body, choose))
    headers = {**original.headers, part: with_a_char_changed(original.headers[part], choose)}
    return replace(original, headers=headers)


def says_the_same(one: Webhook, other: Webhook) -> bool:
    """
    Whether they differ only in how they are written.

    An escape in the other case, %2b for %2B, is another byte and no other form; "basic" is "Basic" (RFC 7235, 2.1).
    """
    if (one.url, _credentials(one)) != (other.url, _credentials(other)):
        return False
    try:
        return one.body == other.body or parse_form(one.body) == parse_form(other.body)
    except ValueError:
        return False


def _credentials(webhook: Webhook) -> dict[str, str]:
    scheme, space, rest = webhook.headers.get("authorization", "").partition(" ")
    return {**webhook.headers, "authorization": scheme.lower() + space + rest}


def forgeries(original: Webhook, parts: Sequence[str], seed: str) -> list[Webhook]:
    """A thousand, but for the few that say the same: as many for each part, by chance."""
    choose = random.Random(seed)  # noqa: S311  # the same ones each time
    made = (tampered(original, parts, choose) for _ in range(FORGERIES))
    return [each for each in made if not says_the_same(each, original)]
