"""
Print what docs/api.md says of requests, transfers and problems, or write that into the page.

    python scripts/write_api_tables.py            # print
    python scripts/write_api_tables.py --write    # and rewrite the page
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marked_blocks import write_or_print

from relay.app.orders import TransferRequest
from relay.app.problems import ProblemKind
from relay.app.transfer_json import TransferJson

WORDS_MAX = 10
PAGE = Path(__file__).parents[1] / "docs" / "api.md"


def blocks() -> dict[str, str]:
    """What the page has of the code, by the names of its marks."""
    return {
        "request": _members(TransferRequest.model_json_schema(mode="validation")),
        "transfer": _members(TransferJson.model_json_schema(mode="serialization")),
        "problems": _table("status", "`type`", "title", rows=_problems()),
    }


def _problems() -> Iterator[tuple[str, ...]]:
    for kind in ProblemKind:
        yield str(kind.status.value), f"`{kind.urn}`", kind.title


def _members(schema: Mapping[str, Any]) -> str:
    rows = (
        (f"`{name}`", _form(member, schema["$defs"]), member.get("description", ""))
        for name, member in schema["properties"].items()
    )
    return _table("member", "form", "", rows=rows)


def _form(member: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a member may be, in a few words; that it may be absent, or null, is said elsewhere."""
    if "anyOf" in member:
        (member,) = (each for each in member["anyOf"] if each.get("type") != "null")
    if "$ref" in member:
        member = definitions[member["$ref"].rpartition("/")[2]]
    words = member.get("enum", [member["const"]] if "const" in member else [])
    if words:
        return ", ".join(f"`{word}`" for word in words) if len(words) <= WORDS_MAX else f"one of {len(words)} words"
    kind = "time" if member.get("format") == "date-time" else "text" if member["type"] == "string" else member["type"]
    return f"{kind}{_bounds(member)}"


def _bounds(member: Mapping[str, Any]) -> str:
    match member:
        case {"pattern": pattern}:
            return f", `{pattern}`"
        case {"maxLength": length}:
            return f" of up to {length}"
        case {"minimum": least, "maximum": most}:
            return f" from {least} to {most:,}"
        case {"maxProperties": count}:
            return f" of up to {count} texts"
    return ""


def _table(*heads: str, rows: Iterator[tuple[str, ...]]) -> str:
    lines = (heads, len(heads) * ("---",), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    write_or_print(PAGE, blocks())
