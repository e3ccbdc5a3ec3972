"""Every scenario is played whole, through the real service; and what goes wrong on the way is told."""

import json
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from relay.app.accounts import ACCOUNTS
from relay.client import RefusedRequest, State
from relay.dev.carrier_document import Stream
from relay.dev.carrier_outcomes import BUSY
from relay.dev.carriers.audio_wire import AudioWire
from relay.dev.carriers.by_name import CARRIERS
from relay.dev.demo.evidence import Evidence
from relay.dev.demo.play import measured, play
from relay.dev.demo.scenario import Scenario
from relay.dev.demo.scenarios import BY_NAME, DEFAULT, SCENARIOS
from relay.dev.demo.stage import AGENT_NUMBER, Stage
from relay.dev.demo.steps import bot_asks, until
from relay.dev.demo.timeline import Timeline, Who
from relay.dev.phone_wire import Call, PhoneWire
from relay.providers.control import CallOrder, HttpRequest
from tests.threats.canaries import spellings

SHORT = {"agent-hangs-up", "busy", "canceled", "customer-leaves", "declined", "invalid-number", "rejected"}


def each() -> list[object]:
    return [
        pytest.param(scenario, id=scenario.name, marks=[] if scenario.name in SHORT else [pytest.mark.long])
        for scenario in SCENARIOS
    ]


def wrong(scenario: Scenario, evidence: Evidence) -> list[str]:
    return [f"{check.what}: {check.got}" for check in scenario.checked(evidence) if not check.ok]


@pytest.mark.parametrize("scenario", each())
@pytest.mark.long
def test_the_scenario_ends_as_it_should(scenario: Scenario, tmp_path: Path) -> None:
    timeline = Timeline()
    evidence = measured(play(scenario, timeline, tmp_path / "log"))
    assert wrong(scenario, evidence) == []
    assert evidence.entries == tuple(timeline.entries)
    assert {Who.CUSTOMER, Who.BOT, Who.RELAY} <= {entry.who for entry in evidence.entries}
    log = (tmp_path / "log").read_text()
    assert [json.loads(line)["event"] for line in log.splitlines()].count("bridge_ended") == 1
    assert AGENT_NUMBER.removeprefix("+") not in log


