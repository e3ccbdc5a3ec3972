"""Errors as problem documents: each kind with its status, and nothing in them that must not leave the service."""

import asyncio
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from relay import errors
from relay.app.problems import (
    ERRORS_MAX,
    ApiProblem,
    ProblemKind,
    RequestFault,
    add_problem_handlers,
    problem_responses,
)
from tests.app.conftest import RunServed
from tests.app.served import NOBODY, ROOM, Served, listening

SECRET = "redis://:s3cret@host"  # noqa: S105 - opens nothing


def answer_to(error: Exception, *, is_open: bool = True) -> tuple[int, dict[str, Any], dict[str, str]]:
    """What a client gets when a route raises ``error``."""
    app = FastAPI()

    @app.get("/")
    async def broken() -> None:
        raise error

    add_problem_handlers(app, app.routes, is_open=lambda: is_open)

    async def ask() -> tuple[int, dict[str, Any], dict[str, str]]:
        async with listening(app) as url, aiohttp.ClientSession() as http, http.get(url) as answer:
            return answer.status, await answer.json(content_type="application/problem+json"), dict(answer.headers)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("error", "kind", "retry_after"),
    [
        (errors.Overloaded("full", retry_after_s=5), ProblemKind.OVERLOADED, "5"),
        (errors.Overloaded("full", retry_after_s=0), ProblemKind.OVERLOADED, "1"),
        (errors.Overloaded("used up", retry_after_s=3.2, is_allowance=True), ProblemKind.ALLOWANCE_USED_UP, "4"),
        (errors.StoreUnavailable(SECRET), ProblemKind.STORE_UNAVAILABLE, "1"),
        (errors.TransferConflict("tr_1"), ProblemKind.TRANSFER_CONFLICT, None),
        (errors.RequestInProgress("wait"), ProblemKind.REQUEST_IN_PROGRESS, "1"),
        (errors.RequestMismatch("other"), ProblemKind.IDEMPOTENCY_MISMATCH, None),
        (errors.NumberRefused("no"), ProblemKind.NUMBER_REFUSED, None),
        (errors.RoomRefused("no"), ProblemKind.ROOM_REFUSED, None),
        (ApiProblem(ProblemKind.NOT_FOUND, "none"), ProblemKind.NOT_FOUND, None),
        (HTTPException(413, "big"), ProblemKind.BODY_TOO_LARGE, None),
        (HTTPException(418, "tea"), ProblemKind.BAD_REQUEST, None),
    ],
)
def test_every_error_is_a_problem_of_its_kind(error: Exception, kind: ProblemKind, retry_after: str | None) -> None:
    status, document, headers = answer_to(error)
    assert (status, document["type"], document["title"]) == (kind.status, kind.urn, kind.title)
    assert document["status"] == status
    assert headers.get("Retry-After") == retry_after
    assert SECRET not in str(document)


def test_every_error_of_transfers_has_a_kind() -> None:
    """A new one must not become a 500."""
    made: dict[str, errors.TransferError] = {
        "Overloaded": errors.Overloaded("", retry_after_s=1),
        "TransferConflict": errors.TransferConflict("tr_1"),
    }
    kinds = errors.TransferError.__subclasses__()
    assert len(kinds) >= 7
    for kind in kinds:
        status, _, _ = answer_to(made.get(kind.__name__) or kind("x"))
        assert (kind.__name__, status) != (kind.__name__, 500)


def test_a_conflict_names_the_live_transfer() -> None:
    assert answer_to(errors.TransferConflict("tr_1"))[1]["transfer_id"] == "tr_1"


def test_a_service_that_shuts_down_says_so() -> None:
    _, document, headers = answer_to(errors.Overloaded("bye", retry_after_s=10), is_open=False)
    assert (document["type"], headers["Retry-After"]) == (ProblemKind.SHUTTING_DOWN.urn, "10")


def test_an_allowance_is_used_up_whether_or_not_the_service_shuts_down() -> None:
    error = errors.Overloaded("used up", retry_after_s=1, is_allowance=True)
    assert answer_to(error, is_open=False)[0] == 429


