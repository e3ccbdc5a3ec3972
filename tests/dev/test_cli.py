"""The command line: real processes, real signals."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from relay.rooms.local import LocalRoom
from tests.rooms.listener import Listener, run

RELAY = Path(sys.executable).with_name("relay")
COMMANDS = {
    "python -m relay": [sys.executable, "-m", "relay", "dev", "room"],
    "relay": [str(RELAY), "dev", "room"],
    "module": [sys.executable, "-m", "relay.dev.room_server"],
}


@contextmanager
def started(command: list[str]) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The process, and the first line it printed."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


async def hear_one_frame(room_url: str) -> None:
    room, listener = LocalRoom(room_url), Listener()
    await room.join(listener)
    await listener.hears(1)
    await room.leave()


@pytest.mark.parametrize("how", COMMANDS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.long
def test_the_server_runs_until_a_signal_and_ends_with_0(how: str, number: signal.Signals) -> None:
    if how == "relay" and not RELAY.exists():
        pytest.skip("the console script is made when the package is installed")
    with started([*COMMANDS[how], "--port", "0"]) as (process, line):
        url = re.search(r"http://127\.0\.0\.1:\d+/rooms/NAME", line)
        assert url is not None, line
        run(hear_one_frame(url[0].replace("NAME", "blue")))
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.long
def test_the_simulated_carrier_runs_until_a_signal_and_ends_with_0(number: signal.Signals) -> None:
    with started([sys.executable, "-m", "relay", "dev", "carrier", "--port", "0"]) as (process, line):
        said = (
            r"Simulated carrier \(stands in for Twilio\): http://127\.0\.0\.1:(\d+), account SID AC.+, auth token .+\n"
        )
        url = re.fullmatch(said, line)
        assert url is not None, line
        with closing(HTTPConnection("127.0.0.1", int(url[1]), timeout=10)) as connection:
            connection.request("GET", "/2010-04-01/Accounts/AC0/Calls.json")
            assert connection.getresponse().status == 401
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (0, "")


def refused(*options: str) -> str:
    result = subprocess.run([*COMMANDS["python -m relay"], *options], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    return result.stderr


def test_a_port_in_use_is_one_line_and_2() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        lines = refused("--port", str(port)).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"Cannot listen on 127.0.0.1:{port}: ")
    assert "in use" in lines[0]


@pytest.mark.long
def test_a_bad_host_is_one_line_and_2() -> None:
    assert re.fullmatch(
        r"Cannot listen on no\.such\.host\.invalid:0: .+\n", refused("--host", "no.such.host.invalid", "--port", "0")
    )


@pytest.mark.long
def test_a_bad_port_is_a_usage_error() -> None:
    assert "65535" in refused("--port", "65536")  # the largest there is
