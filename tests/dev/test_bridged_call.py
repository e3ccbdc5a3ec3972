"""The demonstration's call: true figures, and bad ones where something is bad."""

import math

import pytest
import structlog
import uvloop

from relay.dev import bridged_call
from relay.dev.bridged_call import PHONE_HZ, PULSES, call, delays_ms, said
from relay.dev.recording import Recording


def test_delay_of_every_pulse_is_found() -> None:
    late = bytes(2 * PHONE_HZ * 45 // 1000) + said(500, PHONE_HZ)
    assert delays_ms(Recording(late, PHONE_HZ, 7_000_000), PHONE_HZ, 7_000_000) == pytest.approx(
        [45.0] * PULSES, abs=0.2
    )
    assert delays_ms(Recording(late, PHONE_HZ, 9_000_000), PHONE_HZ, 7_000_000) == pytest.approx(
        [47.0] * PULSES, abs=0.2
    )


def test_call_is_heard_on_both_sides() -> None:
    figures = {figure.what: figure.value for figure in uvloop.run(call())}
    assert figures["agent's tone at the customer, against what was sent"] == pytest.approx(0, abs=2)
    assert figures["customer's tone at the agent, against what was sent"] == pytest.approx(0, abs=2)
    assert figures["customer's own tone coming back"] < -30
    assert figures["agent's own tone coming back"] < -30
    assert 20 < figures["agent's mouth to customer's ear, simulated room included"] < 250
    assert 10 < figures["customer's mouth to agent's ear, simulated room and phone included"] < 250
    assert all(math.isfinite(value) for value in figures.values())


def test_main_names_what_is_simulated(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing() -> list[object]:
        return []

    monkeypatch.setattr(bridged_call, "call", nothing)
    try:
        bridged_call.main()
    finally:
        structlog.reset_defaults()
    printed = capsys.readouterr().out
    assert "simulated phone" in printed
    assert "simulated room" in printed
