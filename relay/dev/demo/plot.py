"""A plot of delay over time, as SVG made by hand: points, what happened meanwhile, and a scale. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET  # only written here: nothing is parsed

WIDTH: Final = 960
HEIGHT: Final = 460
LEFT, RIGHT, TOP, BOTTOM = 64, 30, 84, 92
STEPS: Final = (1, 2, 5)
LINES: Final = 6
"""About so many on each scale."""
LABEL_WIDTH: Final = 13
"""Of a label that stands upright."""
SOFT, DARK, FAINT = "#667085", "#101828", "#e4e7ec"
FONT: Final = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one colour: (time in s, delay in ms)."""

    name: str
    color: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one moment."""

    at_s: float
    label: str


@dataclass(frozen=True, slots=True)
class Band:
    """Something that went on for a while."""

    from_s: float
    to_s: float
    label: str


def delay_plot(
    title: str,
    *,
    series: Sequence[Series],
    marks: Sequence[Mark],
    bands: Sequence[Band],
    notes: Sequence[str],
    end_s: float,
) -> str:
    """The plot as an SVG document, from 0 to ``end_s``."""
    highest_ms = max((delay for each in series for _, delay in each.points), default=0.0)
    return _Plot(end_s=max(end_s, 1.0), top_ms=_rounded_up(max(1.15 * highest_ms, 100.0))).drawn(
        title, series, marks, bands, notes
    )


class _Plot:
    def __init__(self, *, end_s: float, top_ms: float) -> None:
        self._end_s = end_s
        self._top_ms = top_ms
        self._svg = ET.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {WIDTH} {HEIGHT}",
                "width": str(WIDTH),
                "height": str(HEIGHT),
                "font-family": FONT,
                "role": "img",
            },
        )

    def drawn(
        self, title: str, series: Sequence[Series], marks: Sequence[Mark], bands: Sequence[Band], notes: Sequence[str]
    ) -> str:
        ET.SubElement(self._svg, "title").text = title
        self._add("rect", width=WIDTH, height=HEIGHT, fill="white")
        self._text(title, LEFT, 30, size=17, weight="600")
        self._legend(series)
        for band in bands:
            self._band(band)
        self._scales()
        self._marks(marks)
        for each in series:
            for at_s, delay_ms in each.points:
                self._add("circle", cx=self._x(at_s), cy=self._y(delay_ms), r=2.8, fill=each.color, fill_opacity=0.85)
        for number, note in enumerate(reversed(notes)):
            self._text(note, LEFT, HEIGHT - 12 - 15 * number, size=11, color=SOFT)
        ET.indent(self._svg)
        return ET.tostring(self._svg, encoding="unicode") + "\n"

    def _x(self, at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(at_s / self._end_s, 0.0), 1.0)

    def _y(self, delay_ms: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(delay_ms / self._top_ms, 0.0), 1.0)

    def _legend(self, series: Sequence[Series]) -> None:
        at = float(LEFT)
        for each in series:
            self._add("circle", cx=at + 5, cy=48, r=5, fill=each.color)
            self._text(each.name, at + 16, 52, size=13)
            at += 36 + 6.8 * len(each.name)

    def _scales(self) -> None:
        bottom = self._y(0)
        for value in _ticks(self._top_ms):
            self._line(LEFT, self._y(value), WIDTH - RIGHT, self._y(value), FAINT)
            self._text(f"{value:g}", LEFT - 8, self._y(value) + 4, size=12, color=SOFT, anchor="end")
        for value in _ticks(self._end_s):
            self._line(self._x(value), bottom, self._x(value), bottom + 5, SOFT)
            self._text(f"{value:g}", self._x(value), bottom + 20, size=12, color=SOFT, anchor="middle")
        self._line(LEFT, bottom, WIDTH - RIGHT, bottom, SOFT)
        self._text("delay, ms", LEFT - 50, TOP - 10, size=12, color=SOFT)
        self._text("seconds since the customer came", WIDTH - RIGHT, bottom + 38, size=12, color=SOFT, anchor="end")

    def _band(self, band: Band) -> None:
        left, right = self._x(band.from_s), self._x(band.to_s)
        height = HEIGHT - TOP - BOTTOM
        self._add("rect", x=left, y=TOP, width=max(right - left, 2.0), height=height, fill="#fde7d9")
        self._text(band.label, (left + right) / 2, TOP + 16, size=12, color="#b54708", anchor="middle")

    def _marks(self, marks: Sequence[Mark]) -> None:
        """A line each, with its label upright beside it, or beside the label before."""
        free = 0.0
        for mark in sorted(marks, key=lambda mark: mark.at_s):
            x = self._x(mark.at_s)
            self._line(x, TOP, x, self._y(0), "#98a2b3", dash="3 3")
            free = max(x, free) + LABEL_WIDTH
            label = self._text(mark.label, 0, 0, size=11, color=SOFT, anchor="end")
            label.set("transform", f"translate({free - 3:.2f} {TOP + 6}) rotate(-90)")

    def _line(self, x1: float, y1: float, x2: float, y2: float, color: str, *, dash: str = "none") -> None:
        self._add("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=color, stroke_dasharray=dash)

    def _text(
        self,
        text: str,
        x: float,
        y: float,
        *,
        size: int,
        color: str = DARK,
        anchor: str = "start",
        weight: str = "400",
    ) -> ET.Element:
        element = self._add("text", x=x, y=y, font_size=size, fill=color, text_anchor=anchor, font_weight=weight)
        element.text = text
        return element

    def _add(self, tag: str, **attributes: float | str) -> ET.Element:
        texts = {
            name.replace("_", "-"): value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
            for name, value in attributes.items()
        }
        return ET.SubElement(self._svg, tag, texts)


def _step(top: float) -> float:
    """1, 2 or 5 times a power of ten, so that there are about ``LINES`` of them up to ``top``."""
    rough = top / LINES
    power = 10.0 ** math.floor(math.log10(rough))
    return next((step * power for step in STEPS if step * power >= rough), 10 * power)


def _rounded_up(top: float) -> float:
    return math.ceil(top / _step(top)) * _step(top)


def _ticks(top: float) -> Iterator[float]:
    step = _step(top)
    return (number * step for number in range(int(top / step + 1e-9) + 1))
