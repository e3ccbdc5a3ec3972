"""HTML forms, as carriers post them and take them: nothing is dropped, put in another order or guessed."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes, urlencode

FORM_TYPE: Final = "application/x-www-form-urlencoded"
FORM_MAX_FIELDS: Final = 256
"""Carriers send some 30."""

_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, in their order: blank ones and repeated ones too, as signatures are made over all."""

    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def one(self, name: str) -> str:
        """What the form says of ``name``; empty where it says nothing, or two things."""
        values = {value for each, value in self.fields if each == name}
        return values.pop() if len(values) == 1 else ""


@functools.lru_cache(maxsize=1)  # a webhook is verified and then read: the second time is for nothing
def parse_form(body: bytes) -> Form:
    """
    The form that ``body`` is.

    Raises:
        ValueError: a field without ``=``, a broken escape, text that is not UTF-8, or over ``FORM_MAX_FIELDS`` fields.
    """
    if not body:
        return Form()
    parts = body.split(b"&", FORM_MAX_FIELDS)
    if len(parts) > FORM_MAX_FIELDS:
        raise ValueError(f"form: expected up to {FORM_MAX_FIELDS} fields, got more")
    return Form(tuple(map(_field, parts)))


def encode_form(fields: Iterable[tuple[str, str]]) -> str:
    """The form as it is sent, in a body or a query."""
    return urlencode(list(fields))


def _field(part: bytes) -> tuple[str, str]:
    name, equals, value = part.partition(b"=")
    if not equals:
        raise ValueError("form: expected '=' in every field, got one without")
    return _text(name), _text(value)


def _text(quoted: bytes) -> str:
    if b"%" not in quoted:  # most: and a webhook has sixty
        return quoted.replace(b"+", b" ").decode()
    if _BAD_ESCAPE.search(quoted):
        raise ValueError("form: expected two hexadecimal digits after every '%', got others")
    return unquote_to_bytes(quoted.replace(b"+", b" ")).decode()
