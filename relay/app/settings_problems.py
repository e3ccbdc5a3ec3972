"""What is said of settings that are wrong: their names as their user wrote them, and a fix for each."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ValidationError

from relay.app.settings_entries import ApiKey, Destination
from relay.errors import Problem

ENV_PREFIX: Final = "RELAY_"
_TABLES: Final[Mapping[str, type[BaseModel]]] = {"api_keys": ApiKey, "destinations": Destination}


@dataclass(frozen=True, slots=True)
class Names:
    """
    How the user wrote each setting, or would.

    Args:
        in_file: the settings that come from the file.
        file: what the user calls it.
    """

    in_file: frozenset[str] = frozenset()
    file: str = "relay.toml"

    def of(self, setting: str, *path: str | int) -> str:
        """The name of a setting, or of what is at ``path`` in it; lists count from 1."""
        entries = [f"entry {each + 1}" for each in path if isinstance(each, int)]
        keys = [each for each in path if isinstance(each, str)]
        if setting in self.in_file:
            first = setting if entries else ".".join([setting, *keys])
            return f"{', '.join([first, *entries, *(keys if entries else [])])} in {self.file}"
        return ", ".join([env_name(setting), *entries, *([".".join(keys)] if keys else [])])


def env_name(setting: str) -> str:
    """The environment variable of a setting."""
    return f"{ENV_PREFIX}{setting.upper()}"


def unknown(name: str, word: str, known: Collection[str], *, spell: Callable[[str], str] = str) -> Problem:
    """
    The problem of a name that means nothing. Its value is not shown: it may be a mistyped secret's.

    Args:
        name: as in ``Problem``.
        word: what of it is to be compared.
        known: with these.
        spell: how the user would write one of them.
    """
    close = difflib.get_close_matches(word, known, n=1)
    return Problem(
        name,
        expected="the name of a setting",
        got="one that relay does not know",
        fix=f"did you mean {spell(close[0])}? If not, remove it"
        if close
        else "remove it (docs/configuration.md has all names)",
    )


def problems_of(error: ValidationError, names: Names) -> Iterator[Problem]:
    """Each problem that pydantic found."""
    for each in error.errors(include_url=False, include_input=False):
        setting, *path = [part for part in each["loc"] if part != "[key]"]
        name = names.of(str(setting), *path)
        context = each.get("ctx", {})
        match each["type"]:
            case "form":
                yield Problem(name, expected=context["expected"], got=context["got"], fix=context["fix"])
            case "extra_forbidden":
                yield unknown(name, str(path[-1]), _keys(str(setting)))
            case "missing":
                yield Problem(name, expected="a value", got="nothing", fix=f"add it: {_meaning(setting, path)}")
            case _:
                yield Problem(name, expected=each["msg"], got="another value", fix="see docs/configuration.md")


def _keys(setting: str) -> Sequence[str]:
    table = _TABLES[setting]
    return [field.alias or name for name, field in table.model_fields.items()]


def _meaning(setting: str | int, path: Iterable[str | int]) -> str:
    fields = _TABLES[str(setting)].model_fields
    return next(str(fields[each].description) for each in path if each in fields)
