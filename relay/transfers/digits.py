"""Letting the agent's phone hear keys: what must be so, and which way they go."""

from __future__ import annotations

from relay.errors import CarrierFailed, DigitsRefused, NotJoined
from relay.transfers.ports import Bridge, Carrier
from relay.transfers.record import Transfer
from relay.transfers.states import State


async def send_digits(digits: str, transfer: Transfer, *, carrier: Carrier | None, bridge: Bridge | None) -> None:
    """
    Send keys to the phone of a transfer; whether somebody, or a machine, heard them, no carrier says.

    Args:
        digits: the keys, and ``w`` and ``W``, pauses of 0.5 s and 1 s. They may be somebody's PIN.
        transfer: as it stands.
        carrier: the account that its call is of; None: it is not configured here.
        bridge: its own; None: it is not of this node.

    Raises:
        NotJoined: agent and customer do not hear each other, or the stream that takes the keys is another node's.
        DigitsRefused: the carrier sends none, or not these.
        CarrierFailed: it did not take them, or not all.
    """
    call_id = transfer.provider_call_id
    if transfer.state is not State.JOINED or transfer.reconnecting or not call_id:
        got = "one that is reconnecting" if transfer.reconnecting else f"one that is {transfer.state}"
        raise NotJoined(f"expected a transfer that is joined, got {got}")
    if carrier is None:
        raise DigitsRefused("expected a carrier that is configured here, got another")
    expected = carrier.refuses_digits(digits)
    if expected is not None:
        raise DigitsRefused(f"expected {expected}, got {len(digits)} keys for {transfer.provider}")
    if carrier.sends_digits == "rest":
        if not await carrier.send_digits(call_id, digits):
            raise CarrierFailed(f"expected {transfer.provider} to take the keys: it did not, or not all of them")
    elif bridge is None:
        raise NotJoined("expected the node that has the call's stream, got another")
    else:
        bridge.send_digits(digits)
