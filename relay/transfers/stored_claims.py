"""Claims, of which each has one holder at most, and allowances: what keeps two transfers out of each other's way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from relay.errors import StoreUnavailable
from relay.transfers import scripts
from relay.transfers.leases import putting_down
from relay.transfers.lines import Command
from relay.transfers.record import TRANSFER_ID
from relay.transfers.scripts import Script

FINGERPRINT_MAX: Final = 256


class Run(Protocol):
    """``Door.run``."""

    def __call__(
        self, script: Script, keys: Sequence[str], arguments: Sequence[str | int], *, also: Sequence[Command] = ()
    ) -> Awaitable[Any]:
        """Run a script, once or, when an answer was lost, again."""


@dataclass(frozen=True, slots=True)
class Claim:
    """
    Who holds a claim.

    Args:
        holder: a transfer's id.
        fingerprint: of the request that the holder came with.
        is_new: the holder is who has just asked.
    """

    holder: str
    fingerprint: str
    is_new: bool


class ClaimStore:
    """
    The claims and allowances of one Redis.

    A key may be any text without a secret in it: what is secret, or long, is hashed by the caller.

    Args:
        prefix: of the keys.
        run: how scripts are run; raises ``StoreUnavailable``, and so does everything here.
        new_attempt: names one call of a script.
    """

    def __init__(self, prefix: str, *, run: Run, new_attempt: Callable[[], str]) -> None:
        self._prefix = prefix
        self._run_script = run
        self._new_attempt = new_attempt

    async def claim_request(self, key: str, *, fingerprint: str, transfer_id: str, ttl_s: float) -> Claim:
        """Claim an idempotency key for a transfer, unless it is held."""
        return await self._claim(f"request:{key}", transfer_id, fingerprint, ttl_s)

    async def release_request(self, key: str, *, transfer_id: str) -> None:
        """Give an idempotency key back, if this transfer holds it."""
        await self._release(f"request:{key}", transfer_id)

    async def claim_room(self, key: str, *, transfer_id: str, ttl_s: float) -> str:
        """Claim a room for a transfer, unless it is held; return the id of who holds it now."""
        return (await self._claim(f"room:{key}", transfer_id, "", ttl_s)).holder

    async def take_over_room(self, key: str, *, holder: str, transfer_id: str, ttl_s: float) -> bool:
        """Claim a room that ``holder`` left behind; False: somebody else has it by now, or it is free."""
        arguments = (holder, transfer_id, _ms(ttl_s))
        return bool(await self._run_script(scripts.TAKE_OVER, [f"{self._prefix}:room:{key}"], arguments))

    async def release_room(self, key: str, *, transfer_id: str, node: str | None = None) -> None:
        """Give a room back, if this transfer holds it; ``node``: who had the transfer in hand, and has no longer."""
        put_down = [putting_down(self._prefix, node, transfer_id)] if node is not None else []
        await self._release(f"room:{key}", transfer_id, also=put_down)

    async def take_allowance(
        self, key: str, *, per_minute: int, per_day: int, attempt: str | None = None
    ) -> float | None:
        """
        Take one of so many in any minute and any day; None: granted.

        Args:
            key: whose they are.
            per_minute: so many.
            per_day: as well.
            attempt: what to give it back by; its own each time.

        Returns:
            Seconds until the next can be granted, if there is none left. Nothing is taken then.
        """
        if per_minute < 1 or per_day < 1:
            raise ValueError(f"expected an allowance of 1 or more, got {per_minute} per minute and {per_day} per day")
        arguments = (attempt or self._new_attempt(), per_minute, per_day)
        wait_ms = await self._run_script(scripts.ALLOW, [f"{self._prefix}:allowance:{key}"], arguments)
        return wait_ms / 1000 if wait_ms else None

    async def give_allowance_back(self, key: str, *, attempt: str) -> None:
        """Take nothing for an attempt that has come to nothing."""
        await self._run_script(scripts.FORGO, [f"{self._prefix}:allowance:{key}"], (attempt,))

    async def _claim(self, key: str, transfer_id: str, fingerprint: str, ttl_s: float) -> Claim:
        arguments = (transfer_id, fingerprint, _ms(ttl_s))
        held = await self._run_script(scripts.CLAIM, [f"{self._prefix}:{key}"], arguments)
        holder, its_fingerprint = ((value or b"").decode(errors="replace") for value in held)
        if not TRANSFER_ID.fullmatch(holder) or len(its_fingerprint) > FINGERPRINT_MAX:
            raise StoreUnavailable(f"claim {key[:80]}: expected a transfer that holds it, got {holder[:40]!r}")
        return Claim(holder, its_fingerprint, is_new=holder == transfer_id)

    async def _release(self, key: str, transfer_id: str, *, also: Sequence[Command] = ()) -> None:
        await self._run_script(scripts.RELEASE, [f"{self._prefix}:{key}"], (transfer_id,), also=also)


def _ms(duration_s: float) -> int:
    return max(1, round(duration_s * 1000))
