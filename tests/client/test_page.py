"""The page about the client: its examples do what it says, and its tables leave nothing out."""

import re
from pathlib import Path
from typing import Any

import pytest

from relay import client
from relay.client import ClientError, RelayClient
from tests.client.conftest import MakeCase
from tests.client.stand_in import TRANSFER_ID, event_text, refuses, run, says, streams, transfer_json

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
ROOM = "https://acme.daily.co/room"


def function(name: str) -> Any:
    """What an example of the page defines."""
    namespace: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "client.md", "exec"), namespace)  # noqa: S102 - our own page
    return namespace[name]


@pytest.mark.parametrize(
    ("state", "sentence"), [("joined", None), ("failed", "I'm sorry, the line is busy right now.")]
)
def test_the_example_leaves_or_has_something_to_say(case: MakeCase, state: str, sentence: str | None) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on("POST /v1/transfers", says(transfer_json(), 201))
            c.relay.on(f"GET /v1/transfers/{TRANSFER_ID}", says(transfer_json(state, sentence=sentence)))
            assert await function("connect")(c.client, ROOM, "call_7") == sentence
            assert c.relay.keys() == [f"{ROOM}#call_7"]

    run(scenario())


def test_the_example_has_something_to_say_when_relay_is_full(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on("POST /v1/transfers", refuses(503, "overloaded"))
            assert await function("connect")(c.client, ROOM, "call_7") == "I'm sorry, all lines are busy right now."

    run(scenario())


def test_the_example_follows_a_transfer(case: MakeCase, capsys: pytest.CaptureFixture[str]) -> None:
    async def scenario() -> None:
        async with case() as c:
            ended = event_text(2, "failed", sentence="Busy.")
            c.relay.on(f"GET /v1/transfers/{TRANSFER_ID}/events", streams(event_text(1, "requested"), ended))
            await function("follow")(c.client, TRANSFER_ID)

    run(scenario())
    assert [line.split(maxsplit=2)[2] for line in capsys.readouterr().out.splitlines()] == [
        "requested ",
        "failed Busy.",
    ]


def test_the_page_names_every_method_and_every_error() -> None:
    methods = {name for name in vars(RelayClient) if not name.startswith("_")}
    assert set(re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE)) == methods
    errors = {name for name, each in vars(client).items() if isinstance(each, type) and issubclass(each, ClientError)}
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == errors - {"ClientError"}
