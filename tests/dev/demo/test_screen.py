"""The timeline without a terminal is plain lines; with one, the state stands below it and goes at the end."""

import io

from rich.console import Console

from relay.client import State
from relay.dev.demo.scenarios import BY_NAME
from relay.dev.demo.screen import Screen
from relay.dev.demo.timeline import Entry, Who

ENTRIES = (
    Entry(0.25, Who.BOT, "asks"),
    Entry(0.3, Who.RELAY, "stored", State.REQUESTED),
    Entry(0.5, Who.RELAY, "dials", State.DIALING),
    Entry(0.6, Who.RELAY, "taken", State.DIALING),
)


def shown(*, is_terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=is_terminal, width=200, highlight=False)
    with Screen(console, BY_NAME["answered"]) as screen:
        for entry in ENTRIES:
            screen.entry(entry)
        screen.status("measures")
    return text.getvalue()


def test_without_a_terminal_there_are_plain_lines() -> None:
    text = shown(is_terminal=False)
    assert "\x1b" not in text
    assert [line.split() for line in text.splitlines()[-4:]] == [
        ["0.25", "s", "bot", "asks"],
        ["0.30", "s", "relay", "requested", "stored"],
        ["0.50", "s", "relay", "dialing", "dials"],
        ["0.60", "s", "relay", "taken"],
    ]


def test_it_says_what_is_simulated_and_what_is_not() -> None:
    text = shown(is_terminal=False)
    assert "shipping code  HTTP API" in text
    assert "simulated      the carrier" in text


def test_in_a_terminal_the_state_stands_below() -> None:
    text = shown(is_terminal=True)
    assert "\x1b[" in text
    assert "ringing" in text  # not reached: in the footer only
