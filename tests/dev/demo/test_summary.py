"""The report for people says everything that there is, and what is wrong first of all."""

import io

from rich.console import Console

from relay.dev.demo.report import report_of
from relay.dev.demo.scenarios import BY_NAME
from relay.dev.demo.summary import print_report
from tests.dev.demo.made_up import evidence

FILES = {"customer_heard": "/a/b.wav", "log": "/a/b.log"}


def printed(**changes: object) -> str:
    text = io.StringIO()
    print_report(Console(file=text, width=80), report_of(BY_NAME["answered"], evidence(**changes)), FILES)
    return text.getvalue()


def test_it_has_states_delays_frames_files_and_checks() -> None:
    lines = [" ".join(line.split()) for line in printed().splitlines()]
    assert "joined 4.00 s +1000 ms" in lines
    assert "customer_left: The customer has left." in lines
    assert "agent to customer 60 ms 60 ms 60 ms -0.1 dB" in lines
    assert "agent to customer: 300 received, 2 lost, 1 late, 40 ms concealed" in lines
    assert "customer to agent: 310 sent, 3 dropped, gaps at the phone: 2 (40 ms)" in lines
    assert "what the customer heard /a/b.wav" in lines
    assert "As it should be" in lines
    assert "✓ the transfer is over" in lines


def test_what_is_wrong_is_said_with_what_came() -> None:
    text = printed(violations=("it rings still",))
    assert "NOT as it should be" in text
    assert "✗ the carrier has nothing to complain of: it rings still" in text


def test_without_an_audio_there_is_nothing_about_it() -> None:
    text = printed(moments={}, bridge=None)
    assert "Delay" not in text
    assert "Frames" not in text
