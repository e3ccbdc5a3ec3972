"""The HTTP API of transfers: ask for one, wait for it, follow it, end it."""

from __future__ import annotations

import asyncio
import hmac
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import StringConstraints
from pydantic.json_schema import SkipJsonSchema

from relay.app.auth import DOCUMENTED, Keys, Principal, guarded
from relay.app.event_stream import EventStream, is_over
from relay.app.numbers import mask_number
from relay.app.orders import DigitsRequest, Orders, TransferRequest
from relay.app.problems import ApiProblem, ProblemKind, problem_responses
from relay.app.services import Services
from relay.app.transfer_json import (
    DestinationJson,
    DestinationListJson,
    TransferEventJson,
    TransferJson,
    TransferListJson,
    transfer_json,
)
from relay.transfers.claims import RequestKey
from relay.transfers.coordinator import Caller
from relay.transfers.record import TRANSFER_ID, Transfer
from relay.transfers.states import State

WAIT_MAX_S: Final = 60.0
LIST_MAX: Final = 100
REPLAYED: Final = "Idempotent-Replayed"
_WAY: Final = (State.REQUESTED, State.DIALING, State.RINGING, State.ANSWERED, State.JOINED)

_TransferId = Annotated[
    str, Path(description="Of the transfer.", json_schema_extra={"pattern": f"^{TRANSFER_ID.pattern}$"})
]
_Wait = Annotated[
    float,
    Query(ge=0, le=WAIT_MAX_S, description="How long the answer may take to come, in seconds."),
]
_Until = Annotated[State, Query(description="Answer when this state, a later or a terminal one is reached.")]
_Limit = Annotated[int, Query(ge=1, le=LIST_MAX, description="How many at most.")]
_IdempotencyKey = Annotated[
    Annotated[str, StringConstraints(pattern="^[ -~]{1,255}$")] | SkipJsonSchema[None],
    Header(
        alias="Idempotency-Key",
        description="The same key with the same body gets the first answer again, as long as the transfer can be read; "
        "with another body, 422.",
    ),
]
_LastEventId = Annotated[
    Annotated[str, StringConstraints(pattern="^[0-9]{1,18}-[0-9]{1,18}$")] | SkipJsonSchema[None],
    Header(alias="Last-Event-ID", description="Go on after this event."),
]

_ALWAYS: Final = (
    ProblemKind.UNAUTHORIZED,
    ProblemKind.FORBIDDEN,
    ProblemKind.STORE_UNAVAILABLE,
)
_OF_ONE: Final = (*_ALWAYS, ProblemKind.NOT_FOUND, ProblemKind.INVALID_REQUEST)
_OF_DIGITS: Final = (
    *_OF_ONE,
    ProblemKind.BAD_REQUEST,
    ProblemKind.NOT_JOINED,
    ProblemKind.DIGITS_REFUSED,
    ProblemKind.DIGITS_IN_PROGRESS,
    ProblemKind.BODY_TOO_LARGE,
    ProblemKind.CARRIER_FAILED,
)
_OF_REQUEST: Final = (
    *_ALWAYS,
    ProblemKind.BAD_REQUEST,
    ProblemKind.TRANSFER_CONFLICT,
    ProblemKind.REQUEST_IN_PROGRESS,
    ProblemKind.BODY_TOO_LARGE,
    ProblemKind.INVALID_REQUEST,
    ProblemKind.NUMBER_REFUSED,
    ProblemKind.ROOM_REFUSED,
    ProblemKind.IDEMPOTENCY_MISMATCH,
    ProblemKind.ALLOWANCE_USED_UP,
    ProblemKind.OVERLOADED,
    ProblemKind.SHUTTING_DOWN,
)
_CREATED: Final[dict[str, Any]] = {
    "description": "The transfer has begun; the phone rings soon.",
    "headers": {
        "Location": {"description": "The transfer's own path, whole.", "schema": {"type": "string"}},
        REPLAYED: {
            "description": "`true`: this is the first answer again, and nothing was begun.",
            "schema": {"type": "string"},
        },
    },
}
_EVENT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "For `Last-Event-ID`."},
        "event": {"type": "string", "description": "The state, or what happened in it."},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": f"#/components/schemas/{TransferEventJson.__name__}"},
        },
        "retry": {"type": "integer"},
    },
}
_EVENTS: Final[dict[str, Any]] = {
    "description": "Server-sent events, each of them as the schema says.",
    "content": {"text/event-stream": {"schema": _EVENT_SCHEMA}},
}


