"""T3, T4: what is not the carrier's changes nothing, and what a request says of its own address counts for nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode, urlsplit

import pytest

from relay.dev.carrier_call import SimulatedCall
from relay.dev.carrier_signature import SIGNATURE_HEADER, signature_of
from tests.threats.conftest import OnStage
from tests.threats.proxy import proxy
from tests.threats.raw import request, status_of, statuses_of, upgrade
from tests.threats.stage import FORM_TYPE, PUBLIC, RINGS, Stage

pytestmark = pytest.mark.usefixtures("in_process")

ROUTES: Final = ("answer", "status", "detection")
MUTATIONS: Final = 150
HEAD: Final = (
    f"POST %s HTTP/1.1\r\nHost: relay.example.com\r\nContent-Type: {FORM_TYPE}\r\n"
    f"{SIGNATURE_HEADER}: %s\r\nContent-Length: %d\r\n\r\n"
).encode()
Webhook: TypeAlias = tuple[str, Mapping[str, str]]


def webhook(stage: Stage, transfer_id: str, call: SimulatedCall, route: str) -> Webhook:
    """One that would end the transfer, or open its media stream."""
    urls = stage.service.services.urls
    match route:
        case "answer":
            return urls.answer("twilio", transfer_id, 0), call.form("in-progress")
        case "status":
            return urls.status("twilio", transfer_id), call.form("completed") | {"SequenceNumber": "3"}
    form = {"AccountSid": call.account_sid, "CallSid": call.sid, "AnsweredBy": "machine_start"}
    return urls.detection("twilio", transfer_id), form


def written(stage: Stage, signed: Webhook, *more: tuple[str, str], signature: str | None = None, **how: Any) -> bytes:
    """A webhook as bytes, signed by the carrier unless ``signature`` is another; ``how`` replaces parts of it."""
    url, form = signed
    parts = urlsplit(url)
    if signature is None:
        signature = signature_of(url, form.items(), auth_token=stage.carrier.auth_token)
    body: bytes = how.pop("body", urlencode(form).encode())
    target: str = how.pop("target", parts.path)
    headers = {"Host": parts.netloc, "Content-Type": FORM_TYPE, "Content-Length": str(len(body))}
    headers |= {SIGNATURE_HEADER: signature} | how.pop("headers", {})
    listed = [(name, value) for name, value in headers.items() if value]
    return request(target, [*listed, *more], body=body, **{"method": "POST", **how})


def forgeries(stage: Stage, signed: Webhook, others: Mapping[str, Webhook]) -> dict[str, bytes]:
    """Ways to send a webhook that the carrier did not."""
    url, form = signed
    token = stage.carrier.auth_token
    body = urlencode(form).encode()

    def by(url: str, form: Mapping[str, str], auth_token: str = token) -> str:
        return signature_of(url, form.items(), auth_token=auth_token)

    in_two = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (10, body[:10], len(body) - 10, body[10:])
    chunked = {"Transfer-Encoding": "chunked", "Content-Length": ""}
    forged = {
        "unsigned": written(stage, signed, signature=""),
        "signed by another account": written(stage, signed, signature=by(url, form, "another" + token)),
        "signed with nothing": written(stage, signed, signature=by(url, form, "")),
        "two signatures, the last is right": written(
            stage, signed, (SIGNATURE_HEADER, by(url, form)), signature="A" * 27 + "="
        ),
        "two signatures, the first is right": written(stage, signed, (SIGNATURE_HEADER, "A" * 27 + "=")),
        "signed twice": written(stage, signed, (SIGNATURE_HEADER, by(url, form))),
        "signed as by an unknown key": written(
            stage, signed, ("X-Twilio-Webhooks-Signature-Settings", "key=k,algorithm=HMAC_SHA256")
        ),
        "signed without its form": written(stage, signed, signature=by(url, {})),
        "a field more": written(stage, signed, body=body + b"&CallStatus=busy"),
        "a field less": written(stage, signed, body=body.partition(b"&")[2]),
        "no field": written(stage, signed, body=b""),
        "another call": written(stage, signed, body=body.replace(form["CallSid"].encode(), b"CA" + b"0" * 32)),
        "a query": written(stage, signed, target=f"{urlsplit(url).path}?a=b"),
        "a query that was signed without": written(stage, signed, target=f"{urlsplit(url).path}?" + "a" * 20),
        "in chunks, unsigned": written(stage, signed, signature="", body=in_two, headers=chunked),
        "JSON": written(stage, signed, body=json.dumps(form).encode(), headers={"Content-Type": "application/json"}),
        "a form called JSON": written(stage, signed, headers={"Content-Type": "application/json"}),
        "a form without its type": written(stage, signed, headers={"Content-Type": ""}),
        "JSON with the hash of another body": written(
            stage,
            signed,
            target=f"{urlsplit(url).path}?bodySHA256={'0' * 64}",
            signature=by(f"{url}?bodySHA256={'0' * 64}", {}),
            body=b"{}",
            headers={"Content-Type": "application/json"},
        ),
        "no form at all": written(stage, signed, body=b"\xff\x00&&&=%"),
    }
    forged |= {
        f"signed for {name}": written(stage, signed, signature=by(other, form)) for name, (other, _) in others.items()
    }
    for name, elsewhere in {
        "http": url.replace("https:", "http:"),
        "a slash": f"{url}/",
        "a port": url.replace(PUBLIC, f"{PUBLIC}:8443"),
        "another host": url.replace(PUBLIC, "https://relay.example.org"),
        "capitals": url.replace(PUBLIC, "https://Relay.example.com"),
    }.items():
        forged[f"signed for {name}"] = written(stage, signed, signature=by(elsewhere, form))
    return forged


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.long
def test_t3_a_forged_webhook_is_refused_and_changes_nothing(on_stage: OnStage, route: str) -> None:
    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing(accept="detection")
        another_id, another = await stage.transfer()
        webhooks = {each: webhook(stage, transfer_id, call, each) for each in ROUTES}
        signed = webhooks.pop(route)
        others = {**webhooks, "another transfer": webhook(stage, another_id, another, route)}
        before, requests = await stage.record(transfer_id), stage.rest_requests()
        forged = forgeries(stage, signed, others)
        statuses = {how: await status_of(stage.port, data) for how, data in forged.items()}
        assert {how: status for how, status in statuses.items() if status != 403} == {}
        assert await stage.record(transfer_id) == before
        assert stage.rest_requests() == requests
        assert call.is_live
        assert 200 <= await status_of(stage.port, written(stage, signed)) < 300
        assert await stage.record(transfer_id) != before
        call.hang_up()  # relay has been told, and may believe, that it is over

    on_stage(scenario, RINGS)


@pytest.mark.parametrize("route", ROUTES)
def test_t3_a_true_webhook_may_come_in_chunks(on_stage: OnStage, route: str) -> None:
    """So that what is refused in chunks above is refused for its signature."""

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.transfer()
        signed = webhook(stage, transfer_id, call, route)
        body = urlencode(signed[1]).encode()
        in_chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        data = written(stage, signed, body=in_chunks, headers={"Transfer-Encoding": "chunked", "Content-Length": ""})
        assert 200 <= await status_of(stage.port, data) < 300
        call.hang_up()

    on_stage(scenario, RINGS)


def changed(data: bytes, choose: random.Random) -> bytes:
    """One byte of a request is another."""
    place = choose.randrange(len(data))
    return data[:place] + bytes([(data[place] + choose.randrange(1, 256)) % 256]) + data[place + 1 :]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.long
def test_t3_no_byte_of_a_webhook_can_be_another(on_stage: OnStage, route: str) -> None:
    """Path, signature and body. Where one byte less leaves the body short, nothing is answered: the client must go."""

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing(accept="detection")
        url, form = webhook(stage, transfer_id, call, route)
        before, requests = await stage.record(transfer_id), stage.rest_requests()
        path, body = urlsplit(url).path.encode(), urlencode(form).encode()
        signature = signature_of(url, form.items(), auth_token=stage.carrier.auth_token).encode()
        choose = random.Random(route)
        forged = []
        for number in range(MUTATIONS):
            parts = [path, signature, body]
            parts[number % 3] = changed(parts[number % 3], choose)
            if urlencode(form).encode().lower() == parts[2].lower() and number % 3 == 2:
                continue  # an escape in the other case is another byte and the same form
            forged.append(HEAD % (parts[0], parts[1], len(parts[2])) + parts[2])
        statuses = await statuses_of(stage.port, forged)
        assert len(statuses) > 0.9 * MUTATIONS
        assert {status for status in statuses if not 400 <= status < 500} == set()
        assert statuses.count(403) > MUTATIONS / 2
        assert await stage.record(transfer_id) == before
        assert stage.rest_requests() == requests

    on_stage(scenario, RINGS)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.long
def test_t3_other_methods_paths_and_sizes_are_refused_before_anything_is_verified(
    on_stage: OnStage, route: str
) -> None:
    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        url, form = signed = webhook(stage, transfer_id, call, route)
        path = urlsplit(url).path
        before = await stage.record(transfer_id)
        huge = b"a=" + b"b" * 100_000
        odd = {
            **{(method, 405): written(stage, signed, method=method) for method in ("GET", "PUT", "DELETE")},
            ("its form as a query", 405): written(stage, signed, method="GET", target=f"{path}?{urlencode(form)}"),
            ("a slash", 404): written(stage, signed, target=f"{path}/"),
            ("two slashes", 404): written(stage, signed, target=f"/{path}"),
            ("another carrier", 404): written(stage, signed, target=path.replace("twilio", "telco")),
            ("no transfer's id", 404): written(stage, signed, target=path.replace("tr_", "tr-")),
            ("huge", 413): written(stage, signed, body=huge),
            ("huge, they say", 413): written(stage, signed, headers={"Content-Length": "9" * 18}),
            ("huge in chunks", 413): written(
                stage,
                signed,
                body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(huge), huge),
                headers={"Transfer-Encoding": "chunked", "Content-Length": ""},
            ),
            ("get", 400): written(stage, signed, method="g e t"),
            ("two lengths", 400): written(stage, signed, ("Content-Length", "1")),
        }
        statuses = {how: await status_of(stage.port, data) for how, data in odd.items()}
        assert {how: status for how, status in statuses.items() if how[1] != status} == {}
        assert await stage.record(transfer_id) == before

    on_stage(scenario, RINGS)


# --- T4 ---

SPOOFED: Final = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Port": "8443",
    "X-Forwarded-Prefix": "/evil",
    "X-Original-URL": "/evil",
    "Forwarded": "for=127.0.0.1;host=evil.example;proto=http",
    "Origin": "https://evil.example",
}


def ringing(stage: Stage, transfer_id: str, call: SimulatedCall) -> Webhook:
    """One that does no harm."""
    form = call.form("ringing") | {"SequenceNumber": "9"}
    return stage.service.services.urls.status("twilio", transfer_id), form


def test_t4_no_header_says_where_a_webhook_went(on_stage: OnStage) -> None:
    """With it the true one is taken all the same, and one that is signed for what it says is not."""

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.transfer()
        url, form = ringing(stage, transfer_id, call)
        for spoofed in SPOOFED.items():
            for theirs in ("https://evil.example", PUBLIC.replace("https", "http"), f"{PUBLIC}/evil", f"{PUBLIC}:8443"):
                elsewhere = url.replace(PUBLIC, theirs)
                signature = signature_of(elsewhere, form.items(), auth_token=stage.carrier.auth_token)
                forged = written(stage, (url, form), signature=signature, headers=dict([spoofed]))
                assert (spoofed, theirs, await status_of(stage.port, forged)) == (spoofed, theirs, 403)
            true = written(stage, (url, form), headers=dict([spoofed]))
            assert (spoofed, await status_of(stage.port, true)) == (spoofed, 204)

    on_stage(scenario, RINGS)


@pytest.mark.long
def test_t4_no_header_says_where_an_upgrade_went(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        for name, value in SPOOFED.items():
            transfer_id, call = await stage.transfer()
            token = await stage.token(transfer_id, call)
            assert token is not None
            url = stage.media_url(transfer_id, token)

            async def sent(signed_url: str, *, to: str = urlsplit(url).path, spoofed: tuple[str, str]) -> int:
                signature = signature_of(signed_url, auth_token=stage.carrier.auth_token)
                without = "Host" if spoofed[0] == "Host" else ""
                return await status_of(stage.port, upgrade(to, spoofed, (SIGNATURE_HEADER, signature), without=without))

            for elsewhere in (url.replace("relay.example.com", "evil.example"), url.replace("wss:", "ws:"), f"{url}/"):
                assert (name, elsewhere, await sent(elsewhere, spoofed=(name, value))) == (name, elsewhere, 403)
            assert (name, await sent(url, spoofed=(name, value))) == (name, 101)

    on_stage(scenario, RINGS)


@pytest.mark.parametrize("port", ["", ":443"])
@pytest.mark.long
def test_t4_the_schemes_own_port_may_be_signed_or_not(on_stage: OnStage, port: str) -> None:
    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.transfer()
        url, form = ringing(stage, transfer_id, call)
        signed = url.replace(PUBLIC, PUBLIC + port)
        signature = signature_of(signed, form.items(), auth_token=stage.carrier.auth_token)
        assert await status_of(stage.port, written(stage, (url, form), signature=signature)) == 204

    on_stage(scenario, RINGS)


@pytest.mark.parametrize("public_url", [f"{PUBLIC}/voice", f"{PUBLIC}/a/b.c/"])
@pytest.mark.parametrize("proxy_does", ["strip", "keep"])
@pytest.mark.long
def test_t4_a_public_url_may_have_a_path_and_the_proxy_may_take_it_off(
    on_stage: OnStage, public_url: str, proxy_does: str
) -> None:
    """A whole call through it."""

    async def scenario(stage: Stage) -> None:
        path = urlsplit(public_url).path.rstrip("/")
        async with proxy(stage.port, strip=path if proxy_does == "strip" else "") as proxy_url:
            stage.carrier.reach(PUBLIC, proxy_url)
            transfer_id, call = await stage.joined()
            assert {urlsplit(each.url).path.startswith(f"{path}/carriers/") for each in call.webhooks} == {True}
            await stage.end(transfer_id)
            await stage.carrier.until_idle()
            assert call.violations == []

    on_stage(scenario, PUBLIC_URL=public_url)
