"""Whether the service lives, whether it can take requests, and its metrics."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from relay.app.admission import Shortage
from relay.app.auth import DOCUMENTED, Keys, guarded
from relay.app.metrics import CONTENT_TYPE
from relay.app.problems import ProblemKind, problem_responses
from relay.app.services import Services


class Health(BaseModel):
    """The process answers."""

    status: str = Field(description="`ok`.")


class Readiness(BaseModel):
    """Whether requests for transfers are taken."""

    ready: bool
    parts: dict[str, bool] = Field(
        description="`store`: it answers. `open`: the service is not shutting down. `loop`, `cpu`, `memory`, "
        "`descriptors`: there is enough of it for one more transfer. `workers`: processes for it can be started. "
        "`rooms`: they let go of calls that are over. `asterisk`: where it is the only carrier, its events are heard."
    )


def health_router(services: Services) -> APIRouter:
    """The routes for whoever keeps the service running."""
    router = APIRouter(tags=["service"])

    @router.get("/healthz", operation_id="healthz", summary="Whether the process lives")
    async def healthz() -> Health:
        return Health(status="ok")

    @router.get(
        "/readyz",
        operation_id="readyz",
        summary="Whether requests for transfers are taken",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "Not now"}},
    )
    async def readyz() -> Response:
        short_of = services.admission.short_of
        parts = {"store": services.store.is_available, "open": services.coordinator.is_open}
        parts |= {shortage.value: shortage not in short_of for shortage in Shortage}
        if services.bridging is not None:
            parts |= {"workers": services.bridging.is_able, "rooms": services.bridging.lets_go}
        if services.asterisk is not None:
            parts["asterisk"] = services.asterisk.is_heard
        is_ready = all(parts.values())
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(Readiness(ready=is_ready, parts=parts).model_dump(), status)

    return router


def metrics_router(services: Services, keys: Keys) -> APIRouter:
    """The route for Prometheus, which needs a key: counts tell how much business there is."""
    router = APIRouter(tags=["service"], route_class=guarded(keys), dependencies=[DOCUMENTED])

    @router.get(
        "/metrics",
        operation_id="metrics",
        summary="Metrics in Prometheus' text format",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "All metrics"},
            **problem_responses(ProblemKind.UNAUTHORIZED, ProblemKind.FORBIDDEN),
        },
    )
    async def metrics() -> Response:
        return Response(services.metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    return router