def api_router(services: Services, keys: Keys) -> APIRouter:
    """The routes below ``/v1``."""
    router = APIRouter(prefix="/v1", tags=["transfers"], route_class=guarded(keys), dependencies=[DOCUMENTED])
    api = Api(services)
    router.add_api_route(
        "/transfers",
        api.create,
        methods=["POST"],
        operation_id="create_transfer",
        status_code=201,
        summary="Ask for a transfer",
        responses={201: _CREATED, **problem_responses(*_OF_REQUEST)},
    )
    router.add_api_route(
        "/transfers",
        api.latest,
        methods=["GET"],
        operation_id="list_transfers",
        summary="The latest transfers",
        responses=problem_responses(*_ALWAYS, ProblemKind.INVALID_REQUEST),
    )
    router.add_api_route(
        "/transfers/{transfer_id}",
        api.read,
        methods=["GET"],
        operation_id="get_transfer",
        response_model=TransferJson,
        summary="A transfer, now or when it has got somewhere",
        responses=problem_responses(*_OF_ONE),
    )
    router.add_api_route(
        "/transfers/{transfer_id}",
        api.end,
        methods=["DELETE"],
        operation_id="end_transfer",
        summary="Cancel a transfer, or hang up; one that is over stays as it is",
        responses=problem_responses(*_OF_ONE),
    )
    router.add_api_route(
        "/transfers/{transfer_id}/events",
        api.follow,
        methods=["GET"],
        operation_id="follow_transfer",
        response_class=Response,
        summary="Follow a transfer until it is over",
        responses={200: _EVENTS, 204: {"description": "Nothing follows."}, **problem_responses(*_OF_ONE)},
    )
    router.add_api_route(
        "/transfers/{transfer_id}/digits",
        api.send_digits,
        methods=["POST"],
        operation_id="send_digits",
        status_code=204,
        response_class=Response,
        summary="Let the agent's phone hear keys",
        responses={204: {"description": "They are on their way."}, **problem_responses(*_OF_DIGITS)},
    )
    router.add_api_route(
        "/destinations",
        api.destinations,
        methods=["GET"],
        operation_id="list_destinations",
        summary="Who can be reached by name",
        responses=problem_responses(ProblemKind.UNAUTHORIZED, ProblemKind.FORBIDDEN),
    )
    return router


class Api:
    """Answers the requests of bots."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._store = services.store
        self._request_key = services.settings.derived_key("requests that may come again")
        self._orders = Orders(
            services.settings, numbers=services.numbers, rooms=services.rooms, carriers=services.controls
        )

    async def create(
        self, request: Request, response: Response, body: TransferRequest, idempotency_key: _IdempotencyKey = None
    ) -> TransferJson:
        """Begin to call; everything that can be refused is refused before anything rings."""
        principal: Principal = request.state.principal
        again = None
        if idempotency_key is not None:
            # Keyed: who reads the store could try out all numbers against a digest, and callers' keys can be guessed.
            again = RequestKey(
                key=self._keyed(f"{principal.key_id}:{idempotency_key}"),
                fingerprint=self._keyed(f"{idempotency_key}:{body.fingerprint()}"),
            )
        caller = Caller(allowance=principal.key_id, request=again)
        requested = await self._services.coordinator.request(self._orders.resolve(body), caller)
        response.headers["Location"] = self._path(requested.transfer.transfer_id)
        if requested.is_replay:
            response.headers[REPLAYED] = "true"
        return transfer_json(requested.transfer)

    def _path(self, transfer_id: str) -> str:
        """
        The transfer's path, below that of the public URL.

        It is right behind a proxy that takes that path off, behind one that passes it on, and without any, as
        ``PublicPath`` serves both. No relative one, which would be right, too: many clients append it to the origin.
        """
        return f"{self._services.urls.path}/v1/transfers/{transfer_id}"

    def _keyed(self, text: str) -> str:
        return hmac.digest(self._request_key, text.encode(), "sha256").hex()

    async def latest(self, limit: _Limit = 20) -> TransferListJson:
        """The latest transfers, newest first."""
        return TransferListJson(transfers=[transfer_json(each) for each in await self._store.recent(limit)])

    async def read(
        self, request: Request, transfer_id: _TransferId, wait_s: _Wait = 0.0, until: _Until = State.JOINED
    ) -> TransferJson | Response:
        """The transfer; with ``wait_s``, as soon as it has reached ``until``, or when the time is over."""
        if wait_s == 0:
            return transfer_json(_found(await self._store.get(transfer_id)))
        request.state.is_waiting = True
        waiting = asyncio.ensure_future(
            self._store.wait(transfer_id, lambda transfer: has_reached(transfer, until), timeout_s=wait_s)
        )
        gone = asyncio.ensure_future(_until_gone(request))
        try:
            await asyncio.wait([waiting, gone], return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return transfer_json(_found(waiting.result()))
            return Response(status_code=204)  # nobody reads it
        finally:
            waiting.cancel()
            gone.cancel()
            await asyncio.gather(waiting, gone, return_exceptions=True)

    async def end(self, transfer_id: _TransferId) -> TransferJson:
        """The transfer, after it has been cancelled or hung up."""
        return transfer_json(_found(await self._services.coordinator.cancel(transfer_id)))

    async def send_digits(self, transfer_id: _TransferId, body: DigitsRequest) -> None:
        """Send keys once; asked again they are sent again."""
        _found(await self._services.coordinator.send_digits(transfer_id, body.digits))

    async def follow(self, request: Request, transfer_id: _TransferId, last_event_id: _LastEventId = None) -> Response:
        """The transfer's events; 204, which keeps an EventSource from coming back, if there will be none."""
        request.state.is_waiting = True
        after = last_event_id or ""
        _found(await self._store.get(transfer_id))
        if await is_over(self._store, transfer_id, after):
            return Response(status_code=204)
        return EventStream(self._store, transfer_id, after=after)

    async def destinations(self) -> DestinationListJson:
        """Names of the configuration; their numbers are masked."""
        entries = sorted(self._services.settings.destinations.items())
        return DestinationListJson(
            destinations=[
                DestinationJson(
                    name=name, provider=self._orders.provider_of(entry), to=mask_number(entry.to), accept=entry.accept
                )
                for name, entry in entries
            ]
        )


def has_reached(transfer: Transfer, until: State) -> bool:
    """Whether a transfer is in a state, past it, or over."""
    if transfer.is_terminal:
        return True
    return until in _WAY and _WAY.index(transfer.state) >= _WAY.index(until)


def _found(transfer: Transfer | None) -> Transfer:
    if transfer is None:
        raise ApiProblem(ProblemKind.NOT_FOUND, "expected the id of a transfer that can be read, got another")
    return transfer


async def _until_gone(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
