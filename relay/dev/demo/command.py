"""``relay demo``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console

from relay.dev.carriers.by_name import CARRIERS
from relay.dev.carriers.dialect import Dialect
from relay.dev.demo.files import log_path, write_files
from relay.dev.demo.play import measured, play
from relay.dev.demo.report import report_of
from relay.dev.demo.scenario import Scenario
from relay.dev.demo.scenarios import BY_NAME, DEFAULT, SCENARIOS
from relay.dev.demo.screen import Screen
from relay.dev.demo.summary import print_report
from relay.dev.demo.timeline import Timeline
from relay.errors import StoreUnavailable

NOT_AS_IT_SHOULD_BE: Final = 1
CANNOT_RUN: Final = 2


def run(
    scenario: Annotated[str, typer.Option(help="Which; --list names them.")] = DEFAULT,
    *,
    carrier: Annotated[str, typer.Option(help=f"Which is simulated: {', '.join(CARRIERS)}.")] = "twilio",
    list_scenarios: Annotated[bool, typer.Option("--list", help="Name the scenarios, and play none.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")] = False,
    output: Annotated[Path, typer.Option(help="Folder for recordings, plot and log.")] = Path("demo-output"),
) -> None:
    """Play a whole warm transfer through the real service, with no account, and measure what was heard."""
    if list_scenarios:
        _list(as_json=as_json)
        return
    if scenario not in BY_NAME:
        _fail(f"Unknown scenario {scenario!r}: expected one of {', '.join(BY_NAME)}")
    if carrier not in CARRIERS:
        _fail(f"Unknown carrier {carrier!r}: expected one of {', '.join(CARRIERS)}")
    try:
        output.mkdir(parents=True, exist_ok=True)
        ok = _play(BY_NAME[scenario], CARRIERS[carrier](), output, as_json=as_json)
    except StoreUnavailable as error:
        _fail(f"The store does not start: {error}")
    except OSError as error:
        _fail(f"Cannot run the demo: {error}")
    if not ok:
        raise typer.Exit(NOT_AS_IT_SHOULD_BE)


def _play(scenario: Scenario, dialect: Dialect, output: Path, *, as_json: bool) -> bool:
    """Play it, write its files and print its report; returns whether everything was as it should be."""
    scenario = scenario.with_carrier(dialect.traits)
    console = Console(quiet=as_json, highlight=False)
    with Screen(console, scenario) as screen:
        evidence = play(scenario, Timeline(screen.entry), log_path(output, scenario.name), dialect)
        screen.status("measures what was heard")
        report = report_of(scenario, measured(evidence))
    files = write_files(report, output)
    if as_json:
        print(json.dumps(report.as_json(files), indent=2, ensure_ascii=False))
    else:
        print_report(console, report, files)
    return report.ok


def _list(*, as_json: bool) -> None:
    if as_json:
        print(json.dumps([{"name": each.name, "line": each.line} for each in SCENARIOS], indent=2))
        return
    width = max(len(each.name) for each in SCENARIOS)
    for each in SCENARIOS:
        print(f"{each.name:{width}}  {each.line}")


def _fail(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(CANNOT_RUN)
