"""The scripts do what a plain model says, and the check that holds them to it sees when one does not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import uvloop
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from relay.transfers import scripts
from relay.transfers.scripts import Script
from relay.transfers.store import TransferStore
from tests.transfers.store_model import ClaimMachine, EventMachine, Machine, TokenMachine

MODEL_CHECK = settings(max_examples=20, stateful_step_count=40, suppress_health_check=list(HealthCheck))
FAULT_CHECK = settings(MODEL_CHECK, max_examples=100, phases=[Phase.generate], report_multiple_bugs=False)

# Name: script, what is in it, what is put in its place.
FAULTS = {
    "no fencing of events": ("APPLY", "if epoch ~= ARGV[2] then return answer('fenced') end", ""),
    "no check for duplicates": ("APPLY", "if seen then return answer('duplicate') end", ""),
    "events are not remembered": ("APPLY", "redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])", ""),
    "terminal states do not stick": (
        "APPLY",
        "if not after then return answer('ignored') end",
        "if not after then after, ttl_s = string.match(ARGV[8], '>(%l+)>(%d+)|') end",
    ),
    "no log": ("APPLY", "redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', unpack(entry))", ""),
    "made twice": ("CREATE", "if redis.call('EXISTS', KEYS[1]) == 1 then", "if false then"),
    "no fencing of tokens": ("MINT", "if epoch ~= ARGV[2] then return answer('fenced') end", ""),
    "tokens of streams that are over": ("MINT", "tonumber(ARGV[3]) < first or ", ""),
    "tokens of streams that were passed over": ("MINT", "math.max(first, tonumber(pending))", "first"),
    "tokens after the end": ("MINT", "not string.find(ARGV[6], '|' .. (state or '') .. '|', 1, true)", "false"),
    "streams are only counted": ("CONSUME", "stream + 1", "streams + 1"),
    "any token": ("CONSUME", "token ~= ARGV[2] or", ""),
    "tokens are used twice": ("CONSUME", "redis.call('HDEL', KEYS[1], 'token', 'token_stream', 'token_until_ms')", ""),
    "sockets after the end": ("CONSUME", "or not string.find(ARGV[4], '|' .. (state or '') .. '|', 1, true)", ""),
    "claimed twice": ("CLAIM", "if held[1] or held[2] then return held end", ""),
    "taken over from anybody": ("TAKE_OVER", "if holder ~= ARGV[1] and holder ~= ARGV[2] then return 0 end", ""),
    "released by anybody": ("RELEASE", "if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end", ""),
}
MACHINES: dict[str, type[Machine]] = {
    **dict.fromkeys(("CREATE", "APPLY"), EventMachine),
    **dict.fromkeys(("MINT", "CONSUME"), TokenMachine),
    **dict.fromkeys(("CLAIM", "TAKE_OVER", "RELEASE"), ClaimMachine),
}


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


@pytest.fixture
def store(runner: asyncio.Runner, redis_url: str, prefix: str) -> Iterator[TransferStore]:
    async def opened() -> TransferStore:
        store = TransferStore(redis_url, prefix=prefix)
        await store.open()
        return store

    store = runner.run(opened())
    yield store
    runner.run(store.close())


def check(machine: type[Machine], how: settings, runner: asyncio.Runner, store: TransferStore) -> None:
    def made() -> RuleBasedStateMachine:
        return machine(runner, store)

    run_state_machine_as_test(made, settings=how)  # type: ignore[arg-type]  # it takes what makes a machine, too


@pytest.mark.parametrize("machine", sorted(set(MACHINES.values()), key=str))
@pytest.mark.long
def test_whatever_is_done_in_whatever_order_is_as_in_the_model(
    runner: asyncio.Runner, store: TransferStore, machine: type[Machine]
) -> None:
    check(machine, MODEL_CHECK, runner, store)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("redis_server", ["valkey"], indirect=True)
@pytest.mark.long
def test_the_check_sees_each_planted_fault(
    runner: asyncio.Runner, store: TransferStore, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    name, right, wrong = FAULTS[fault]
    script: Script = getattr(scripts, name)
    assert script.text.count(right) == 1, "the fault must be planted where the check is"
    monkeypatch.setattr(scripts, name, Script(script.text.replace(right, wrong)))
    with pytest.raises(AssertionError):
        check(MACHINES[name], FAULT_CHECK, runner, store)


def test_scripts_are_known_to_redis_by_their_sha1(runner: asyncio.Runner, store: TransferStore) -> None:
    (loaded,) = runner.run(store._door.ask([("SCRIPT", "LOAD", scripts.APPLY.text)]))
    assert loaded.decode() == scripts.APPLY.sha1
