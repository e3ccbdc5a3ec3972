"""True webhooks with something of them changed."""

import random
from dataclasses import replace

from relay.providers.control import Webhook


def with_a_byte_changed(data: bytes, choose: random.Random) -> bytes:
    place = choose.randrange(len(data))
    other = choose.choice([each for each in range(256) if each != data[place]])
    return data[:place] + bytes([other]) + data[place + 1 :]


def mutated(original: Webhook, choose: random.Random, *, headers: list[str]) -> Webhook:
    """The webhook with one byte of its body, or of one of these headers, changed."""
    part = choose.choice([*headers, "body"] if original.body else headers)
    if part == "body":
        return replace(original, body=with_a_byte_changed(original.body, choose))
    changed = with_a_byte_changed(original.headers[part].encode(), choose).decode("latin-1")
    return replace(original, headers={**original.headers, part: changed})


def without_header(original: Webhook, name: str) -> Webhook:
    return replace(original, headers={each: value for each, value in original.headers.items() if each != name})


def with_header(original: Webhook, name: str, value: str) -> Webhook:
    return replace(original, headers={**original.headers, name: value})
