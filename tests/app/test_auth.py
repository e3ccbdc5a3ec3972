"""Keys and scopes: what each key may do, and that no route is without its guard."""

import pytest
from fastapi.routing import APIRoute
from pydantic import SecretStr

from relay.app.auth import ANYBODY, Keys
from relay.app.carrier_urls import PREFIX
from relay.app.problems import ApiProblem, ProblemKind
from relay.app.settings import ApiKey, Scope
from relay.transfers.record import digest
from tests.app.conftest import RunServed
from tests.app.served import ADMIN_KEY, NOBODY, READ_KEY, TRIGGER_KEY, Served, settings_with

PUBLIC = {("get", "/healthz"), ("get", "/readyz")}


def api_key(key: str, *scopes: Scope) -> ApiKey:
    return ApiKey(key=SecretStr(key), scopes=frozenset(scopes or Scope))


def keys() -> Keys:
    return Keys(
        [
            api_key(ADMIN_KEY, Scope.ADMIN),
            api_key(TRIGGER_KEY, Scope.TRIGGER),
            api_key(READ_KEY, Scope.READ),
        ]
    )


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        (ADMIN_KEY, {Scope.TRIGGER, Scope.READ, Scope.ADMIN}),
        (TRIGGER_KEY, {Scope.TRIGGER}),
        (READ_KEY, {Scope.READ}),
    ],
)
def test_a_key_may_do_what_its_scopes_say(key: str, allowed: set[Scope]) -> None:
    for scope in Scope:
        if scope in allowed:
            assert keys().check(f"Bearer {key}", scope).key_id == digest(key)[:8]
        else:
            with pytest.raises(ApiProblem) as caught:
                keys().check(f"Bearer {key}", scope)
            assert caught.value.kind is ProblemKind.FORBIDDEN
            assert f'scope="{scope}"' in dict(caught.value.headers or {})["WWW-Authenticate"]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        ADMIN_KEY,
        f"Basic {ADMIN_KEY}",
        f"Bearer {ADMIN_KEY}x",
        f"Bearer {ADMIN_KEY[:-1]}",
    ],
)
def test_whoever_has_no_key_is_asked_for_one(authorization: str | None) -> None:
    with pytest.raises(ApiProblem) as caught:
        keys().check(authorization, Scope.READ)
    assert caught.value.kind is ProblemKind.UNAUTHORIZED
    assert dict(caught.value.headers or {})["WWW-Authenticate"].startswith("Bearer")
    assert ADMIN_KEY[:-1] not in str(caught.value.detail)


def test_the_scheme_is_known_in_any_case() -> None:
    assert keys().check(f"bEARER {READ_KEY}", Scope.READ).key_id == digest(READ_KEY)[:8]


def test_each_of_several_keys_is_good_so_that_one_can_be_changed() -> None:
    both = Keys([api_key("o" * 32), api_key("n" * 32)])
    assert both.check("Bearer " + "o" * 32, Scope.TRIGGER) != both.check("Bearer " + "n" * 32, Scope.TRIGGER)


def test_without_keys_everybody_may_do_everything() -> None:
    assert Keys([]).check(None, Scope.ADMIN) is ANYBODY


def test_keys_themselves_are_not_kept() -> None:
    assert ADMIN_KEY not in repr(vars(keys()))


def test_every_route_refuses_strangers_wrong_keys_and_wrong_scopes(run_served: RunServed) -> None:
    """The table is made of the OpenAPI document, and that has every route: a new one is in it without being named."""

    async def scenario(served: Served) -> None:
        document = (await served.ask("GET", "/openapi.json", key=None)).json
        routes = {(method, path) for path, methods in document["paths"].items() for method in methods}
        served_routes = {
            (method.lower(), route.path)
            for route in served.api_routes
            if not route.path.startswith(PREFIX)
            for method in route.methods or ()
        }
        assert routes == served_routes
        assert len(routes - PUBLIC) >= 7
        for method, path in sorted(routes - PUBLIC):
            assert document["paths"][path][method]["security"] == [{"ApiKey": []}]
            target = path.replace("{transfer_id}", NOBODY)
            wrong_scope = TRIGGER_KEY if method == "get" else READ_KEY
            for key, status in [(None, 401), ("x" * 32, 401), ("\xe9" * 16, 401), (wrong_scope, 403)]:
                reply = await served.ask(method.upper(), target, key=key)
                assert (method, path, reply.status) == (method, path, status)
                assert reply.headers["Content-Type"] == "application/problem+json"
                assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert served.carrier.dials == []

    run_served(scenario)


def test_a_strangers_body_is_not_looked_at(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        for body in (b"{", b'{"room_url": 1}', b"\xff"):
            reply = await served.ask("POST", "/v1/transfers", body, key=None, Content_Type="application/json")
            assert reply.status == 401

    run_served(scenario)


def test_a_key_with_its_own_scope_is_enough(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        body = {"room_url": "https://example.daily.co/r", "destination": "billing"}
        made = await served.ask("POST", "/v1/transfers", body, key=TRIGGER_KEY)
        assert made.status == 201
        path = f"/v1/transfers/{made.json['id']}"
        assert (await served.ask("GET", path, key=READ_KEY)).status == 200
        assert (await served.ask("GET", "/metrics", key=READ_KEY)).status == 200
        assert (await served.ask("DELETE", path, key=TRIGGER_KEY)).status == 200

    run_served(scenario)


def test_a_service_without_keys_asks_for_none(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        assert (await served.ask("GET", "/v1/destinations", key=None)).status == 200

    run_served(scenario, settings_with(api_keys=[]))


def test_routes_know_their_whole_template(run_served: RunServed) -> None:
    """The access log and the metrics call a route by it."""

    async def scenario(served: Served) -> None:
        assert all(isinstance(route, APIRoute) for route in served.api_routes)
        assert "/v1/transfers/{transfer_id}" in {route.path for route in served.api_routes}

    run_served(scenario)
