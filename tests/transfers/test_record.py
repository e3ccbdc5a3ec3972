"""What is kept of a transfer, and what is not."""

from __future__ import annotations

import hashlib
import os

import pytest

from relay.transfers.record import TRANSFER_ID, Transfer, TransferOrder, digest, new_transfer_id
from relay.transfers.states import State
from tests.transfers.stores import new_transfer


def test_ids_sort_by_time_whatever_is_random_in_them() -> None:
    times_ms = [0, 1, 255, 256, 1_795_697_000_000, 2**48 - 1]
    ids = [new_transfer_id(now_ms, os.urandom(10)) for now_ms in times_ms]
    assert ids == sorted(ids)
    assert all(TRANSFER_ID.fullmatch(one) for one in ids)


def test_all_of_the_randomness_is_in_the_id() -> None:
    assert new_transfer_id(1, bytes(range(10))) == "tr_000000000001" + bytes(range(10)).hex()


@pytest.mark.parametrize("size_bytes", [0, 9, 11])
def test_an_id_of_less_randomness_is_a_mistake(size_bytes: int) -> None:
    with pytest.raises(ValueError, match=f"expected 10 random bytes, got {size_bytes}"):
        new_transfer_id(1, bytes(size_bytes))


@pytest.mark.parametrize("state", State)
def test_a_transfer_is_over_when_its_state_is(state: State) -> None:
    assert new_transfer(state=state).is_terminal == state.is_terminal


def test_an_order_shows_no_number_and_no_token() -> None:
    order = TransferOrder(
        room_url="https://example.daily.co/room",
        room_token="the-room-token",  # noqa: S106 - a canary
        provider="twilio",
        to="+15550000001",
        to_masked="+*********01",
        from_number="+15550000002",
        metadata={"name": "somebody"},
    )
    for secret in ("the-room-token", "+15550000001", "+15550000002", "somebody"):
        assert secret not in repr(order)


def test_there_is_no_place_for_a_token_or_a_number_in_a_record() -> None:
    assert not {"to", "from_number", "room_token", "token"} & set(Transfer.__slots__)


def test_a_digest_is_sha256_in_hex() -> None:
    assert digest("näme") == hashlib.sha256("näme".encode()).hexdigest()
