"""
Asterisk's REST interface, ARI: calls, and the media of each as a second channel in a bridge with the phone's.

There are no webhooks: what happens to calls is said over a WebSocket, and read in ``asterisk_events``.

Sources: rest-api/api-docs of asterisk/asterisk, docs.asterisk.org/Configuration/Channel-Drivers/WebSocket.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Never

import orjson

from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.providers.asterisk import MEDIA_CHANNEL_SUFFIX, AsteriskAdapter
from relay.providers.asterisk_events import BRIDGE_SUFFIX, CALL_ID, CALL_ID_TEXT, CARRIER
from relay.providers.basic_auth import authorization, is_authorized
from relay.providers.control import (
    CallCapabilities,
    CallOrder,
    CallPlaced,
    CallRefused,
    CallReport,
    CallUnclear,
    CarrierBusy,
    DialReply,
    Document,
    HttpReply,
    HttpRequest,
    Refusal,
    Webhook,
)
from relay.providers.fields import shown
from relay.providers.forms import encode_form
from relay.providers.rest import check_order, check_url, reply_object, retry_after_s
from relay.providers.stream import check_digits

FORMATS: Final = ("ulaw", "alaw", "slin", "slin16", "slin24")

_RING_TIMEOUT_MAX_S: Final = 600
_APP: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # Asterisk has commas between several
_SECTION: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # it becomes part of a dial string, between slashes
_ENDPOINT: Final = re.compile(r"[A-Za-z0-9_]+/[!-%'-+\--~]*")  # printable ASCII but "&" and ",", which dial more phones
_PLACES: Final = re.compile(r"\{(number|digits)\}")
_STATUS_URL: Final = re.compile(rf".*/({CALL_ID.pattern})/status")
_MEDIA_URL: Final = re.compile(rf".*/({CALL_ID.pattern})/media/([A-Za-z0-9_-]{{1,128}})")


class AsteriskControl:
    """
    One Asterisk, as ``CarrierControl`` promises, and its media.

    A call's id is its transfer's, which is in the order's ``status_url``: it is known before the dial.

    Args:
        ari_url: ``https://asterisk.example.com:8089/ari``.
        ari_user, ari_password: a user of ari.conf that may write.
        app: the Stasis application; of each relay its own, as Asterisk tells its events to one.
        endpoint: what is dialled, ``PJSIP/{number}@trunk``; ``{digits}`` is the number without its plus.
        websocket_client: the section of websocket_client.conf that leads to relay.
        media_user, media_password: its ``username`` and ``password``.
        media_format: of the audio, a codec of Asterisk's.

    Raises:
        LocalProtocolError: an argument is none of these.
    """

    name = CARRIER
    capabilities = CallCapabilities(can_say=False, can_detect=False)
    """Nobody asks for a document, but the stream is opened when the phone is answered, and again after it broke."""

    def __init__(
        self,
        *,
        ari_url: str,
        ari_user: str,
        ari_password: str,
        app: str,
        endpoint: str,
        websocket_client: str,
        media_user: str,
        media_password: str,
        media_format: str = "ulaw",
    ) -> None:
        check_url(self.name, "ari_url", ari_url)
        secrets = {"ari_password": ari_password, "media_password": media_password}
        for field, secret in {"ari_user": ari_user, "media_user": media_user, **secrets}.items():
            if not secret:
                expected = "a secret" if field in secrets else "a name"
                raise LocalProtocolError(self.name, field, expected=expected, got="an empty one")
        self._check("app", app, _APP, "1 to 64 letters, digits, dots, dashes and underscores")
        self._check("websocket_client", websocket_client, _SECTION, "the name of a section of websocket_client.conf")
        around, places = _PLACES.subn("", endpoint)
        if not _ENDPOINT.fullmatch(endpoint) or places != 1 or "{" in around:
            expected = "a technology, a slash and {number} or {digits} once, PJSIP/{number}@trunk"
            raise LocalProtocolError(self.name, "endpoint", expected=expected, got=shown(endpoint))
        if media_format not in FORMATS:
            expected = f"one of {', '.join(FORMATS)}"
            raise LocalProtocolError(self.name, "media_format", expected=expected, got=shown(media_format))
        self._url = ari_url.rstrip("/")
        self._authorization = authorization(ari_user, ari_password)
        self._app = app
        self._endpoint = endpoint
        self._websocket_client = websocket_client
        self._media_credentials = media_user, media_password
        self._media_format = media_format

    # Calls

    def dial(self, order: CallOrder) -> HttpRequest:
        """The request that places a call: see ``CarrierControl.dial``."""
        call_id = self._call_of(order)
        if order.detection_url is not None:
            raise LocalProtocolError(self.name, "detection_url", expected="none: ARI finds no machines", got="one")
        number = {"number": order.to, "digits": order.to.removeprefix("+")}
        fields = [
            ("endpoint", _PLACES.sub(lambda place: number[place[1]], self._endpoint)),
            ("app", self._app),
            ("callerId", order.from_number),
            ("timeout", str(order.ring_timeout_s)),
            ("channelId", call_id),
        ]
        longest_s = order.ring_timeout_s + order.max_duration_s  # counted from the dial
        return self._post("channels", fields, {"variables": {"TIMEOUT(absolute)": str(longest_s)}})

    def read_dial(self, reply: HttpReply) -> DialReply:
        """What Asterisk answered. A 409 says that there is such a call already: then a dial came twice."""
        detail = f"HTTP {reply.status}"
        if 200 <= reply.status < 300:
            call_id = reply_object(reply).get("id")
            if isinstance(call_id, str) and CALL_ID.fullmatch(call_id):
                return CallPlaced(call_id)
            return CallUnclear(f"{detail} without a call's id")
        if not 400 <= reply.status < 500 or reply.status in (408, 409):
            return CallUnclear(detail)
        if reply.status == 429:  # a proxy's: Asterisk has none
            return CarrierBusy(retry_after_s(reply), detail)
        return CallRefused(Refusal.REJECTED, str(reply.status), detail)

    def is_settled(self, reply: HttpReply) -> bool:
        """
        Whether it is ARI's own 500: so it answers, when it has tried, that an endpoint is unknown or not there.

        See ``SettlesDials``: the order's channel is asked for by its id.
        """
        return reply.status == 500 and not reply_object(reply).keys().isdisjoint(("error", "message"))

    def hang_up(self, call_id: str) -> HttpRequest:
        """The request that ends a call, in every state."""
        return self._delete(f"channels/{self._checked(call_id)}?reason=normal")

    def read_hang_up(self, reply: HttpReply) -> bool:
        """Whether the call is over. A 404 that is not ARI's may be a proxy's, and says nothing of the call."""
        return 200 <= reply.status < 300 or _is_missing(reply)

    def send_dtmf(self, call_id: str, digits: str) -> Sequence[HttpRequest]:
        """The one request for all keys: see ``SendsDtmf``."""
        channel = self._checked(call_id)
        check_digits(self.name, digits, AsteriskAdapter.capabilities, over="rest")
        return [self._post(f"channels/{channel}/dtmf", [("dtmf", digits)])]

    def read_dtmf(self, reply: HttpReply) -> bool:
        """Whether Asterisk took it."""
        return 200 <= reply.status < 300

    def find_calls(self, order: CallOrder) -> Sequence[HttpRequest]:
        """The request for the order's own call: it cannot be another's."""
        return [self._get(f"channels/{self._call_of(order)}")]

    def read_find_calls(
        self,
        reply: HttpReply,
        order: CallOrder,  # noqa: ARG002 - it was asked for by its id
    ) -> Sequence[str] | None:
        """The call's id, if there is one."""
        if _is_missing(reply):
            return []
        call_id = reply_object(reply).get("id")
        is_read = reply.status == 200 and isinstance(call_id, str) and CALL_ID.fullmatch(call_id)
        return [str(call_id)] if is_read else None

    # Webhooks: there are none

    def verify(self, webhook: Webhook) -> bool:  # noqa: ARG002 - whatever it is
        """Asterisk sends no webhooks: nobody's is its own."""
        return False

    def verify_upgrade(self, webhook: Webhook) -> bool:
        """Whether the upgrade has the name and password of websocket_client.conf."""
        return is_authorized(webhook.headers.get("authorization", ""), *self._media_credentials)

    def read_report(self, webhook: Webhook) -> CallReport:  # noqa: ARG002
        """There is none to read: see ``verify``."""
        raise RemoteProtocolError(self.name, "webhook", expected="none", got="one")

    def stream_document(
        self,
        media_url: str,  # noqa: ARG002
        *,
        then_url: str | None,  # noqa: ARG002
        say: str | None = None,  # noqa: ARG002
        call_id: str = "",  # noqa: ARG002
    ) -> Document:
        """There are no documents: see ``open_media``."""
        self._no_document()

    def hang_up_document(self) -> Document:
        """There are no documents: see ``hang_up``."""
        self._no_document()

    def media_adapter(self) -> AsteriskAdapter:
        """An adapter for one new stream."""
        return AsteriskAdapter()

    # Events and media: ``relay.app.ari`` works with these

    def events(self) -> HttpRequest:
        """The WebSocket over which Asterisk tells what happens to our calls."""
        query = encode_form([("app", self._app), ("subscribeAll", "false")])
        return HttpRequest("GET", f"ws{self._url[4:]}/events?{query}", {"Authorization": self._authorization})

    def look_up_application(self) -> HttpRequest:
        """The request for our application, which knows its channels; ``list_channels`` has their states."""
        return self._get(f"applications/{self._app}")

    def list_channels(self) -> HttpRequest:
        """The request for all channels of Asterisk."""
        return self._get("channels")

    def list_bridges(self) -> HttpRequest:
        """The request for all bridges of Asterisk."""
        return self._get("bridges")

    def open_bridge(self, call_id: str) -> HttpRequest:
        """The request that makes a bridge for a call; a 409 says that it has one."""
        bridge = [("type", "mixing"), ("bridgeId", self._checked(call_id) + BRIDGE_SUFFIX)]
        return self._post("bridges", bridge)

    def open_media(self, call_id: str, media_url: str) -> HttpRequest:
        """
        The request that makes a call's media's channel.

        websocket_client.conf has the beginning of the channel's URL; only what is in its query is the call's own.

        Raises:
            LocalProtocolError: ``call_id`` is none of ours, ``media_url`` is no media stream's.
        """
        found = _MEDIA_URL.fullmatch(media_url)
        if found is None:
            expected, got = ".../<transfer>/media/<token>", f"{len(media_url)} other characters"
            raise LocalProtocolError(self.name, "media_url", expected=expected, got=got)
        media = [
            ("channelId", self._checked(call_id) + MEDIA_CHANNEL_SUFFIX),
            ("app", self._app),
            ("external_host", self._websocket_client),
            ("transport", "websocket"),
            ("encapsulation", "none"),
            ("connection_type", "client"),
            ("format", self._media_format),
            ("transport_data", f"f(json)v(transfer={found[1]},token={found[2]})"),
        ]
        return self._post("channels/externalMedia", media)

    def join_media(self, call_id: str, *, is_first: bool) -> HttpRequest:
        """The request that lets the phone and the call's media hear each other; the first also moves the phone."""
        media = self._checked(call_id) + MEDIA_CHANNEL_SUFFIX
        channels = f"{call_id},{media}" if is_first else media
        return self._post(f"bridges/{call_id}{BRIDGE_SUFFIX}/addChannel", [("channel", channels)])

    def end_media(self, call_id: str) -> tuple[HttpRequest, HttpRequest]:
        """The requests that end what ``open_media`` has made; a bridge does not end by itself."""
        media = self._delete(f"channels/{self._checked(call_id)}{MEDIA_CHANNEL_SUFFIX}")
        return media, self._delete(f"bridges/{call_id}{BRIDGE_SUFFIX}")

    # Inside

    def _call_of(self, order: CallOrder) -> str:
        check_order(self.name, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
        found = _STATUS_URL.fullmatch(order.status_url)
        if found is None:
            expected = f".../<id>/status, the id of {CALL_ID_TEXT}"
            raise LocalProtocolError(self.name, "status_url", expected=expected, got="another URL")
        return found[1]

    def _check(self, field: str, value: str, pattern: re.Pattern[str], expected: str) -> None:
        if not pattern.fullmatch(value):
            raise LocalProtocolError(self.name, field, expected=expected, got=shown(value))

    def _checked(self, call_id: str) -> str:
        self._check("call_id", call_id, CALL_ID, CALL_ID_TEXT)  # it becomes part of a URL
        return call_id

    def _get(self, path: str) -> HttpRequest:
        return HttpRequest("GET", f"{self._url}/{path}", {"Authorization": self._authorization})

    def _delete(self, path: str) -> HttpRequest:
        return HttpRequest("DELETE", f"{self._url}/{path}", {"Authorization": self._authorization})

    def _post(self, path: str, fields: Iterable[tuple[str, str]], body: Mapping[str, Any] | None = None) -> HttpRequest:
        url, headers = f"{self._url}/{path}?{encode_form(fields)}", {"Authorization": self._authorization}
        if body is None:
            return HttpRequest("POST", url, headers)
        return HttpRequest("POST", url, {**headers, "Content-Type": "application/json"}, orjson.dumps(body))

    def _no_document(self) -> Never:
        raise LocalProtocolError(self.name, "document", expected="none: Asterisk asks for no document", got="one")


def _is_missing(reply: HttpReply) -> bool:
    """ARI's own 404, of what is not there."""
    return reply.status == 404 and isinstance(reply_object(reply).get("message"), str)
