"""What carriers call: verified before anything of it is parsed."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.app.carrier_urls import PREFIX
from relay.app.peers import Peers
from relay.app.phone_reports import phone_reports
from relay.app.problems import ApiProblem, ProblemKind, api_problem, problem, transfer_problem
from relay.app.services import Services
from relay.errors import RemoteProtocolError, TransferError
from relay.providers.control import CallReport, CarrierControl, Document, Webhook
from relay.transfers.ports import MachineDetected
from relay.transfers.record import TRANSFER_ID

STREAMS_MAX: Final = 999
"""A stream that breaks so often is no call any longer."""

_PATH: Final = re.compile(
    rf"{PREFIX}/(?P<provider>[^/]+)/(?P<transfer_id>{TRANSFER_ID.pattern})"
    r"/(?P<kind>answer|status|detection)(?:(?<=answer)/(?P<stream>0|[1-9][0-9]{0,8})|(?<!answer))"
    r"(?:/(?P<proof>[A-Za-z0-9_-]{16,128}))?"
)


@dataclass(frozen=True, slots=True)
class WebhookRoute:
    """Which of the webhooks a request is for; ``path`` is for logs and metrics."""

    path: str


_ROUTES: Final = {
    kind: WebhookRoute(f"{PREFIX}/{{provider}}/{{transfer_id}}/{path}")
    for kind, path in {"answer": "answer/{stream}", "status": "status", "detection": "detection"}.items()
}


class CarrierWebhooks:
    """
    ASGI middleware: answers carriers, and passes on whatever else comes.

    They ask more often than all others together, and are told apart by one pattern: what FastAPI does for a request
    would take half of the time.

    A signature is of the URL that the carrier was given, which is made again from the configuration; what a request
    says of its own host and scheme counts for nothing. Where a carrier signs no URL, its control has put a proof behind
    each of those that it gave away, and looks for it there.

    Whatever else a status webhook tells, such as who picked up, is taken too: some carriers have one URL for all.

    Args:
        app: serves the rest.
        services: whose carriers and transfers.
    """

    def __init__(self, app: ASGIApp, *, services: Services) -> None:
        self._app = app
        self._services = services
        self._peers = Peers.of(services.settings)
        self._log = structlog.get_logger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if found is None or int(found["stream"] or 0) > STREAMS_MAX:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTES[found["kind"]]
        response = await self._respond(Request(scope, receive), found)
        await response(scope, receive, send)

    async def _respond(self, request: Request, found: re.Match[str]) -> Response:
        if request.method != "POST":
            detail = "expected POST, got another method"
            return problem(ProblemKind.METHOD_NOT_ALLOWED, detail, headers={"Allow": "POST"})
        try:
            if found["kind"] == "answer":
                return await self._answer(request, found)
            return await self._take(request, found)
        except TransferError as error:
            return transfer_problem(error, is_open=self._services.coordinator.is_open)
        except ApiProblem as error:
            return api_problem(error)

    async def _answer(self, request: Request, found: re.Match[str]) -> Response:
        """Say where the media of an answered call goes; a call that nobody wants any longer is hung up."""
        provider, transfer_id, stream = found["provider"], found["transfer_id"], int(found["stream"])
        control = self._services.controls.get(provider)
        if control is not None and not _is_asked_for(control, stream):
            return Response(status_code=404)
        url = self._services.urls.answer(provider, transfer_id, stream)
        checked = await self._check(request, provider, "answer", url, found["proof"])
        if isinstance(checked, Response):
            return checked
        control, report = checked
        for said in phone_reports(report):
            if isinstance(said.news, MachineDetected):  # first: a machine gets no stream
                await self._services.coordinator.report(transfer_id, provider, said)
        grant = await self._services.coordinator.answer(
            transfer_id, provider, stream=stream, call_id=report.call_id, placed_id=report.placed_id
        )
        if grant is None:
            return _document(control.hang_up_document())
        urls, is_next = self._services.urls, _is_asked_for(control, stream + 1)
        return _document(
            control.stream_document(
                urls.media(provider, transfer_id, grant.token),
                then_url=urls.answer(provider, transfer_id, stream + 1) if is_next else None,
                say=grant.say,
                call_id=report.call_id,
            )
        )

    async def _take(self, request: Request, found: re.Match[str]) -> Response:
        """Take the call's progress, or whether a machine picked up."""
        provider, transfer_id, kind = found.group("provider", "transfer_id", "kind")
        urls = self._services.urls
        url = urls.status(provider, transfer_id) if kind == "status" else urls.detection(provider, transfer_id)
        checked = await self._check(request, provider, kind, url, found["proof"])
        if isinstance(checked, Response):
            return checked
        for news in phone_reports(checked[1]):
            await self._services.coordinator.report(transfer_id, provider, news)
        return Response(status_code=204)

    async def _check(
        self, request: Request, provider: str, kind: str, url: str, proof: str | None
    ) -> tuple[CarrierControl, CallReport] | Response:
        """The carrier and what it says, if it really says so; else the refusal."""
        control = self._services.controls.get(provider)
        if control is None:
            return Response(status_code=404)
        if not self._peers.lets_in(provider, request.scope):
            detail = f"expected an address of the carrier's networks, got {self._peers.named(request.scope)}"
            self._refuse(provider, kind, "elsewhere", detail)
            return Response(status_code=403)
        query = request.scope["query_string"].decode("latin-1")
        url = f"{url}/{proof}" if proof else url
        url = f"{url}?{query}" if query else url
        webhook = Webhook(request.method, url, _headers(request), await request.body(), received_s=time.time())
        if not control.verify(webhook):
            self._refuse(provider, kind, "forged", "expected the carrier's signature of this URL and body")
            return Response(status_code=403)
        try:
            report = control.read_report(webhook)
        except RemoteProtocolError as error:
            self._refuse(provider, kind, "malformed", str(error))
            return Response(status_code=400)
        self._services.metrics.webhook(provider, kind, "ok")
        return control, report

    def _refuse(self, provider: str, kind: str, verdict: str, detail: str) -> None:
        self._services.metrics.webhook(provider, kind, verdict)
        self._log.warning("webhook_refused", provider=provider, kind=kind, verdict=verdict, detail=detail)


def _is_asked_for(control: CarrierControl, stream: int) -> bool:
    """Whether the carrier was, or will be, given the URL that asks for this stream."""
    return control.capabilities.opens_stream == "answer" and (stream == 0 or control.capabilities.reopens_stream)


def _headers(request: Request) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _document(document: Document) -> Response:
    return Response(document.body, media_type=document.content_type)