@pytest.mark.parametrize("carrier", [name for name in CARRIERS if name != "twilio"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.long
def test_the_scenario_ends_as_it_should_with_each_carrier(scenario: Scenario, carrier: str, tmp_path: Path) -> None:
    dialect = CARRIERS[carrier]()
    played = scenario.with_carrier(dialect.traits)
    evidence = measured(play(played, Timeline(), tmp_path / "log", dialect))
    assert wrong(played, evidence) == []
    assert AGENT_NUMBER.removeprefix("+") not in (tmp_path / "log").read_text()


RATES_HZ = [
    ("plivo", "RELAY_PLIVO_WIDEBAND", "true", 16000),
    ("plivo", "RELAY_PLIVO_WIDEBAND", "false", 8000),
    ("signalwire", "RELAY_SIGNALWIRE_WIDEBAND", "true", 16000),
    ("signalwire", "RELAY_SIGNALWIRE_WIDEBAND", "false", 8000),
    ("telnyx", "RELAY_TELNYX_WIDEBAND", "true", 16000),
    ("telnyx", "RELAY_TELNYX_WIDEBAND", "false", 8000),
    ("vonage", "", "", 16000),
    ("exotel", "RELAY_EXOTEL_SAMPLE_RATE_HZ", "16000", 16000),
    ("exotel", "RELAY_EXOTEL_SAMPLE_RATE_HZ", "8000", 8000),
    ("jambonz", "RELAY_JAMBONZ_SAMPLE_RATE_HZ", "16000", 16000),
    ("asterisk", "RELAY_ASTERISK_MEDIA_FORMAT", "slin16", 16000),
]


@pytest.mark.parametrize("case", RATES_HZ, ids=lambda case: f"{case[0]} {case[3]}")
@pytest.mark.long
def test_a_call_is_heard_both_ways_at_each_rate_that_the_carrier_offers(
    case: tuple[str, str, str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier, setting, value, rate_hz = case
    dialect, rates_hz = CARRIERS[carrier](), []
    told, made = dialect.settings, dialect.wire

    def wire(call: Call, stream: Stream) -> PhoneWire:
        one = made(call, stream)
        assert isinstance(one, AudioWire)
        rates_hz.append(one.rate_hz)
        return one

    monkeypatch.setattr(dialect, "wire", wire)
    if setting:
        monkeypatch.setattr(dialect, "settings", lambda *account: {**told(*account), setting: value})
    played = BY_NAME[DEFAULT].with_carrier(dialect.traits)
    assert wrong(played, measured(play(played, Timeline(), tmp_path / "log", dialect))) == []
    assert rates_hz == [rate_hz]


HEARD = {"plivo": "12#w", "signalwire": "12#", "telnyx": "12#w", "vonage": "12#p", "jambonz": "12#", "asterisk": "12#"}
"""What the agent's phone hears of ``12#w``, or of ``12#`` where the carrier has no pauses."""


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.long
def test_the_agents_phone_hears_keys_that_the_bot_sends_where_the_carrier_can(carrier: str, tmp_path: Path) -> None:
    heard, digits = HEARD.get(carrier, ""), "12#w" if carrier in {"plivo", "telnyx", "vonage"} else "12#"
    dialect = CARRIERS[carrier]()
    refused = []

    async def presses(stage: Stage) -> None:
        assert stage.bot.transfer_id is not None
        await stage.relay.wait(stage.bot.transfer_id)
        try:
            await stage.relay.send_digits(stage.bot.transfer_id, digits)
        except RefusedRequest as error:
            refused.append(error.problem.name)
        call = await stage.carrier.until_call()
        if heard and call.phone is not None:
            await call.phone.until(lambda _: call.keys_heard == heard, "keys")

    played = BY_NAME["agent-hangs-up"].with_carrier(dialect.traits)
    played = replace(played, steps=(played.steps[0], presses, *played.steps[1:]))
    assert wrong(played, measured(play(played, Timeline(), tmp_path / "log", dialect))) == []
    assert refused == ([] if heard else ["digits-refused"])
    assert digits not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    "carrier", [pytest.param(name, marks=[] if name == "exotel" else [pytest.mark.long]) for name in CARRIERS]
)
def test_t12_relays_log_has_no_secret_of_the_carrier(
    carrier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if a defect quotes the whole account, all that it is given, and all that it makes of it."""
    kind, dialect, quoted = ACCOUNTS[carrier].kind, CARRIERS[carrier](), []
    dial, account = kind.dial, dialect.settings("", "+14155550100")

    def broken(self: Any, order: CallOrder) -> HttpRequest:
        request = dial(self, order)
        asked = f"{order.to} {order.media_url} {request.url} {dict(request.headers)} {request.body!r}"
        quoted.append(f"{asked} {vars(self)} {account}")
        raise RuntimeError(quoted[-1])

    monkeypatch.setattr(kind, "dial", broken)
    held = {account[name] for name in account if name.lower().endswith(("_token", "_key", "_password", "_secret"))}
    held = {line for value in held for line in value.splitlines() if not line.startswith("-----")}
    held -= {account.get("RELAY_TELNYX_PUBLIC_KEY", "")}
    assert held
    play(replace(BY_NAME["busy"], steps=(bot_asks(),), limit_s=1.0), Timeline(), tmp_path / "log", dialect)
    log = (tmp_path / "log").read_text()
    assert "RuntimeError" in log
    assert [secret for secret in {*held, AGENT_NUMBER[1:]} if any(each in log for each in spellings(secret))] == []
    assert [url for url in re.findall(r"media(?:/|%2F)([\w-]{43})", quoted[0]) if url in log] == []


@pytest.mark.long
def test_a_scenario_that_does_not_get_on_is_wrong_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def never(stage: Stage) -> None:
        await stage.customer.until_gone("nobody")

    endless = replace(BY_NAME["busy"], outcome=BUSY, steps=(bot_asks(), until(State.FAILED), never), limit_s=1.0)
    evidence = play(endless, Timeline(), tmp_path / "log")
    assert evidence.broke == "it was not over after 1 s"
    assert wrong(endless, evidence) == ["the scenario was played to its end: it was not over after 1 s"]


def test_an_expectation_that_is_not_met_is_wrong(tmp_path: Path) -> None:
    mistaken = replace(BY_NAME["rejected"], outcome=BUSY)
    assert wrong(mistaken, play(mistaken, Timeline(), tmp_path / "log")) == ["it ends failed (rejected): failed (busy)"]


def test_logging_is_as_it_was_before(tmp_path: Path) -> None:
    handlers, processors = logging.getLogger().handlers, structlog.get_config()["processors"]
    play(BY_NAME["invalid-number"], Timeline(), tmp_path / "log")
    assert logging.getLogger().handlers is handlers
    assert structlog.get_config()["processors"] is processors


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        play(BY_NAME["busy"], Timeline(), tmp_path)
