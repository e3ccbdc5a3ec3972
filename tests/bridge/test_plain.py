"""Dataclasses as plain values and back: the same again, or refused, and nothing of a value in what is said of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import pytest

from relay.bridge.plain import KIND, plain, reader


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Spot:
    name: str


@dataclass(frozen=True, slots=True)
class Everything:
    count: int
    is_so: bool
    share: float
    text: str
    data: bytes
    colour: Colour
    word: Literal["a", "b"]
    maybe: str | None
    many: tuple[int, ...]
    named: Mapping[str, int]
    inner: Point
    either: Point | Spot


WHOLE = Everything(
    1, bool(1), 0.5, "é", b"\xff\0", Colour.RED, "b", None, (1, 2), {"n": 3}, Point(1.0, -2.0), Spot("here")
)  # fmt: skip


def test_what_was_made_plain_is_read_as_it_was() -> None:
    assert reader(Everything)(plain(WHOLE)) == WHOLE


def test_a_member_of_a_union_is_told_by_its_name() -> None:
    assert plain(Spot("here")) == {KIND: "Spot", "name": "here"}
    assert reader(Point | Spot)({KIND: "Point", "x": 1, "y": 2.5}) == Point(1.0, 2.5)


def test_what_is_no_number_comes_as_none() -> None:
    assert math.isnan(reader(Point)({KIND: "Point", "x": None, "y": 0}).x)


SECRET = "s3cr3t"  # noqa: S105 - of nobody


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 1.0), ("count", True), ("count", None), ("is_so", 1), ("share", SECRET), ("share", True), ("text", 1),
        ("text", None), ("data", SECRET), ("data", 1), ("data", "=\xe9"), ("colour", SECRET), ("colour", 1),
        ("word", SECRET), ("word", ["a"]), ("maybe", 1), ("many", SECRET), ("many", [1, SECRET]), ("many", {}),
        ("named", [SECRET]), ("named", {SECRET: SECRET}), ("inner", None), ("inner", {KIND: "Spot", "name": SECRET}),
        ("inner", {KIND: "Point", "x": 1.0}), ("inner", {KIND: "Point", "x": 1, "y": 1, SECRET: 1}),
        ("either", {KIND: SECRET, "name": ""}), ("either", {KIND: ["Spot"], "name": ""}), ("either", SECRET),
        ("either", None), ("either", {KIND: "Spot", "name": 1}),
    ],
)  # fmt: skip
def test_value_of_another_kind_is_refused_by_the_name_of_its_field(field: str, value: Any) -> None:
    content = plain(WHOLE)
    assert isinstance(content, dict)
    with pytest.raises(ValueError, match=rf"^Everything\.{field}: .*expected ") as refused:
        reader(Everything)({**content, field: value})
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("content", [None, [], "Point", {}, {"x": 1, "y": 1}, {KIND: "Point"}, {KIND: "Spot", "x": 1}])
def test_something_that_is_no_such_dataclass_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        reader(Point)(content)


@pytest.mark.parametrize("hint", [list[int], set[str], dict[int, str], tuple[int, str], int | str, object, complex])
def test_type_that_could_not_be_read_back_is_refused_at_once(hint: Any) -> None:
    with pytest.raises(TypeError, match="expected"):
        reader(hint)


@pytest.mark.parametrize("value", [[1], {1}, object(), Point])
def test_value_that_could_not_be_read_back_is_not_made_plain(value: object) -> None:
    with pytest.raises(TypeError, match="expected a dataclass"):
        plain(value)
