"""Every error of the HTTP API as a problem document (RFC 9457), and nothing of what must not leave the service."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from relay.errors import (
    CarrierFailed,
    DigitsInProgress,
    DigitsRefused,
    NotJoined,
    NumberRefused,
    Overloaded,
    RequestInProgress,
    RequestMismatch,
    RoomRefused,
    StoreUnavailable,
    TransferConflict,
    TransferError,
)

MEDIA_TYPE: Final = "application/problem+json"
ERRORS_MAX: Final = 20
STORE_RETRY_S: Final = 1
BUSY_RETRY_S: Final = 1

_NAME: Final = re.compile("[a-z_]{1,32}")
"""Names that are shown although they came with a request's body; anything else may be a number or a token."""


class ProblemKind(Enum):
    """All there are: their names, which end ``urn:relay:problem:``, with status and title."""

    BAD_REQUEST = "bad-request", HTTPStatus.BAD_REQUEST, "The request cannot be read"
    UNAUTHORIZED = "unauthorized", HTTPStatus.UNAUTHORIZED, "A valid API key is needed"
    FORBIDDEN = "forbidden", HTTPStatus.FORBIDDEN, "The API key does not allow this"
    NOT_FOUND = "not-found", HTTPStatus.NOT_FOUND, "There is no such thing here"
    METHOD_NOT_ALLOWED = "method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED, "The method does not exist here"
    TRANSFER_CONFLICT = "transfer-conflict", HTTPStatus.CONFLICT, "The room has a live transfer already"
    REQUEST_IN_PROGRESS = "request-in-progress", HTTPStatus.CONFLICT, "The first request with this key is not answered"
    NOT_JOINED = "not-joined", HTTPStatus.CONFLICT, "Nobody is on the phone with the customer"
    DIGITS_REFUSED = "digits-refused", HTTPStatus.CONFLICT, "The transfer's carrier cannot send these keys"
    DIGITS_IN_PROGRESS = "digits-in-progress", HTTPStatus.CONFLICT, "Other keys are being sent"
    BODY_TOO_LARGE = "body-too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"
    INVALID_REQUEST = "invalid-request", HTTPStatus.UNPROCESSABLE_ENTITY, "The request is not valid"
    NUMBER_REFUSED = "number-refused", HTTPStatus.UNPROCESSABLE_ENTITY, "The number may not be dialled"
    ROOM_REFUSED = "room-refused", HTTPStatus.UNPROCESSABLE_ENTITY, "The room may not be joined"
    IDEMPOTENCY_MISMATCH = (
        "idempotency-mismatch",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The idempotency key came with another request before",
    )
    ALLOWANCE_USED_UP = "allowance-used-up", HTTPStatus.TOO_MANY_REQUESTS, "The key's transfers are used up for now"
    INTERNAL_ERROR = "internal-error", HTTPStatus.INTERNAL_SERVER_ERROR, "The service has a defect"
    CARRIER_FAILED = "carrier-failed", HTTPStatus.BAD_GATEWAY, "The carrier did not do what it was asked"
    OVERLOADED = "overloaded", HTTPStatus.SERVICE_UNAVAILABLE, "No more transfers now"
    STORE_UNAVAILABLE = "store-unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "The store of transfers does not answer"
    SHUTTING_DOWN = "shutting-down", HTTPStatus.SERVICE_UNAVAILABLE, "The service is shutting down"

    def __init__(self, ending: str, status: HTTPStatus, title: str) -> None:
        self.urn = f"urn:relay:problem:{ending}"
        self.status = status
        self.title = title


class RequestFault(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(serialization_alias="in", description="`body`, `query`, `header` or `path`.")
    name: str = Field(description="Which field or parameter; empty for the whole, `?` for a name that is not shown.")
    detail: str = Field(description="What was expected.")


class ProblemDocument(BaseModel):
    """A problem (RFC 9457)."""

    type: str = Field(description="What kind of problem: a URN that stays the same.")
    title: str = Field(description="The kind in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened this time.")
    errors: list[RequestFault] | None = Field(default=None, description="Of `invalid-request`: all that is wrong.")
    transfer_id: str | None = Field(default=None, description="Of `transfer-conflict`: the live transfer.")


class ApiProblem(HTTPException):
    """
    A problem as an exception, for what only the HTTP side knows of.

    Args:
        kind: which.
        detail: what happened this time; no part of it may be secret.
        headers: sent with it.
        faults: what is wrong with the request.
    """

    def __init__(
        self,
        kind: ProblemKind,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        faults: Iterable[RequestFault] = (),
    ) -> None:
        super().__init__(kind.status, detail, headers)
        self.kind = kind
        self.faults = list(faults)


def problem(
    kind: ProblemKind,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    faults: list[RequestFault] | None = None,
    transfer_id: str | None = None,
) -> Response:
    """The response that tells a problem."""
    document = ProblemDocument(
        type=kind.urn,
        title=kind.title,
        status=kind.status,
        detail=detail,
        errors=faults or None,
        transfer_id=transfer_id,
    )
    content = document.model_dump(exclude_none=True, by_alias=True)
    return JSONResponse(content, kind.status.value, headers, media_type=MEDIA_TYPE)


def problem_responses(*kinds: ProblemKind) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of these problems, for a route's ``responses``."""
    described: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        response = described.setdefault(
            kind.status.value,
            {"description": "", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}},
        )
        response["description"] += f"{', or ' if response['description'] else ''}{kind.title} (`{kind.urn}`)"
        if headers := _HEADERS.get(kind.status):
            response["headers"] = headers
    return described


