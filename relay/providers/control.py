"""What every carrier's control side offers: requests and answers as values, documents, callbacks, signatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol, TypeAlias

from relay.providers.base import MediaAdapter

# REST, relay to carrier


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to send: no part of it is for logs."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOrder:
    """
    One call to place.

    Args:
        to, from_number: E.164.
        answer_url: asked for the document when somebody picks up.
        status_url: told of the call's progress.
        detection_url: told whether a machine picked up; None: nobody is to find out.
        ring_timeout_s: how long the carrier lets it ring.
        max_duration_s: the longest call.
        detection_timeout_s: how long that may take, where the carrier can be told; None: as long as it takes.
        media_url: where its stream goes, with the single-use token in its path; only for who opens it with the dial.
    """

    to: str = field(repr=False)
    from_number: str = field(repr=False)
    answer_url: str
    status_url: str
    detection_url: str | None = None
    ring_timeout_s: int
    max_duration_s: int
    detection_timeout_s: float | None = None
    media_url: str | None = field(default=None, repr=False)


class Refusal(StrEnum):
    """Why a carrier will not place a call."""

    INVALID_NUMBER = "invalid_number"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class CallPlaced:
    """
    The carrier took the call. ``is_final``: the id is the call's own; else it stands for a call whose own id comes with
    its reports (``CallReport.placed_id``).
    """

    call_id: str
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class CallRefused:
    """The carrier did not take it, and will not; ``code`` is its own."""

    refusal: Refusal
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class CarrierBusy:
    """The carrier did not take it now."""

    retry_after_s: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class CallUnclear:
    """The carrier may have taken it."""

    detail: str


DialReply: TypeAlias = CallPlaced | CallRefused | CarrierBusy | CallUnclear

# Webhooks, carrier to relay


@dataclass(frozen=True, slots=True)
class Webhook:
    """
    A webhook as it came, but for ``url``: that is the public URL it must have been sent to, from the configuration.

    Of what came only the query and one further segment of the path are in ``url``: a control may put a proof there when
    it gives the URL to the carrier (``url_proof.py``). Nothing of it is to be believed before ``verify``.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(default=b"", repr=False)
    received_s: float = 0.0
    """When it came, in Unix seconds: some signatures are good for minutes only."""


class CallStatus(StrEnum):
    """A call's progress, the same words over all carriers."""

    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    INVALID_NUMBER = "invalid_number"
    """There is no such number, or none that can be called."""
    UNAVAILABLE = "unavailable"
    """The carrier, or a network behind it, had no line or was out of order: it may go through another time."""
    CANCELED = "canceled"
    FAILED = "failed"
    """And nobody knows why."""


class AnsweredBy(StrEnum):
    """Who or what picked up."""

    HUMAN = "human"
    MACHINE = "machine"
    UNKNOWN = "unknown"
    """The carrier has looked, and cannot tell."""


@dataclass(frozen=True, slots=True)
class CallReport:
    """What a verified webhook says of a call. ``event_id`` is the same when the same report comes again."""

    call_id: str
    status: CallStatus | None
    """None: of something else, or a status that the carrier has invented since."""
    event_id: str
    answered_by: AnsweredBy | None = None
    code: str = ""
    """The carrier's own code for a failure."""
    placed_id: str = ""
    """The id that the dial's answer had, where that is another than the call's own."""
    stream_failure: str = ""
    """Why the carrier has no media stream for the call, a word of its own; empty: it does not say that it has none."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a carrier is told to do with a call."""

    content_type: str
    body: bytes = field(repr=False)
    """With what opens the stream in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCapabilities:
    """What a carrier does for a call, beside its media stream. Most do all of it."""

    opens_stream: Literal["answer", "dial"] = "answer"
    """
    Where the carrier is told where its stream goes: in the document of the answer webhook, or in the dial
    (``CallOrder.media_url``). With "dial" there is no answer webhook and one stream only, and no document is asked for.
    """
    tells_ringing: bool = True
    """
    Whether it reports every phone that rings. Where it does not, the customer hears ringing from the moment on at which
    the carrier has the call; the transfer is ``ringing`` only if a report says so all the same.
    """
    stops_ringing: bool = True
    """
    Whether ``hang_up`` ends a phone that rings. Where nothing does, it rings for ``ring_timeout_s`` at most, and relay
    asks for as long whether it does.
    """
    reopens_stream: bool = True
    """
    Whether the carrier asks for another document when a stream has ended and the call has not: ``stream_document``
    takes ``then_url``. Without it nobody is answered who asks for a stream but the first.
    """
    can_say: bool = True
    """Whether the carrier can speak a text before the stream: ``stream_document`` takes ``say``."""
    can_detect: bool = True
    """Whether it can be asked to find out if a machine picks up: ``CallOrder.detection_url``."""


class CarrierControl(Protocol):
    """
    One account of one carrier, but for its media: no socket, no clock.

    ``read_*`` never raise for what a carrier's REST answers: what cannot be read is unclear, or not done.
    """

    name: str
    capabilities: CallCapabilities

    def dial(self, order: CallOrder) -> HttpRequest:
        """
        The request that places a call.

        Raises:
            LocalProtocolError: a part of the order may not go into a request: a number that is not E.164, a URL with a
                line break, a duration the carrier does not take. None of them is shown.
        """

    def read_dial(self, reply: HttpReply) -> DialReply:
        """What the carrier answered to it."""

    def hang_up(self, call_id: str) -> HttpRequest:
        """
        The request that ends a call, whatever it is doing.

        Raises:
            LocalProtocolError: ``call_id`` is none of this carrier.
        """

    def read_hang_up(self, reply: HttpReply) -> bool:
        """Whether the call is over: ended by this, or before."""

    def find_calls(self, order: CallOrder) -> Sequence[HttpRequest]:
        """
        The requests that list the calls alive that may be of this order; none where a carrier has no such list.

        Raises:
            LocalProtocolError: as ``dial``.
        """

    def read_find_calls(self, reply: HttpReply, order: CallOrder) -> Sequence[str] | None:
        """
        The ids of one such list, without those that are clearly not of the order; None if it cannot be read.

        A carrier whose list cannot be asked for by numbers holds every call of the account: others must not be hung up.
        """

    def verify(self, webhook: Webhook) -> bool:
        """
        Whether the carrier signed this webhook, and was given its URL. False for whatever is missing or malformed.

        Where the signature is not of the URL, a true webhook would be good for every URL of every call: the control has
        put a proof into those that it gave away.
        """

    def verify_upgrade(self, webhook: Webhook) -> bool:
        """Whether the carrier signed this WebSocket upgrade; ``url`` is the ``wss://`` or ``ws://`` URL given to it."""

    def read_report(self, webhook: Webhook) -> CallReport:
        """
        What a verified answer, status or detection webhook says.

        Raises:
            RemoteProtocolError: it names no call.
        """

    def stream_document(
        self, media_url: str, *, then_url: str | None, say: str | None = None, call_id: str = ""
    ) -> Document:
        """
        The document that opens the media stream at ``media_url``.

        Args:
            media_url: carries the single-use token in its path.
            then_url: asked for another document when the stream ends and the call does not; None: the call ends.
            say: spoken to the agent first.
            call_id: of the webhook that is answered: some carriers' streams name no call of themselves.

        Raises:
            LocalProtocolError: ``call_id`` is none of this carrier, and its stream needs it; or the carrier has no
                documents, as it opens its stream with the dial.
        """

    def hang_up_document(self) -> Document:
        """The document that ends the call."""

    def media_adapter(self) -> MediaAdapter:
        """An adapter for one new stream."""
