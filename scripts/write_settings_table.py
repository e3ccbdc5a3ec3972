"""
Print the tables of all settings, or write them into docs/configuration.md.

    python scripts/write_settings_table.py            # print
    python scripts/write_settings_table.py --write    # and rewrite the page
"""

from __future__ import annotations

import typing
from collections.abc import Collection, Iterator
from enum import StrEnum
from pathlib import Path

from marked_blocks import write_or_print
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from relay.app.accounts import ACCOUNTS
from relay.app.settings import ApiKey, Destination, Scope, Settings
from relay.app.settings_forms import LIST, Form
from relay.app.settings_problems import env_name

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
TABLES: dict[str, type[BaseModel]] = {"destinations": Destination, "api_keys": ApiKey}
HEAD = "| setting | form | default | meaning |\n|---|---|---|---|\n"


def _forms(annotation: object) -> Iterator[Form]:
    """Those within an annotation, outermost first."""
    yield from (each for each in getattr(annotation, "__metadata__", ()) if isinstance(each, Form))
    for inner in typing.get_args(annotation):
        yield from _forms(inner)


def _form(field: FieldInfo) -> str:
    forms = [*(each for each in field.metadata if isinstance(each, Form)), *_forms(field.annotation)]
    if forms[0] is LIST:
        return f"list of: {forms[1].expected}"
    return forms[0].expected


def _default(field: FieldInfo) -> str:
    value = None if field.default_factory is not None else field.default
    if field.is_required():
        return "required"
    if value is None or value == ():
        return ""
    if isinstance(value, frozenset):
        return ", ".join(f"`{scope}`" for scope in Scope)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value.value if isinstance(value, StrEnum) else value}`"


def table_text(model: type[BaseModel], *, without: Collection[str] = ()) -> str:
    """One table, in Markdown."""
    rows = []
    for name, field in model.model_fields.items():
        if name in without:
            continue
        names = f"`{name}` `{env_name(name)}`" if model not in TABLES.values() else f"`{field.alias or name}`"
        rows.append(f"| {names} | {_form(field)} | {_default(field)} | {field.description} |\n")
    return HEAD + "".join(rows)


def tables() -> dict[str, str]:
    """What the page has of the settings, by the names of its marks."""
    accounts = {account.name: account.settings for account in ACCOUNTS.values()}
    of_accounts = {name for model in accounts.values() for name in model.model_fields}
    others = {name: table_text(model) for name, model in {**accounts, **TABLES}.items()}
    return {"settings": table_text(Settings, without=of_accounts), **others}


if __name__ == "__main__":
    write_or_print(PAGE, tables())