def add_problem_handlers(app: FastAPI, routes: Sequence[BaseRoute], *, is_open: Callable[[], bool]) -> None:
    """
    Make a problem document of every error that a route, or FastAPI itself, raises.

    Args:
        app: the application.
        routes: all of it.
        is_open: whether the service takes requests, or is shutting down.
    """

    async def on_transfer_error(_: Request, error: Exception) -> Response:
        return transfer_problem(cast("TransferError", error), is_open=is_open())

    async def on_wrong_method(request: Request, error: Exception) -> Response:
        allowed = (
            ", ".join(_methods(routes, request.url.path)) or dict(cast("HTTPException", error).headers or {})["Allow"]
        )
        detail = f"expected one of {allowed}, got another method"
        return problem(ProblemKind.METHOD_NOT_ALLOWED, detail, headers={"Allow": allowed})

    app.add_exception_handler(TransferError, on_transfer_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, on_wrong_method)
    app.add_exception_handler(RequestValidationError, _on_invalid)


def transfer_problem(error: TransferError, *, is_open: bool) -> Response:
    """The response that tells what a transfer failed of; ``is_open``: as in ``add_problem_handlers``."""
    if isinstance(error, Overloaded):
        kind = ProblemKind.OVERLOADED if is_open else ProblemKind.SHUTTING_DOWN
        kind = ProblemKind.ALLOWANCE_USED_UP if error.is_allowance else kind
        return problem(kind, str(error), headers=_retry_after(error.retry_after_s))
    if isinstance(error, StoreUnavailable):  # its text may say where the store is
        detail = "expected an answer of the store, got none"
        return problem(ProblemKind.STORE_UNAVAILABLE, detail, headers=_retry_after(STORE_RETRY_S))
    kind = _BY_ERROR[type(error)]
    return problem(
        kind,
        str(error),
        headers=_retry_after(BUSY_RETRY_S) if kind is ProblemKind.REQUEST_IN_PROGRESS else None,
        transfer_id=error.transfer_id if isinstance(error, TransferConflict) else None,
    )


def api_problem(error: ApiProblem) -> Response:
    """The response that tells it."""
    return problem(error.kind, error.detail, headers=error.headers, faults=error.faults)


async def _on_http(_: Request, error: Exception) -> Response:
    http = cast("HTTPException", error)
    if isinstance(http, ApiProblem):
        return api_problem(http)
    kind = _BY_STATUS.get(http.status_code, ProblemKind.BAD_REQUEST)
    return problem(kind, http.detail, headers=http.headers)


async def _on_invalid(_: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    faults = [_fault(each) for each in found[:ERRORS_MAX]]
    detail = f"expected a valid request, got one with {len(found)} fault{'s' * (len(found) > 1)}"
    return problem(ProblemKind.INVALID_REQUEST, detail, faults=faults)


def _methods(routes: Iterable[BaseRoute], path: str) -> list[str]:
    """What can be asked of a path; the framework names the methods of one of its routes."""
    here = [route for route in routes if isinstance(route, APIRoute) and route.path_regex.fullmatch(path)]
    return sorted({method for route in here for method in route.methods or ()})


def _fault(error: Mapping[str, Any]) -> RequestFault:
    """What pydantic found, without the value it found it in."""
    where, *path = error["loc"]
    if error["type"] == "json_invalid":
        return RequestFault(where=where, name="", detail=f"expected JSON, got a fault at character {path[0]}")
    names = [str(each) for each in path if each != "[key]"]
    if where == "body":
        names = [name if _NAME.fullmatch(name) else "?" for name in names]
    return RequestFault(where=str(where), name=".".join(names), detail=str(error["msg"]))


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


_BY_ERROR: Final[Mapping[type[TransferError], ProblemKind]] = {
    NumberRefused: ProblemKind.NUMBER_REFUSED,
    RoomRefused: ProblemKind.ROOM_REFUSED,
    TransferConflict: ProblemKind.TRANSFER_CONFLICT,
    RequestMismatch: ProblemKind.IDEMPOTENCY_MISMATCH,
    RequestInProgress: ProblemKind.REQUEST_IN_PROGRESS,
    NotJoined: ProblemKind.NOT_JOINED,
    DigitsRefused: ProblemKind.DIGITS_REFUSED,
    DigitsInProgress: ProblemKind.DIGITS_IN_PROGRESS,
    CarrierFailed: ProblemKind.CARRIER_FAILED,
}
_BY_STATUS: Final = {
    kind.status.value: kind
    for kind in (
        ProblemKind.BAD_REQUEST,
        ProblemKind.NOT_FOUND,
        ProblemKind.BODY_TOO_LARGE,
        ProblemKind.INTERNAL_ERROR,
    )
}
_SECONDS: Final = {
    "Retry-After": {"description": "Seconds until it is worth trying again.", "schema": {"type": "integer"}}
}
_HEADERS: Final[Mapping[HTTPStatus, Mapping[str, Any]]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}},
    HTTPStatus.TOO_MANY_REQUESTS: _SECONDS,
    HTTPStatus.SERVICE_UNAVAILABLE: _SECONDS,
}
