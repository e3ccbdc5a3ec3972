"""The routes that carriers call: verified before anything of them is parsed."""

from __future__ import annotations

from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Path, Request, Response

from relay.app.carrier_urls import PREFIX
from relay.app.carriers import phone_reports
from relay.app.services import Services
from relay.errors import RemoteProtocolError
from relay.providers.control import CallReport, CarrierControl, Document, Webhook
from relay.transfers.ports import MachineDetected
from relay.transfers.record import TRANSFER_ID

STREAMS_MAX: Final = 999
"""A stream that breaks so often is no call any longer."""

TransferId = Annotated[str, Path(pattern=f"^{TRANSFER_ID.pattern}$")]
Stream = Annotated[int, Path(ge=0, le=STREAMS_MAX)]


def carrier_router(services: Services) -> APIRouter:
    """The routes of all configured carriers."""
    router = APIRouter(prefix=f"{PREFIX}/{{provider}}/{{transfer_id}}", include_in_schema=False)
    webhooks = CarrierWebhooks(services)
    router.add_api_route("/answer/{stream}", webhooks.answer, methods=["POST"])
    router.add_api_route("/status", webhooks.status, methods=["POST"])
    router.add_api_route("/detection", webhooks.detection, methods=["POST"])
    return router


class CarrierWebhooks:
    """
    Answers carriers' webhooks.

    A signature is of the URL that the carrier was given, which is made again from the configuration; what a request
    says of its own host and scheme counts for nothing.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._log = structlog.get_logger()

    async def answer(self, request: Request, provider: str, transfer_id: TransferId, stream: Stream) -> Response:
        """Say where the media of an answered call goes; a call that nobody wants any longer is hung up."""
        url = self._services.urls.answer(provider, transfer_id, stream)
        checked = await self._check(request, provider, "answer", url)
        if isinstance(checked, Response):
            return checked
        control, report = checked
        for said in phone_reports(report):
            if isinstance(said.news, MachineDetected):  # first: a machine gets no stream
                await self._services.coordinator.report(transfer_id, provider, said)
        grant = await self._services.coordinator.answer(transfer_id, provider, stream=stream, call_id=report.call_id)
        if grant is None:
            return _document(control.hang_up_document())
        return _document(
            control.stream_document(
                self._services.urls.media(provider, transfer_id, grant.token),
                then_url=self._services.urls.answer(provider, transfer_id, stream + 1),
                say=grant.say,
            )
        )

    async def status(self, request: Request, provider: str, transfer_id: TransferId) -> Response:
        """Take the call's progress."""
        return await self._take(request, provider, transfer_id, "status")

    async def detection(self, request: Request, provider: str, transfer_id: TransferId) -> Response:
        """Take whether a machine picked up."""
        return await self._take(request, provider, transfer_id, "detection")

    async def _take(self, request: Request, provider: str, transfer_id: str, kind: str) -> Response:
        urls = self._services.urls
        url = urls.status(provider, transfer_id) if kind == "status" else urls.detection(provider, transfer_id)
        checked = await self._check(request, provider, kind, url)
        if isinstance(checked, Response):
            return checked
        for news in phone_reports(checked[1]):
            await self._services.coordinator.report(transfer_id, provider, news)
        return Response(status_code=204)

    async def _check(
        self, request: Request, provider: str, kind: str, url: str
    ) -> tuple[CarrierControl, CallReport] | Response:
        """The carrier and what it says, if it really says so; else the refusal."""
        control = self._services.controls.get(provider)
        if control is None:
            return Response(status_code=404)
        query = request.scope["query_string"].decode("latin-1")
        headers = {name: ",".join(request.headers.getlist(name)) for name in request.headers}
        webhook = Webhook(request.method, f"{url}?{query}" if query else url, headers, await request.body())
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


def _document(document: Document) -> Response:
    return Response(document.body, media_type=document.content_type)
