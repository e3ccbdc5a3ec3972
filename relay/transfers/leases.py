"""Which nodes are alive, and what each has in hand: so that what a dead one has left is found without a search."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relay.transfers.lines import Command

LEASE_S: Final = 3.0
"""So long after its last beat a node passes for alive."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """
    What a node finds when it renews its lease.

    Args:
        was_held: it had not run out.
        others: every other node that may have something in hand.
    """

    was_held: bool
    others: Sequence[str]


def putting_down(prefix: str, node: str, *transfer_ids: str) -> Command:
    """Return the command by which a node has transfers in hand no longer: record and phone are over."""
    return ("SREM", _in_hand(prefix, node), *transfer_ids)


class Leases:
    """
    The leases of nodes, and the transfers that each has in hand: those of which record or phone may not be over.

    Args:
        prefix: of the keys.
        ask: sends commands; raises ``StoreUnavailable``, and so does everything here.
    """

    def __init__(self, prefix: str, *, ask: Callable[[Sequence[Command]], Awaitable[list[Any]]]) -> None:
        self._prefix = prefix
        self._nodes = f"{prefix}:nodes"
        self._ask = ask

    def taking(self, node: str, transfer_id: str) -> list[Command]:
        """Return the commands by which a node has a transfer in hand."""
        return [("SADD", self._nodes, node), ("SADD", _in_hand(self._prefix, node), transfer_id)]

    async def renew(self, node: str) -> Renewed:
        """Let a node pass for alive from now on."""
        before, _, members = await self._ask(
            [
                ("SET", self._lease(node), 1, "PX", round(LEASE_S * 1000), "GET"),
                ("SADD", self._nodes, node),  # whoever took it for dead has struck it off
                ("SMEMBERS", self._nodes),
            ]
        )
        return Renewed(before is not None, [other for other in _texts(members) if other != node])

    async def end(self, node: str) -> None:
        """Let a node pass for dead at once: it has ended in good order. What it still has in hand is another's then."""
        await self._ask([("DEL", self._lease(node))])

    async def dead(self, nodes: Sequence[str]) -> list[str]:
        """Return those of these that have no lease."""
        replies = await self._ask([("EXISTS", self._lease(node)) for node in nodes]) if nodes else []
        return [node for node, exists in zip(nodes, replies, strict=True) if not exists]

    async def in_hand(self, node: str) -> list[str]:
        """Return the transfers that a node has in hand."""
        (members,) = await self._ask([("SMEMBERS", _in_hand(self._prefix, node))])
        return _texts(members)

    async def strike_off(self, node: str, transfer_ids: Sequence[str]) -> None:
        """Forget a dead node, and that it had these in hand."""
        put_down = [putting_down(self._prefix, node, *transfer_ids)] if transfer_ids else []
        await self._ask([*put_down, ("SREM", self._nodes, node)])

    def _lease(self, node: str) -> str:
        return f"{self._prefix}:lease:{node}"


def _in_hand(prefix: str, node: str) -> str:
    return f"{prefix}:hand:{node}"


def _texts(members: Sequence[bytes]) -> list[str]:
    return [member.decode(errors="replace") for member in members]
