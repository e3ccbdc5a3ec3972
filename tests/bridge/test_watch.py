"""The watchdogs, each at its bound and not before."""

from dataclasses import fields

import pytest

from relay.bridge.settings import BridgeSettings
from relay.bridge.watch import MicrophoneWatch, Signs, look
from relay.transfers.reasons import Reason

S = 1_000_000_000
ANYTHING = {"profile", "ringback"}
MAY_BE_ZERO = {"customer_grace_s", "reconnect_timeout_s"}
SETTINGS = BridgeSettings()

RULES = {
    "microphone_silent_since_ns": (10, Reason.ROOM_LOST),
    "ping_unanswered_since_ns": (6, Reason.MEDIA_LOST),
    "write_stalled_since_ns": (5, Reason.MEDIA_LOST),
    "paused_since_ns": (5, Reason.MEDIA_LOST),
    "audio_seen_ns": (10, Reason.MEDIA_TIMEOUT),
    "reconnecting_since_ns": (10, Reason.MEDIA_LOST),
    "unattached_since_ns": (600, Reason.MEDIA_TIMEOUT),
    "connected_since_ns": (4 * 3600, Reason.MAX_DURATION),
}


def test_every_sign_has_a_rule() -> None:
    assert {each.name for each in fields(Signs)} == set(RULES)


@pytest.mark.parametrize(("sign", "bound_s", "reason"), [(sign, *rule) for sign, rule in RULES.items()])
def test_f15_and_all_others_hold_to_their_bound(sign: str, bound_s: int, reason: Reason) -> None:
    signs = Signs(**{sign: 7 * S})
    assert look(signs, SETTINGS, (7 + bound_s) * S) is None
    verdict = look(signs, SETTINGS, (7 + bound_s) * S + 1)
    assert verdict is not None
    assert verdict.reason is reason
    assert f"{bound_s} s" in verdict.detail


def test_nothing_to_watch_ends_nothing() -> None:
    assert look(Signs(), SETTINGS, 10**18) is None


def test_what_ends_the_bridge_comes_before_what_may_end_its_leg_only() -> None:
    signs = Signs(microphone_silent_since_ns=0, reconnecting_since_ns=0, audio_seen_ns=0, write_stalled_since_ns=0)
    verdict = look(signs, SETTINGS, 60 * S)
    assert verdict is not None
    assert (verdict.reason, verdict.is_of_leg) == (Reason.ROOM_LOST, False)


def test_only_signs_of_the_carriers_stream_are_of_the_leg() -> None:
    of_leg = {"ping_unanswered_since_ns", "write_stalled_since_ns", "paused_since_ns", "audio_seen_ns"}
    for sign in RULES:
        verdict = look(Signs(**{sign: 0}), SETTINGS, 10**18)
        assert verdict is not None
        assert verdict.is_of_leg == (sign in of_leg)


def test_f21_microphone_must_begin_when_it_is_needed_and_ask_on_when_it_has() -> None:
    microphone = MicrophoneWatch()
    needed = [(1, False), (2, True), (3, True), (4, False), (5, True)]
    since = [microphone.silent_since_ns(now_ns, asked_ns=0, is_needed=is_needed) for now_ns, is_needed in needed]
    assert since == [None, 2, 2, None, 5]
    assert [microphone.silent_since_ns(7, asked_ns=6, is_needed=is_needed) for is_needed in (False, True)] == [6, 6]


def test_queue_that_no_frame_fits_in_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a queue_max_ms of 80 or more, got 79"):
        BridgeSettings(queue_max_ms=79)


@pytest.mark.parametrize("name", sorted({each.name for each in fields(BridgeSettings)} - ANYTHING - MAY_BE_ZERO))
def test_settings_refuse_what_is_not_above_zero(name: str) -> None:
    with pytest.raises(ValueError, match=f"expected a {name} above zero, got 0"):
        BridgeSettings(**{name: 0})  # type: ignore[arg-type] # whichever of them it is


@pytest.mark.parametrize("name", sorted(MAY_BE_ZERO))
def test_not_to_wait_at_all_is_a_setting_and_less_is_not(name: str) -> None:
    assert getattr(BridgeSettings(**{name: 0}), name) == 0  # type: ignore[arg-type] # as above
    with pytest.raises(ValueError, match=f"expected a {name} above zero, got -1"):
        BridgeSettings(**{name: -1})  # type: ignore[arg-type] # as above
