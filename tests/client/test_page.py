"""The page about the client: its examples do what it says, and its tables leave nothing out."""

import re
from pathlib import Path
from typing import Any

import pytest

from relay import client
from relay.app.settings_model import Settings
from relay.client import ClientError, RelayClient
from relay.transfers.course_settings import CourseSettings
from tests.client.conftest import MakeCase
from tests.client.stand_in import TRANSFER_ID, Answer, event_text, is_silent, refuses, run, says, streams, transfer_json

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "client.md").read_text()
EXAMPLE = (ROOT / "examples" / "pipecat_bot.py").read_text()
ROOM = "https://acme.daily.co/room"


def function(name: str) -> Any:
    """What an example of the page defines."""
    namespace: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "client.md", "exec"), namespace)  # noqa: S102 - our own page
    return namespace[name]


def after_the_ringing_s(text: str) -> list[float]:
    """The times that an example adds to the ring time-out, one by one."""
    (added,) = re.findall(r"(\d+(?: \+ \d+)+)$", text, re.MULTILINE)
    return [float(each) for each in added.split(" + ")]


@pytest.mark.parametrize(
    ("state", "sentence"), [("joined", None), ("failed", "I'm sorry, the line is busy right now.")]
)
def test_the_example_leaves_or_has_something_to_say(case: MakeCase, state: str, sentence: str | None) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on("POST /v1/transfers", says(transfer_json(), 201))
            c.relay.on(f"GET /v1/transfers/{TRANSFER_ID}", says(transfer_json(state, sentence=sentence)))
            assert await function("connect")(c.client, ROOM, "Bot", "call_7") == sentence
            assert c.relay.keys() == [f"{ROOM}#call_7"]
            assert c.relay.asked[0].body == {"room_url": ROOM, "destination": "billing", "bot_id": "Bot"}

    run(scenario())


def test_the_example_has_something_to_say_when_relay_is_full(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on("POST /v1/transfers", refuses(503, "overloaded"))
            assert (
                await function("connect")(c.client, ROOM, "Bot", "call_7") == "I'm sorry, all lines are busy right now."
            )

    run(scenario())


@pytest.mark.parametrize("waited", [is_silent, refuses(404, "not-found")], ids=["timed out", "refused"])
def test_the_example_cancels_what_it_waits_for_no_longer(case: MakeCase, waited: Answer) -> None:
    async def scenario() -> None:
        async with case() as c:
            ring_timeout_s = 0.3 - sum(after_the_ringing_s(PAGE))
            c.relay.on("POST /v1/transfers", says(transfer_json(ring_timeout_s=ring_timeout_s), 201))
            c.relay.on(f"GET /v1/transfers/{TRANSFER_ID}", waited)
            sentence = await function("connect")(c.client, ROOM, "Bot", "call_7")
            assert sentence == "I'm sorry, a technical problem kept me from connecting you."
            assert c.relay.asked[-1].line == f"DELETE /v1/transfers/{TRANSFER_ID}"

    run(scenario())


@pytest.mark.parametrize("text", [PAGE, EXAMPLE], ids=["page", "example"])
def test_the_examples_wait_for_as_long_as_relay_may_be_set_to(text: str) -> None:
    (answer, accept) = (Settings.model_fields[name].metadata[0] for name in ("answer_timeout_s", "accept_timeout_s"))
    longest_s = [float(form.expected.rpartition(" to ")[2]) for form in (answer, accept)]
    assert after_the_ringing_s(text) == [*longest_s, CourseSettings().join_timeout_s]


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
