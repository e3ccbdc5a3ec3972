"""What is shown of a transfer."""

from datetime import UTC, datetime

import pytest

from relay.app.transfer_json import event_json, iso_utc, transfer_json
from relay.transfers.reasons import Reason
from relay.transfers.record import Accept, LoggedEvent, Transfer
from relay.transfers.states import Event, State

ID = "tr_" + "a" * 32
TRANSFER = Transfer(
    transfer_id=ID,
    state=State.FAILED,
    version=7,
    epoch=1,
    owner="node",
    provider="twilio",
    room_url="https://example.daily.co/r",
    to_masked="+*********23",
    accept=Accept.PRESS_1,
    ring_timeout_s=30,
    max_duration_s=600,
    metadata={"k": "v"},
    provider_call_id="CA1",
    reason=Reason.BUSY,
    provider_code="486",
    times_ms={State.FAILED: 2001, State.REQUESTED: 1000, State.DIALING: 1001},
    updated_ms=2001,
)


def test_a_transfer_is_shown_with_its_reason_in_words() -> None:
    assert transfer_json(TRANSFER).model_dump(mode="json") == {
        "id": ID,
        "state": "failed",
        "reason": "busy",
        "retryable": True,
        "sentence": Reason.BUSY.sentence,
        "reconnecting": False,
        "provider": "twilio",
        "provider_call_id": "CA1",
        "provider_code": "486",
        "destination": None,
        "to": "+*********23",
        "room_url": "https://example.daily.co/r",
        "customer_id": None,
        "bot_id": None,
        "accept": "press_1",
        "ring_timeout_s": 30.0,
        "max_duration_s": 600.0,
        "metadata": {"k": "v"},
        "created_at": "1970-01-01T00:00:01.000Z",
        "updated_at": "1970-01-01T00:00:02.001Z",
        "times": {
            "requested": "1970-01-01T00:00:01.000Z",
            "dialing": "1970-01-01T00:00:01.001Z",
            "failed": "1970-01-01T00:00:02.001Z",
        },
    }


def test_an_event_is_shown_with_what_it_led_to() -> None:
    entry = LoggedEvent(
        entry_id="1-0", version=3, event=Event.PLACED, state=State.DIALING, at_ms=1, changes={"provider_call_id": "CA1"}
    )
    assert event_json(ID, entry).model_dump(mode="json") == {
        "id": ID,
        "version": 3,
        "event": "placed",
        "state": "dialing",
        "reason": None,
        "retryable": None,
        "sentence": None,
        "changes": {"provider_call_id": "CA1"},
        "at": "1970-01-01T00:00:00.001Z",
    }


@pytest.mark.parametrize("at_ms", [0, 1, 999, 1000, 1_795_694_400_123, 253_402_300_799_999])
def test_times_are_iso_8601_to_the_millisecond(at_ms: int) -> None:
    text = iso_utc(at_ms)
    assert len(text) == len("2026-11-26T12:00:00.123Z")
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    assert since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000 == at_ms
