"""The demonstration shows true figures, and would show bad ones."""

import math

import pytest

from relay.dev import phone_leg
from relay.dev.phone_leg import PHONE_HZ, ROOM_HZ, level_db, measure, pcm_of, samples_of, tone


def test_levels_are_measured_in_db_below_full_scale() -> None:
    assert level_db(tone(1000, PHONE_HZ, level=0.5), 1000, PHONE_HZ) == pytest.approx(20 * math.log10(0.5), abs=0.01)
    assert level_db(tone(1000, PHONE_HZ), 2000, PHONE_HZ) < -100


def test_pcm_round_trips() -> None:
    assert samples_of(pcm_of([0.0, 1.0, -1.0])) == [0.0, 1.0, -1.0]


def test_every_figure_is_within_the_targets_of_the_codec() -> None:
    figures = {figure.what: figure.value for figure in measure()}
    assert figures["messages of 20 ms from the carrier"] == 50
    assert figures["bytes of room PCM for each of them"] == 640
    assert figures["1 kHz, agent to room: level against what was sent"] == pytest.approx(0, abs=0.2)
    assert figures["1 kHz, room to agent: level against what was sent"] == pytest.approx(0, abs=0.2)
    assert figures["5 kHz from the room, as an alias on the phone (one step: -72 dB)"] < -60
    assert figures["delay agent to room"] == pytest.approx(1.469, abs=0.02)
    assert figures["delay room to agent"] == pytest.approx(1.406, abs=0.02)
    assert figures["largest step across a concealed gap of 40 ms, over the tone's own"] < 1


def test_a_leg_that_drops_a_message_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = phone_leg.agent_to_room
    monkeypatch.setattr(phone_leg, "agent_to_room", lambda messages: whole(messages[1:]))
    figures = {figure.what: figure.value for figure in measure()}
    assert figures["bytes of room PCM for each of them"] < 640
    assert abs(figures["delay agent to room"]) > 10


def test_main_names_what_is_simulated(capsys: pytest.CaptureFixture[str]) -> None:
    phone_leg.main()
    printed = capsys.readouterr().out
    assert "simulated phone leg" in printed
    assert f"PCMU/{PHONE_HZ}" in printed
    assert f"L16/{ROOM_HZ}" in printed
