"""One carrier's control side: recorded webhooks, what a dial was answered, and what a signature vouches for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlsplit

from relay.conformance.case import expect
from relay.errors import LocalProtocolError
from relay.providers.control import (
    CallOrder,
    CallPlaced,
    CallReport,
    CarrierControl,
    DialReply,
    HttpReply,
    HttpRequest,
    Webhook,
)

ERROR_MAX_CHARS: Final = 400
_TOKEN_MIN_CHARS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ControlCase:
    """
    What the suite holds one control side to.

    Args:
        new_control: makes one, of the account that the recorded webhooks are of.
        order: to dial; with a ``media_url`` where the control opens its stream with the dial.
        dial_answers: what the carrier may answer to it, and what is to be made of it: a call placed, refused, put off
            and unclear, one of each or more.
        webhooks: true ones, which came in the second in which they were signed, and what each says. None of a carrier
            that sends none.
        covers: the parts of them that cannot be changed unseen: ``url``, ``body``, and headers by their names in lower
            case, each of which has to be there.
        upgrade: a true upgrade of the media WebSocket, to a control that was just made.
        upgrade_covers: as ``covers``, of the upgrade.
        secrets: those that the control was given: they are in no error and no repr.
        good_for_s: how long after it was signed, or before it by a wrong clock, a webhook is taken; None: for ever.
        forged: what is not to be taken, besides what the suite makes itself: recorded webhooks of other keys.
        variant: tells a carrier's cases apart.
    """

    new_control: Callable[[], CarrierControl]
    order: CallOrder
    dial_answers: Mapping[str, tuple[HttpReply, DialReply]]
    webhooks: Mapping[str, tuple[Webhook, CallReport]]
    covers: Sequence[str]
    upgrade: Callable[[CarrierControl], Webhook]
    upgrade_covers: Sequence[str]
    secrets: Sequence[str]
    good_for_s: float | None = None
    forged: Mapping[str, Webhook] = field(default_factory=dict)
    variant: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.new_control().name, self.variant)))

    @property
    def call_ids(self) -> list[str]:
        """Of the calls that were placed, and of those that webhooks are about."""
        placed = [meaning.call_id for _, meaning in self.dial_answers.values() if isinstance(meaning, CallPlaced)]
        return list(dict.fromkeys([*placed, *(said.call_id for _, said in self.webhooks.values())]))

    @property
    def hidden(self) -> list[str]:
        """What no error, detail or repr may show."""
        numbers = [number.lstrip("+") for number in (self.order.to, self.order.from_number)]
        return [*self.secrets, *numbers, *filter(None, [self.token])]

    @property
    def token(self) -> str:
        """The media token of the order, if it has one: the last segment of its URL."""
        last = urlsplit(self.order.media_url or "").path.rpartition("/")[2]
        return last if len(last) >= _TOKEN_MIN_CHARS else ""

    def truths(self) -> list[Truth]:
        """Every true webhook, and the upgrade, each with the function that takes it."""
        control = self.new_control()
        webhooks = [
            Truth(name, webhook, tuple(self.covers), control.verify) for name, (webhook, _) in self.webhooks.items()
        ]
        upgrade = Truth("upgrade", self.upgrade(control), tuple(self.upgrade_covers), control.verify_upgrade)
        return [*webhooks, upgrade]


@dataclass(frozen=True, slots=True)
class Truth:
    """A true request of the carrier's, what of it is covered, and who says so."""

    name: str
    request: Webhook
    covers: Sequence[str]
    verify: Callable[[Webhook], bool]

    @property
    def headers(self) -> list[str]:
        """The covered ones."""
        return [part for part in self.covers if part not in ("url", "body")]

    def with_header(self, name: str, value: str) -> Webhook:
        """The request with another value, or one more header."""
        return replace(self.request, headers={**self.request.headers, name: value})

    def without_header(self, name: str) -> Webhook:
        """The request as if this header had not come."""
        kept = {each: value for each, value in self.request.headers.items() if each != name}
        return replace(self.request, headers=kept)


def expect_refused(case: ControlCase, what: str, command: Callable[[], object]) -> None:
    """
    Let through a ``LocalProtocolError`` that shows nothing it should not.

    Raises:
        AssertionError: there is none, or it does.
    """
    try:
        done = command()
    except LocalProtocolError as error:
        expect_discreet(case, f"the error of {what}", str(error))
        return
    raise AssertionError(f"{case}: expected {what} to be refused, got {done!r}")


def expect_discreet(case: ControlCase, what: str, text: str) -> None:
    """
    Let through a text that is short, and shows no secret, number or token.

    Raises:
        AssertionError: it does.
    """
    expect(case, f"{what}: characters beyond {ERROR_MAX_CHARS}", text[ERROR_MAX_CHARS:], "")
    expect(case, f"{what}: numbers, secrets and tokens in {text!r}", [each for each in case.hidden if each in text], [])


def expect_request(case: ControlCase, what: str, request: HttpRequest) -> None:
    """
    Let through a request that can be sent as it is, with TLS, and whose repr shows nothing.

    Raises:
        AssertionError: it is none.
    """
    expect(case, f"{what}: method", request.method in ("GET", "POST", "PUT", "PATCH", "DELETE"), expected=True)
    expect(case, f"{what}: URL begins", request.url[:8], "https://")
    texts = {"URL": request.url, **request.headers}
    unsafe = [name for name, text in texts.items() if not (text.isascii() and text.isprintable())]
    expect(case, f"{what}: parts that are not printable ASCII", unsafe, [])
    expect(case, f"{what}: spaces in the URL", request.url.count(" "), 0)
    shown = [each for each in case.secrets if each in request.url]
    expect(case, f"{what}: secrets in the URL", shown, [])
    expect_discreet(case, f"the repr of {what}", repr(request))
