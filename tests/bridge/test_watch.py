"""The watchdogs, each at its bound and not before."""

from dataclasses import fields

import pytest

from relay.bridge.settings import BridgeSettings
from relay.bridge.watch import Signs, look
from relay.transfers.reasons import Reason

S = 1_000_000_000
SETTINGS = BridgeSettings()

RULES = {
    "microphone_seen_ns": (10, Reason.ROOM_LOST),
    "customer_absent_since_ns": (5, Reason.CUSTOMER_LEFT),
    "ping_unanswered_since_ns": (6, Reason.MEDIA_LOST),
    "write_stalled_since_ns": (5, Reason.MEDIA_LOST),
    "audio_seen_ns": (10, Reason.MEDIA_TIMEOUT),
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


def test_room_that_is_gone_says_more_than_the_customer_who_went_with_it() -> None:
    verdict = look(Signs(microphone_seen_ns=0, customer_absent_since_ns=0), SETTINGS, 60 * S)
    assert verdict is not None
    assert verdict.reason is Reason.ROOM_LOST


def test_queue_that_no_frame_fits_in_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a queue_max_ms of 80 or more, got 79"):
        BridgeSettings(queue_max_ms=79)


@pytest.mark.parametrize("name", [each.name for each in fields(BridgeSettings) if each.name != "profile"])
def test_settings_refuse_what_is_not_above_zero(name: str) -> None:
    with pytest.raises(ValueError, match=f"expected a {name} above zero, got 0"):
        BridgeSettings(**{name: 0})  # type: ignore[arg-type] # whichever of them it is
