"""Who may use the HTTP API: bearer keys, and what each of them may do."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from relay.app.problems import ApiProblem, ProblemKind
from relay.app.settings_entries import ApiKey, Scope
from relay.transfers.record import digest

CHALLENGE: Final = 'Bearer realm="relay"'
DOCUMENTED: Final = Security(
    HTTPBearer(
        auto_error=False,
        scheme_name="ApiKey",
        description="One of `RELAY_API_KEYS`. If there is none, only this machine reaches the service.",
    )
)
"""A dependency that changes nothing: it has the OpenAPI document say what ``guarded`` does."""

_SCHEME: Final = "bearer"


@dataclass(frozen=True, slots=True)
class Principal:
    """
    Who asks.

    Args:
        key_id: tells keys apart and gives none away: the first 8 digits of its SHA-256 in hex.
        scopes: what it may do.
    """

    key_id: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether its key allows this."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


ANYBODY: Final = Principal("anybody", frozenset(Scope))
"""Whoever asks a service without keys."""


class Keys:
    """
    The keys that are configured. Only their digests are kept.

    Args:
        keys: without any, everybody may do everything.
    """

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._scopes = {digest(each.key.get_secret_value()): each.scopes for each in keys}

    def check(self, authorization: str | None, scope: Scope) -> Principal:
        """
        Who asks, if that may be done with the key in an ``Authorization`` header.

        Raises:
            ApiProblem: there is no such key, or it may not.
        """
        if not self._scopes:
            return ANYBODY
        principal = self._find(authorization)
        if not principal.may(scope):
            challenge = f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'
            detail = f"expected a key with the scope {scope}, got one without"
            raise ApiProblem(ProblemKind.FORBIDDEN, detail, headers={"WWW-Authenticate": challenge})
        return principal

    def _find(self, authorization: str | None) -> Principal:
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != _SCHEME:
            detail = "expected Authorization: Bearer KEY, got no such header"
            raise ApiProblem(ProblemKind.UNAUTHORIZED, detail, headers={"WWW-Authenticate": CHALLENGE})
        its_digest = digest(key.strip())
        found = None
        for known, scopes in self._scopes.items():  # all of them, so that the time says nothing of which it is
            if hmac.compare_digest(known, its_digest):
                found = Principal(known[:8], scopes)
        if found is None:
            challenge = f'{CHALLENGE}, error="invalid_token"'
            detail = "expected a key that is configured, got another"
            raise ApiProblem(ProblemKind.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})
        return found


def guarded(keys: Keys) -> type[APIRoute]:
    """
    A class of routes that look at the key before anything else of a request.

    Reading needs ``read``, and every other method ``trigger``: a new route cannot forget to ask. Who asks is
    ``request.state.principal``.
    """

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def check_and_handle(request: Request) -> Response:
                scope = Scope.READ if request.method in ("GET", "HEAD") else Scope.TRIGGER
                request.state.principal = keys.check(request.headers.get("authorization"), scope)
                return await handle(request)

            return check_and_handle

    return Guarded
