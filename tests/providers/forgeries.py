"""True webhooks with something of them changed."""

import random
from collections.abc import Sequence
from dataclasses import replace

from relay.providers.control import Webhook
from relay.providers.forms import parse_form

FORGERIES = 1000


def with_a_byte_changed(data: bytes, choose: random.Random) -> bytes:
    place = choose.randrange(len(data))
    other = choose.choice([each for each in range(256) if each != data[place]])
    return data[:place] + bytes([other]) + data[place + 1 :]


def forged(original: Webhook, headers: Sequence[str], choose: random.Random) -> Webhook:
    """With a byte changed of its URL, its body, or one of these headers."""
    part = choose.choice(["url", *headers, *(["body"] if original.body else [])])
    match part:
        case "url":
            return replace(original, url=with_a_byte_changed(original.url.encode(), choose).decode("latin-1"))
        case "body":
            return replace(original, body=with_a_byte_changed(original.body, choose))
    changed = with_a_byte_changed(original.headers[part].encode(), choose).decode("latin-1")
    return replace(original, headers={**original.headers, part: changed})


def says_the_same(one: Webhook, other: Webhook) -> bool:
    """An escape in the other case, %2b for %2B, is another byte and no other form."""
    try:
        return (one.url, one.headers, parse_form(one.body)) == (other.url, other.headers, parse_form(other.body))
    except ValueError:
        return False


def forgeries(original: Webhook, headers: Sequence[str], seed: str) -> list[Webhook]:
    """A thousand, but for the few that say the same."""
    choose = random.Random(seed)
    made = [forged(original, headers, choose) for _ in range(FORGERIES)]
    others = [each for each in made if not says_the_same(each, original)]
    assert len(others) > 0.99 * FORGERIES
    return others


def mutated(original: Webhook, choose: random.Random, *, headers: list[str]) -> Webhook:
    """The webhook with one byte of its URL, of its body, or of one of these headers, changed."""
    return forged(original, headers, choose)


def without_header(original: Webhook, name: str) -> Webhook:
    return replace(original, headers={each: value for each, value in original.headers.items() if each != name})


def with_header(original: Webhook, name: str, value: str) -> Webhook:
    return replace(original, headers={**original.headers, name: value})
