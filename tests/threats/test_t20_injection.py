"""T20, T21: what somebody writes into a request, a setting or a webhook is a value there, and nowhere anything else."""

from __future__ import annotations

import json
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest

from relay.app.settings import load_settings
from relay.errors import ConfigurationError
from tests.app.served import ADMIN_KEY, BILLING_NUMBER
from tests.threats.conftest import OnStage
from tests.threats.raw import request, status_of
from tests.threats.stage import RINGS, Stage

pytestmark = pytest.mark.usefixtures("in_process")

SAID: Final = (
    "</Say><Hangup/><Say>",
    "]]><!-- & &amp; &#0; <?x?> <!DOCTYPE x>",
    "\"'><Stream url='wss://evil.example/'/>",
    "\x7f \x85 \N{LINE SEPARATOR} \N{REPLACEMENT CHARACTER}",
    "\U0010ffff \ufffe \uffff \ud800 gr\u00fcn",
)
BREAKS: Final = ("\r\nX-Injected: 1", "\n", "\r", "\x00", "\x0b", "\x1b[2J", "\x85", "\N{LINE SEPARATOR}")
VALUES: Final[dict[str, str]] = {
    "destination": "billing",
    "provider": "twilio",
    "from": "+14155550111",
    "room_token": "token",
    "customer_id": "c-1",
    "bot_id": "b-1",
    "accept": "none",
}
"""The request's fields that are texts, each with a good value."""


def destinations(say: str) -> str:
    return json.dumps({"billing": {"to": BILLING_NUMBER, "say": say}})


async def document(stage: Stage, transfer_id: str, call: Any) -> ET.Element:
    url = stage.service.services.urls.answer("twilio", transfer_id, 0)
    answer = await stage.post(url, call.form("in-progress"))
    return ET.fromstring(answer.text.encode())  # noqa: S314 - relay's own


def tags(element: ET.Element) -> list[str]:
    return [each.tag for each in element.iter()]


@pytest.mark.parametrize("say", SAID, ids=ascii)
def test_t20_what_is_said_is_text_and_no_verb(on_stage: OnStage, say: str) -> None:
    async def scenario(stage: Stage) -> None:
        root = await document(stage, *await stage.transfer())
        assert tags(root) == ["Response", "Say", "Connect", "Stream", "Redirect"]
        assert root.findtext("Say") == say.translate(dict.fromkeys([0xFFFE, 0xFFFF, 0xD800]))  # XML cannot say these
        assert "evil" not in root[1][0].attrib["url"]

    on_stage(scenario, RINGS, DESTINATIONS=destinations(say))


@pytest.mark.parametrize("character", ["\x00", "\n", "\r", "\x1b"], ids=ascii)
def test_t20_control_characters_are_refused_in_the_configuration(character: str) -> None:
    with pytest.raises(ConfigurationError, match=r"billing.*say"):
        load_settings({"RELAY_DESTINATIONS": destinations(f"Hello{character}there")})


def test_t20_nothing_of_a_request_gets_into_the_document(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        hostile = '"/></Say><Hangup/>'
        transfer_id, call = await stage.transfer(customer_id=hostile, bot_id=hostile, metadata={hostile: hostile})
        root = await document(stage, transfer_id, call)
        assert tags(root) == ["Response", "Connect", "Stream", "Redirect"]
        assert hostile not in ET.tostring(root, encoding="unicode")

    on_stage(scenario, RINGS)


def test_t21_a_line_break_in_a_field_is_refused(on_stage: OnStage) -> None:
    """But for metadata, where it is a value like any other and comes back as it was."""

    async def scenario(stage: Stage) -> None:
        statuses = {}
        for text in BREAKS:
            for name, value in VALUES.items():
                statuses[name, text] = (await stage.request(**{name: value + text})).status
            statuses["room_url", text] = (await stage.request(room_url=stage.room_url() + text)).status
            statuses["to", text] = (await stage.request(to="+14155550123" + text)).status
        assert {where: status for where, status in statuses.items() if status != 422} == {}
        assert stage.carrier.dial_requests == []
        made = await stage.request(metadata={f"key {number}": text for number, text in enumerate(BREAKS)})
        assert list(made.json["metadata"].values()) == list(BREAKS)
        assert "X-Injected" not in made.headers

    on_stage(scenario, RINGS, ALLOWED_NUMBERS="+1415")


def test_t21_a_lone_surrogate_breaks_nothing(on_stage: OnStage) -> None:
    """JSON can say it, and UTF-8 cannot."""

    async def scenario(stage: Stage) -> None:
        for name in (*VALUES, "room_url", "to", "metadata"):
            value = {"key": "\ud800"} if name == "metadata" else "\ud800"
            body = json.dumps({"room_url": stage.room_url(), "destination": "billing", name: value}).encode()
            reply = await stage.ask("POST", "/v1/transfers", body, Content_Type="application/json")
            assert (name, reply.status) in {(name, 400), (name, 422)}

    on_stage(scenario, RINGS)


def test_t21_a_header_ends_where_its_line_does(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        body = json.dumps({"room_url": stage.room_url(), "destination": "billing"}).encode()
        usual = [("Host", "r"), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        key = ("Authorization", f"Bearer {ADMIN_KEY}")
        for name in ("Idempotency-Key", "Last-Event-ID", "X-Any"):
            for text in ("a\rb", "a\nb", "a\x00b"):
                data = request("/v1/transfers", [*usual, key, (name, text)], method="POST", body=body)
                assert (name, text, await status_of(stage.port, data)) in {(name, text, 400), (name, text, 422)}
        for text in ("\x85", "\xff", "", "k" * 256):
            data = request("/v1/transfers", [*usual, key, ("Idempotency-Key", text)], method="POST", body=body)
            assert (text, await status_of(stage.port, data)) == (text, 422)
        assert stage.carrier.dial_requests == []

    on_stage(scenario, RINGS)


def test_t21_a_webhooks_fields_are_read_as_what_they_must_be_or_not_at_all(on_stage: OnStage) -> None:
    """Signed by the carrier, who passes on what others say."""

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        url = stage.service.services.urls.status("twilio", transfer_id)
        before = await stage.record(transfer_id)
        for text in (*BREAKS, "{}:*", "\N{FULLWIDTH DIGIT ONE}"):
            form = call.form("completed")
            assert (await stage.post(url, form | {"CallSid": call.sid + text})).status == 400
            assert (await stage.post(url, form | {"CallStatus": f"completed{text}"})).status == 204
        assert await stage.record(transfer_id) == before
        busy = call.form("busy") | {"ErrorCode": "1\r\n2", "SipResponseCode": "486", "SequenceNumber": "\r\n*{}"}
        assert (await stage.post(url, busy)).status == 204
        ended = await stage.until_over(transfer_id)
        assert (ended.reason, ended.provider_code) == ("busy", "486")
        call.hang_up()

    on_stage(scenario, RINGS)
