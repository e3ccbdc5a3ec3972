"""One HTTP request to relay: its answer as JSON or bytes, or the error that says what went wrong; no retries."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NoReturn
from urllib.parse import urlsplit

import aiohttp

from relay.client.errors import Problem, RelayUnreachable, UnexpectedAnswer, error_of
from relay.client.fields import shown

_CONNECT_S: Final = 5.0
_SILENCE_S: Final = 45.0  # relay sends a comment every 15 s: three are missing
_TEXT: Final = ("type", "title", "detail")


class Connection:
    """
    Where relay is, and the key that opens it. The key is in no message, repr or chain of errors.

    Args:
        base_url: ``https://relay.example.com``, with a path if relay is below one.
        api_key: sent as a bearer token.
        session: of the caller's; not closed. None: one of its own, from ``open`` to ``close``.

    Raises:
        ValueError: ``base_url`` or ``api_key`` cannot be used.
    """

    def __init__(self, base_url: str, *, api_key: str | None, session: aiohttp.ClientSession | None) -> None:
        self.base_url = _checked_url(base_url)
        self._headers = {"Authorization": f"Bearer {_checked_key(api_key)}"} if api_key is not None else {}
        self._session = session
        self._is_ours = session is None

    def open(self) -> None:
        """Be ready to ask."""
        if self._session is None:
            self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        """Close the session, if it is ours."""
        if self._is_ours and self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> object:
        """
        The JSON value that relay answers with.

        Raises:
            ClientError: what went wrong, once.
        """
        within = aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_S)
        async with self._answer(method, path, within, query=query, body=body, headers=headers) as answer:
            content = await answer.read()
        try:
            return json.loads(content)
        except ValueError:
            pass  # told below, so that the message is all there is
        raise UnexpectedAnswer(f"{method} {path}", expected="JSON", got=shown(content.decode(errors="replace")))

    async def tell(self, method: str, path: str, *, timeout_s: float, body: Mapping[str, object]) -> None:
        """
        Ask for what is answered with nothing.

        Raises:
            ClientError: what went wrong, once.
        """
        within = aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_S)
        async with self._answer(method, path, within, body=body) as answer:
            if answer.status != 204:
                raise UnexpectedAnswer(f"{method} {path}", expected="204", got=str(answer.status))

    async def stream(self, path: str, *, headers: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """
        The chunks of an event stream as they come, to its end.

        Raises:
            ClientError: it did not begin, or broke.
        """
        within = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S)
        async with self._answer("GET", path, within, headers={"Accept": "text/event-stream", **headers}) as answer:
            if answer.status == 204:  # nothing follows
                return
            if answer.content_type != "text/event-stream":
                raise UnexpectedAnswer(f"GET {path}", expected="text/event-stream", got=shown(answer.content_type))
            async for chunk in answer.content.iter_any():
                yield chunk

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        within: aiohttp.ClientTimeout,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("RelayClient: expected `async with RelayClient(...)` or a session, got neither")
        try:
            async with self._session.request(
                method,
                self.base_url + path,
                params=query,
                json=body,
                headers={**self._headers, **(headers or {})},
                timeout=within,
                allow_redirects=False,  # the key is for this address only
            ) as answer:
                if answer.status >= 300:
                    await _refuse(answer, f"{method} {path}")
                yield answer
                return
        except (aiohttp.ClientError, TimeoutError) as error:
            failure = f"{type(error).__name__}: {error}".removesuffix(": ")
        # Outside of the handler: aiohttp's error may hold the request's headers, and would be the context of ours.
        raise RelayUnreachable(f"{method} {path} at {self.base_url}: expected an answer, got {failure}")


async def _refuse(answer: aiohttp.ClientResponse, what: str) -> NoReturn:
    if answer.status < 400:
        where = shown(answer.headers.get("Location", ""))
        raise UnexpectedAnswer(what, expected="no redirect", got=f"{answer.status} to {where}")
    raise error_of(problem_from(answer.status, answer.reason or "", answer.headers, await answer.read()))


def problem_from(status: int, reason: str, headers: Mapping[str, str], content: bytes) -> Problem:
    """The problem in an answer; of an answer that is no problem document, what its status line says."""
    try:
        members = json.loads(content)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        members = {}
    said = {name: members[name] for name in _TEXT if isinstance(members.get(name), str)}
    own = {name: value for name, value in members.items() if name not in (*_TEXT, "status")}
    return Problem(
        status=status, **{"title": reason, **said}, members=own, retry_after_s=_seconds(headers.get("Retry-After"))
    )


def _seconds(text: str | None) -> float | None:
    """``Retry-After`` as seconds; as a date, which relay does not send, it counts as not said."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _checked_url(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("base_url: expected no user or password, got one")  # not shown
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"base_url: expected http(s)://host[:port][/path], got {base_url!r}")
    return base_url.rstrip("/")


def _checked_key(api_key: str) -> str:
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ValueError("api_key: expected printable ASCII without blanks, got something else")  # not shown
    return api_key
