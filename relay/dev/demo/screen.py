"""The timeline in the terminal while a scenario is played; without a terminal, plain lines."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from relay.client import State
from relay.dev.demo.report import SHIPPING, SIMULATED
from relay.dev.demo.scenario import Scenario
from relay.dev.demo.timeline import Entry, Who

STYLES: Final = {
    Who.BOT: "cyan",
    Who.CUSTOMER: "green",
    Who.AGENT: "yellow",
    Who.NETWORK: "red",
    Who.RELAY: "bold",
}
PATH: Final = (State.REQUESTED, State.DIALING, State.RINGING, State.ANSWERED, State.JOINED)
REFRESHES_PER_S: Final = 5  # each takes a ms or two from the loop that carries the audio


class Screen:
    """
    ``with Screen(console, scenario) as screen``: the state at the bottom, and above it ``entry`` after entry.

    Args:
        console: where to print.
        scenario: what is being played.
    """

    def __init__(self, console: Console, scenario: Scenario) -> None:
        self._console = console
        self._scenario = scenario
        self._status = "sets everything up"
        self._reached: list[State] = []
        self._spinner = Spinner("dots")
        self._live = Live(
            console=console, get_renderable=self._footer, refresh_per_second=REFRESHES_PER_S, transient=True
        )

    def __enter__(self) -> Self:
        self._console.print(Text.assemble(("relay demo", "bold"), f": {self._scenario.name}"))
        self._print(Text(f"  {self._scenario.line}", style="italic"))
        self._print(Text.assemble(("  shipping code  ", "bold green"), SHIPPING))
        self._print(Text.assemble(("  simulated      ", "bold red"), SIMULATED))
        self._console.print()
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def status(self, text: str) -> None:
        """What is being done beside the transfer."""
        self._status = text

    def entry(self, entry: Entry) -> None:
        """Print a line of the timeline."""
        line = Text.assemble(
            (f"{entry.at_s:8.2f} s  ", "dim"),
            (f"{entry.who:9} ", STYLES[entry.who]),
            (f"{self._came_to(entry):13}", "bold magenta"),
            entry.what,
        )
        self._print(line)
        self._status = "the call is on" if State.JOINED in self._reached else "the customer waits with the bot"

    def _print(self, line: Text) -> None:
        """A file's lines are as long as they are."""
        self._console.print(line, soft_wrap=not self._console.is_terminal)

    def _came_to(self, entry: Entry) -> str:
        """The state, where it is a new one."""
        if entry.state is None or entry.state in self._reached:
            return ""
        self._reached.append(entry.state)
        return entry.state.value

    def _footer(self) -> RenderableType:
        path = Text("  ")
        for state in (*PATH, *(state for state in self._reached if state.is_terminal)):
            path.append(" ─ " if len(path) > 2 else "", style="dim")
            path.append(state.value, style=self._style(state))
        spinning = Table.grid(padding=(0, 1))
        spinning.add_row(" ", self._spinner, Text(self._status, style="dim"))
        return Group(Text(), path, spinning)

    def _style(self, state: State) -> str:
        if self._reached and state is self._reached[-1]:
            return "bold reverse"
        return "green" if state in self._reached else "dim"
