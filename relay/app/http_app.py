"""The ASGI application: all routes, what surrounds each request, and the OpenAPI document."""

from __future__ import annotations

import time
from importlib import metadata
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relay.app.api import api_router
from relay.app.auth import Keys
from relay.app.health import health_router, metrics_router
from relay.app.metrics import Metrics
from relay.app.problems import ApiProblem, ProblemDocument, ProblemKind, add_problem_handlers, problem
from relay.app.services import Services
from relay.app.transfer_json import TransferEventJson
from relay.app.webhooks import CarrierWebhooks

BODY_MAX_BYTES: Final = 64 * 1024
METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
"""Others are counted as one: a client may make up as many as it likes."""
QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds."""
_DESCRIPTION: Final = (
    "Warm transfers: a bot in a room asks for a person, relay calls that person's phone, and once customer and agent "
    "really hear each other the transfer is `joined`, and the bot can leave."
)


def create_app(services: Services) -> FastAPI:
    """The application that serves everything but WebSockets."""
    app = FastAPI(
        title="relay",
        version=metadata.version("relay"),
        description=_DESCRIPTION,
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name the host that the request names
        telemetry={"tracing": False, "metrics": False, "logs": False},  # its spans have whole paths, and errors' texts
    )
    keys = Keys(services.settings.api_keys)
    routers = (
        api_router(services, keys),
        health_router(services),
        metrics_router(services, keys),
    )
    for router in routers:
        app.include_router(router)
    routes = [route for router in routers for route in router.routes]
    add_problem_handlers(app, routes, is_open=lambda: services.coordinator.is_open)
    app.add_middleware(CarrierWebhooks, services=services)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestLog, metrics=services.metrics)
    app.add_middleware(PublicPath, path=services.urls.path)
    app.openapi = lambda: _openapi(app, services.urls.path or "/")  # type: ignore[method-assign] # FastAPI's documented way
    return app


class PublicPath:
    """
    ASGI middleware: takes the path of the public URL off, if the proxy has passed it on.

    Args:
        app: what serves the rest.
        path: ``/voice`` of ``https://relay.example.com/voice``; empty, as a rule.
    """

    def __init__(self, app: ASGIApp, *, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._path and scope["type"] == "http" and scope["path"].startswith(f"{self._path}/"):
            scope = {**scope, "path": scope["path"].removeprefix(self._path)}
        await self._app(scope, receive, send)


class RequestLog:
    """
    ASGI middleware: one log line and one count for each request, and an answer where the application breaks.

    Neither has a path, a query or a header: they may carry numbers and tokens. The route's template tells enough.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._log = structlog.get_logger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        began_s = time.perf_counter()

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        except ClientDisconnect:
            pass  # it went before its request was whole: there is nobody to answer, and nothing has broken
        except Exception:
            if status:  # half of an answer is out: the server cuts the connection, and logs why
                raise
            self._log.exception("request_broke", method=_method(scope), route=_route(scope))
            answer = problem(ProblemKind.INTERNAL_ERROR, "the service's log says why")
            await answer(scope, receive, note_status)
        finally:
            self._note(scope, status, time.perf_counter() - began_s)

    def _note(self, scope: Scope, status: int, duration_s: float) -> None:
        method, route, state = _method(scope), _route(scope), scope.get("state", {})
        if not state.get("is_waiting"):
            self._metrics.http(method, route, status, duration_s)
        principal = state.get("principal")
        log = self._log.debug if route in QUIET else self._log.info
        log(
            "http_request",
            method=method,
            route=route,
            status=status,
            duration_ms=round(duration_s * 1000, 1),
            key_id=principal.key_id if principal is not None else None,
        )


class BodyLimit:
    """ASGI middleware: refuses bodies above ``BODY_MAX_BYTES``, announced or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not announced.isdigit() or int(announced[:20]) > BODY_MAX_BYTES:
            refusal = problem(ProblemKind.BODY_TOO_LARGE, _TOO_LARGE, headers=_CLOSE)
            await refusal(scope, receive, send)
            return
        received_bytes = 0

        async def receive_some() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > BODY_MAX_BYTES:
                raise ApiProblem(ProblemKind.BODY_TOO_LARGE, _TOO_LARGE, headers=_CLOSE)
            return message

        await self._app(scope, receive_some, send)


_TOO_LARGE: Final = f"expected at most {BODY_MAX_BYTES} bytes, got more"
_CLOSE: Final = {"Connection": "close"}
"""What follows on the connection is a body that nobody will read."""


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method in METHODS else "other"


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unmatched")


def _openapi(app: FastAPI, path: str) -> dict[str, Any]:
    """FastAPI's document, with the schemas of what no route returns: problems, and the data of events."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            servers=[{"url": path}],
        )
        schemas = document["components"]["schemas"]
        for model in (ProblemDocument, TransferEventJson):
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
            schemas |= schema.pop("$defs", {})
            schemas[model.__name__] = schema
        app.openapi_schema = document
    return app.openapi_schema
