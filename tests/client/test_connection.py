"""One request: what its answer may be, what a broken one is, and that the key stays where it belongs."""

import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from relay.client.connection import Connection, problem_from
from relay.client.errors import ClientError, NotFound, RefusedRequest, RelayUnreachable, UnexpectedAnswer
from tests.client.conftest import KEY
from tests.client.stand_in import (
    Answer,
    StandIn,
    breaks,
    breaks_midway,
    is_silent,
    refuses,
    run,
    says,
    stand_in,
    streams,
)

LINE = "GET /v1/x"


@asynccontextmanager
async def connected(*answers: Answer) -> AsyncIterator[tuple[StandIn, Connection]]:
    async with stand_in() as relay:
        relay.on(LINE, *answers)
        connection = Connection(relay.url, api_key=KEY, session=None)
        connection.open()
        try:
            yield relay, connection
        finally:
            await connection.close()


async def ask(connection: Connection) -> object:
    return await connection.ask("GET", "/v1/x", timeout_s=10)


async def read(connection: Connection) -> object:
    return [chunk async for chunk in connection.stream("/v1/x", headers={})]


async def raised_by(what: Callable[[Connection], Awaitable[object]], *answers: Answer) -> ClientError:
    async with connected(*answers) as (_, connection):
        with pytest.raises(ClientError) as raised:
            await what(connection)
        return raised.value


def redirects(to: str) -> Answer:
    return says({}, 307, {"Location": to})


async def bad_http(request: web.Request) -> web.StreamResponse:
    transport: Any = request.transport
    transport.write(b"HTTP/1.1 two-hundred\r\nX: y\r\n\r\n")
    transport.close()
    return web.Response()


def test_a_redirect_is_not_followed() -> None:
    """It would take the key along."""

    async def scenario() -> None:
        async with stand_in() as elsewhere, connected(redirects(f"{elsewhere.url}/v1/x")) as (_, connection):
            for what in (ask, read):
                with pytest.raises(UnexpectedAnswer, match=r"expected no redirect, got 307 to 'http://127.*/v1/x'"):
                    await what(connection)
            assert elsewhere.asked == []

    run(scenario())


@pytest.mark.parametrize("answer", [b"", b"<html>hello</html>", b'{"id":'])
def test_an_answer_that_is_not_json_is_told_as_it_came(answer: bytes) -> None:
    error = run(raised_by(ask, says(answer)))
    assert str(error) == f"GET /v1/x: expected JSON, got {answer.decode()!r}"


@pytest.mark.parametrize("answer", [breaks, breaks_midway, bad_http])
@pytest.mark.parametrize("what", [ask, read])
def test_an_answer_that_breaks_is_no_answer(answer: Answer, what: Callable[[Connection], Awaitable[object]]) -> None:
    error = run(raised_by(what, answer))
    if what is ask or answer is not breaks_midway:  # what is no event stream is not read on
        assert isinstance(error, RelayUnreachable)
        assert str(error).startswith("GET /v1/x at http://127.0.0.1:")


def test_a_stream_that_breaks_gives_what_came_before() -> None:
    async def scenario() -> None:
        async with connected(streams(": hello\n\n", then="breaks")) as (_, connection):
            chunks = connection.stream("/v1/x", headers={"Last-Event-ID": "1-0"})
            assert await anext(chunks) == b": hello\n\n"
            with pytest.raises(RelayUnreachable):
                await anext(chunks)

    run(scenario())


def test_a_stream_is_asked_for_as_one() -> None:
    async def scenario() -> None:
        async with connected(streams("data: 1\n\n")) as (relay, connection):
            assert await read(connection) == [b"data: 1\n\n"]
            assert relay.asked[0].headers["Accept"] == "text/event-stream"

    run(scenario())


def test_what_is_no_stream_is_told_as_it_came() -> None:
    error = run(raised_by(read, says({})))
    assert str(error) == "GET /v1/x: expected text/event-stream, got 'application/json'"


def test_a_stream_may_be_refused() -> None:
    assert isinstance(run(raised_by(read, refuses(404, "not-found"))), NotFound)


@pytest.mark.parametrize(
    "answer", [breaks, breaks_midway, bad_http, says(b"no"), redirects("/"), refuses(401, "unauthorized"), is_silent]
)
def test_the_key_is_nowhere_in_what_goes_wrong(answer: Answer) -> None:
    async def scenario() -> ClientError:
        async with connected(answer) as (_, connection):
            with pytest.raises(ClientError) as raised:
                await connection.ask("GET", "/v1/x", timeout_s=0.05)
            return raised.value

    error: BaseException | None = run(scenario())
    while error is not None:
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        assert KEY not in shown
        error = error.__cause__ or error.__context__


def test_a_problem_document_is_read_whole() -> None:
    content = b'{"type":"urn:relay:problem:x","title":"T","status":1,"detail":"D","errors":[{"field":"to"}]}'
    problem = problem_from(422, "Unprocessable", {"Retry-After": "7"}, content)
    assert (problem.status, problem.name, problem.title, problem.detail) == (422, "x", "T", "D")
    assert problem.members == {"errors": [{"field": "to"}]}
    assert problem.retry_after_s == 7


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"title":7,"detail":null}', b"\xff\xfe"])
def test_what_a_proxy_says_is_at_least_a_status(content: bytes) -> None:
    problem = problem_from(502, "Bad Gateway", {}, content)
    assert (problem.status, problem.type, problem.title, problem.detail) == (502, "about:blank", "Bad Gateway", "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("-1", None), ("nan", None), ("inf", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)
def test_retry_after_is_seconds(text: str, seconds: float | None) -> None:
    assert problem_from(503, "", {"Retry-After": text}, b"").retry_after_s == seconds


def test_what_is_wrong_with_a_request_comes_with_the_refusal() -> None:
    error = run(raised_by(ask, refuses(422, "invalid-request", errors=[{"field": "to"}])))
    assert isinstance(error, RefusedRequest)
    assert error.problem.members["errors"] == [{"field": "to"}]


@pytest.mark.parametrize(
    "url", ["", "relay.example.com", "ftp://relay", "http://", "https://relay/?a=b", "https://r/#f"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base_url: expected http"):
        Connection(url, api_key=None, session=None)


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ValueError, match="expected no user or password") as raised:
        Connection("https://me:hunter2@relay.example.com", api_key=None, session=None)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "clé"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match=r"^api_key: expected printable ASCII without blanks, got something else$"):
        Connection("https://relay.example.com", api_key=key, session=None)
