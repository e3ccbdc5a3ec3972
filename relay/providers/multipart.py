"""Forms as ``multipart/form-data`` (RFC 7578), which some carriers post; files are no field of theirs."""

from __future__ import annotations

import re
from typing import Final

from relay.providers.forms import FORM_MAX_FIELDS, Form

MULTIPART_TYPE: Final = "multipart/form-data"

_BOUNDARY: Final = re.compile(r'; *boundary=(?:"([ -!#-~]{1,70})"|([!#-:<-~]{1,70}))', re.IGNORECASE)
_NAME: Final = re.compile(rb'; *name="([^"\r\n]*)"', re.IGNORECASE)


def parse_multipart(content_type: str, body: bytes) -> Form:
    """
    The form that ``body`` is.

    Args:
        content_type: the header, with the boundary in it.
        body: as it came.

    Raises:
        ValueError: no boundary, no end, a part without a name, text that is not UTF-8, or over ``FORM_MAX_FIELDS``.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise ValueError("multipart: expected a boundary, got none")
    delimiter = b"\r\n--" + (found[1] or found[2]).encode()
    _, *parts = (b"\r\n" + body).split(delimiter, FORM_MAX_FIELDS + 1)
    if not parts or not parts.pop().startswith(b"--"):
        raise ValueError(f"multipart: expected an end after up to {FORM_MAX_FIELDS} parts, got none")
    return Form(tuple(map(_field, parts)))


def _field(part: bytes) -> tuple[str, str]:
    head, blank_line, value = part.partition(b"\r\n\r\n")
    name = _NAME.search(head)
    if not blank_line or name is None:
        raise ValueError("multipart: expected a name in every part, got one without")
    return name[1].decode(), value.decode()
