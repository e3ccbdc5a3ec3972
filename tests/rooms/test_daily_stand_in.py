"""The stand-in has the SDK's own signatures: those of the installed ``daily``, its stubs and its classes."""

import ast
import inspect
from pathlib import Path
from typing import Any

import daily
import pytest

from tests.rooms import daily_stand_in

STUBS = ast.parse(Path(daily.__file__).with_name("__init__.pyi").read_text())
MINE = ast.parse(Path(daily_stand_in.__file__).read_text())
OURS_ALONE = {"complete_join"}
"""What the test calls, and the SDK does not have."""


def classes(module: ast.Module) -> dict[str, ast.ClassDef]:
    return {each.name: each for each in module.body if isinstance(each, ast.ClassDef)}


def methods(of: ast.ClassDef, every: dict[str, ast.ClassDef]) -> dict[str, ast.FunctionDef]:
    """Its own and its private bases', without what is only Python's or a test's."""
    inherited = [every[base.id] for base in of.bases if isinstance(base, ast.Name) and base.id in every]
    found = {name: method for base in inherited for name, method in methods(base, every).items()}
    return found | {
        each.name: each for each in of.body if isinstance(each, ast.FunctionDef) and each.name not in OURS_ALONE
    }


def signature(method: ast.FunctionDef) -> list[tuple[str, str | None]]:
    """Names and defaults, in order, without the object."""
    names = [each.arg for each in method.args.args]
    defaults = [None] * (len(names) - len(method.args.defaults)) + [ast.unparse(each) for each in method.args.defaults]
    pairs = list(zip(names, defaults, strict=True))
    return pairs[1:] if names[:1] in (["self"], ["cls"]) else pairs


PUBLIC = [name for name in classes(MINE) if not name.startswith("_")]
METHODS = [(name, method) for name in PUBLIC for method in methods(classes(MINE)[name], classes(MINE))]
CONSTRUCTED = {"CallClient", "CustomAudioSource", "CustomAudioTrack"}


def test_there_is_something_to_compare() -> None:
    assert len(PUBLIC) == 8
    assert len(METHODS) > 30


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_signatures_are_those_of_the_installed_stubs(name: str, method: str) -> None:
    if method == "__init__" and name not in CONSTRUCTED:
        return  # the SDK makes these itself
    theirs = methods(classes(STUBS)[name], classes(STUBS))
    assert method in theirs, f"daily.{name} has no {method}"
    mine = signature(methods(classes(MINE)[name], classes(MINE))[method])
    expected = signature(theirs[method])
    if (name, method) == ("Daily", "init"):  # whose default is a member of an Enum that nothing here needs
        mine, expected = [each[:1] for each in mine], [each[:1] for each in expected]  # type: ignore[misc]
    assert mine == expected


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_the_sdk_itself_has_what_its_stubs_promise(name: str, method: str) -> None:
    """The stubs are "manually generated": the compiled classes are asked, too."""
    theirs: Any = getattr(getattr(daily, name), method)
    if method.startswith("__") or not callable(theirs):
        return
    mine = signature(methods(classes(MINE)[name], classes(MINE))[method])
    compiled = [each for each in inspect.signature(theirs).parameters if each != "self"]
    assert len(compiled) >= len(mine)  # set_audio_renderer has a logging_interval_ms that the stubs do not know
    by_name = [argument for argument, default in mine if default is not None]  # the names of others are not used
    assert [each for each in compiled if each in by_name] == by_name
