"""The plot is SVG that says what it shows, with every point in its place."""

import itertools
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import pytest

from relay.dev.demo.plot import Band, Mark, Series, delay_plot

SVG = "{http://www.w3.org/2000/svg}"


def drawn(
    *points: tuple[float, float], marks: Sequence[Mark] = (), bands: Sequence[Band] = (), name: str = "one way"
) -> ET.Element:
    text = delay_plot(
        "a <title> & more", series=[Series(name, "#123456", points)], marks=marks, bands=bands, notes=["n"], end_s=10
    )
    return ET.fromstring(text)  # noqa: S314 - our own


def places(svg: ET.Element) -> list[tuple[float, float]]:
    circles = [each for each in svg.iter(f"{SVG}circle") if each.get("r") == "2.8"]
    return [(float(each.get("cx", "")), float(each.get("cy", ""))) for each in circles]


def texts(svg: ET.Element) -> list[str]:
    return [each.text or "" for each in svg.iter(f"{SVG}text")]


def test_every_point_is_drawn_in_the_scale() -> None:
    (x0, y0), (x5, y50), (x10, y100) = places(drawn((0, 0), (5, 50), (10, 100)))
    assert (x5, y50) == pytest.approx(((x0 + x10) / 2, (y0 + y100) / 2), abs=0.02)
    assert x0 < x10
    assert y0 > y100


def test_the_scale_has_room_for_the_longest_delay() -> None:
    svg = drawn((1, 63.0), (2, 1987.0))
    labels = [float(text) for text in texts(svg) if text.replace(".", "").isdigit()]
    assert max(labels) >= 1987
    (_, low), (_, high) = places(svg)
    assert 60 < high < low


def test_what_happened_is_named_and_text_is_escaped() -> None:
    svg = drawn((1, 50), marks=[Mark(1.0, "joined"), Mark(1.01, "next")], bands=[Band(2, 4, "stall")], name="a & b")
    assert {"a <title> & more", "a & b", "joined", "next", "stall", "n", "delay, ms"} <= set(texts(svg))
    title = svg.find(f"{SVG}title")
    assert title is not None
    assert title.text == "a <title> & more"


def test_labels_of_marks_do_not_lie_on_each_other() -> None:
    svg = drawn((1, 50), marks=[Mark(1.0, "a"), Mark(1.01, "b"), Mark(1.02, "c")])
    placed = [each.get("transform", "") for each in svg.iter(f"{SVG}text") if each.text in {"a", "b", "c"}]
    ats = [float(each.removeprefix("translate(").split()[0]) for each in placed]
    assert [later - earlier for earlier, later in itertools.pairwise(ats)] >= [11, 11]


def test_a_plot_without_points_is_drawn_all_the_same() -> None:
    assert places(drawn()) == []
