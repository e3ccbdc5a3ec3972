"""What one simulated carrier is: how it is asked and answers, tells and signs, and speaks on its media streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol, runtime_checkable

from relay.dev.carrier_call import SimulatedCall, Teller
from relay.dev.carrier_life import Manner
from relay.dev.carrier_rest import RestDialect
from relay.dev.carrier_webhooks import Deliver, Seal, Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """
    What a scenario must know of a carrier.

    Args:
        tells_ringing: relay learns that it rings.
        tells_why: relay learns why a call has failed, and not only that it has.
        refuses_numbers: a dial of a number that is none is refused; else that is told of its call.
        stops_ringing: a call that rings can be ended by the relay.
        says: it can speak a text before the stream.
        detects: it finds out, if asked to, whether a machine picked up.
        reopens: when a stream is lost it asks the relay for another document, which may open another.
    """

    tells_ringing: bool = True
    tells_why: bool = True
    refuses_numbers: bool = True
    stops_ringing: bool = True
    says: bool = True
    detects: bool = True
    reopens: bool = True


class AsksForNoDocument:
    """What a carrier has of ``Manner`` that learns where its stream goes otherwise: nothing here is ever called."""

    def answer(self, call: SimulatedCall, url: str) -> NoReturn:
        """There is no document to ask for."""
        raise AssertionError(f"{type(self).__name__} asks for no document: {call.sid}, {url}")

    def verbs_of(self, fetched: Webhook) -> NoReturn:
        """There is no document to read."""
        raise AssertionError(f"{type(self).__name__} asks for no document: {fetched.url}")


@runtime_checkable
class KeepsThings(Protocol):
    """A carrier at which a relay makes more than calls, and has to remove it."""

    def left_over(self) -> Sequence[str]:
        """What there is of it now, in words."""


class Dialect(Teller, Manner, RestDialect, Seal, Protocol):
    """One carrier, with one account of it."""

    name: str
    """As the relay's registry has it."""
    title: str
    """For people."""
    account: str
    """Who is asked for a call: an account, a user or a connection."""
    secret: str
    """With which the REST interface is used."""
    signing_key: str
    """With which webhooks are signed; empty: with the secret."""
    traits: Traits

    @property
    def deliver(self) -> Deliver | None:
        """Brings what the carrier says without a webhook; None: it says nothing so."""

    def settings(self, api_url: str, number: str) -> Mapping[str, str]:
        """What an operator sets (``RELAY_...``) to use this carrier there, calling from ``number``."""
