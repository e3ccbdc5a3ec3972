"""Letting the agent's phone hear keys: what must be so, and which way they go."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from relay.errors import CarrierFailed, DigitsInProgress, DigitsRefused, NotJoined
from relay.transfers.live import LiveTransfer
from relay.transfers.ports import Carrier
from relay.transfers.record import Transfer
from relay.transfers.states import State

SENDING_MAX_S: Final = 8.0
"""For all requests of one sending together: who asked waits for 10 s (``RelayClient``), and then nothing may follow."""


async def send_digits(digits: str, transfer: Transfer, *, carrier: Carrier | None, live: LiveTransfer | None) -> None:
    """
    Send keys to the phone of a transfer; whether somebody, or a machine, heard them, no carrier says.

    One sending follows the other: no key of one comes between those of another. That is why only the node that has the
    transfer sends any, by whatever way.

    Args:
        digits: the keys, and ``w`` and ``W``, pauses of 0.5 s and 1 s. They may be somebody's PIN.
        transfer: as it stands.
        carrier: the account that its call is of; None: it is not configured here.
        live: the transfer itself; None: it is not of this node.

    Raises:
        NotJoined: agent and customer do not hear each other, or not any longer, or the transfer is another node's.
        DigitsRefused: the carrier sends none, or not these.
        DigitsInProgress: others are being sent.
        CarrierFailed: it did not take them, or not all, or not in ``SENDING_MAX_S``.
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
    if live is None:
        raise NotJoined("expected the node that has the call, got another")
    if live.bridge is None:
        raise NotJoined("expected a transfer that is joined, got one that is ending")
    if carrier.sends_digits == "rest":
        await _by_rest(digits, call_id, carrier, live)
    elif not live.bridge.send_digits(digits):
        raise NotJoined("expected a call that has a stream, got one without")


async def _by_rest(digits: str, call_id: str, carrier: Carrier, live: LiveTransfer) -> None:
    if live.sending_digits.locked():
        raise DigitsInProgress("expected one sending of keys at a time, got another")
    taken = False
    async with live.sending_digits:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SENDING_MAX_S):
                taken = await carrier.send_digits(call_id, digits, goes_on=lambda: live.is_joined)
    if taken:
        return
    if not live.is_joined:
        raise NotJoined("expected a transfer that is joined until all keys are sent, got one that is not")
    raise CarrierFailed(f"expected {live.order.provider} to take the keys: it did not, or not all of them")