def test_faults_are_told_with_their_place() -> None:
    fault = RequestFault(where="body", name="to", detail="expected a number")
    _, document, _ = answer_to(ApiProblem(ProblemKind.INVALID_REQUEST, "to: expected a number", faults=[fault]))
    assert document["errors"] == [{"in": "body", "name": "to", "detail": "expected a number"}]


def test_names_of_problems_are_told_apart() -> None:
    assert len({kind.urn for kind in ProblemKind}) == len(ProblemKind)
    assert all(kind.urn.startswith("urn:relay:problem:") for kind in ProblemKind)


def test_the_document_says_all_kinds_of_one_status() -> None:
    described = problem_responses(ProblemKind.OVERLOADED, ProblemKind.SHUTTING_DOWN, ProblemKind.NOT_FOUND)
    assert list(described) == [503, 404]
    assert ProblemKind.OVERLOADED.urn in described[503]["description"]
    assert ProblemKind.SHUTTING_DOWN.urn in described[503]["description"]
    assert "Retry-After" in described[503]["headers"]


@pytest.mark.parametrize(
    ("body", "status", "faults"),
    [
        (b"{", 422, [("body", "")]),
        (b"", 422, [("body", "")]),
        (b"[]", 422, [("body", "")]),
        (b'"text"', 422, [("body", "")]),
        (b"\xff", 400, []),
        (b"[" * 60_000, 400, []),
        (b"9" * 6000, 400, []),
        (b'{"room_url": 1, "nothing": 2}', 422, [("body", "room_url"), ("body", "nothing")]),
        (b'{"room_url": "r", "+14155550188": 1}', 422, [("body", "?")]),
        (b'{"room_url": "r", "destination": "d", "metadata": {"+14155550188": 1}}', 422, [("body", "metadata.?")]),
        (b'{"room_url": "r", "destination": "d", "ring_timeout_s": NaN}', 422, [("body", "ring_timeout_s")]),
    ],
)
def test_what_cannot_be_read_is_told_without_its_values(
    run_served: RunServed, body: bytes, status: int, faults: list[tuple[str, str]]
) -> None:
    async def scenario(served: Served) -> None:
        reply = await served.ask("POST", "/v1/transfers", body, Content_Type="application/json")
        assert (reply.status, reply.headers["Content-Type"]) == (status, "application/problem+json")
        assert [(fault["in"], fault["name"]) for fault in reply.json.get("errors", [])] == faults
        assert "4155550188" not in reply.text

    run_served(scenario)


def test_a_body_that_is_no_json_by_its_type_is_not_read_as_json(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        body = f'{{"room_url": "{ROOM}", "destination": "billing"}}'.encode()
        assert (await served.ask("POST", "/v1/transfers", body, Content_Type="text/plain")).status == 422
        assert served.bridges.made == []

    run_served(scenario)


def test_there_is_an_end_to_what_is_told(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        faulty: dict[str, Any] = {f"field_{number}": number for number in range(100)}
        reply = await served.post(**faulty)
        assert len(reply.json["errors"]) == ERRORS_MAX
        assert "100 faults" in reply.json["detail"]

    run_served(scenario)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/transfers", "GET, POST"),
        ("PATCH", "/v1/transfers/tr_1", "DELETE, GET"),
        ("POST", "/healthz", "GET"),
        ("GET", f"/carriers/twilio/{NOBODY}/status", "POST"),
        ("POST", "/openapi.json", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_answered_with_all_the_right_ones(
    run_served: RunServed, method: str, path: str, allowed: str
) -> None:
    async def scenario(served: Served) -> None:
        reply = await served.ask(method, path)
        assert (reply.status, reply.json["type"]) == (405, ProblemKind.METHOD_NOT_ALLOWED.urn)
        assert ", ".join(sorted(reply.headers["Allow"].split(", "))) == allowed

    run_served(scenario)
