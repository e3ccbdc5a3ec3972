"""What Telnyx reads in a dial, and what it tells, against its own pages."""

import json
from base64 import b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_order import OrderRefused
from relay.dev.carrier_outcomes import ANSWERED, Answers, Detection, Outcome
from relay.dev.carrier_rest import Asked
from relay.dev.carriers.telnyx import Telnyx
from relay.dev.carriers.telnyx_order import TOKEN_HEADER
from relay.dev.carriers.telnyx_signature import public_key_of
from relay.dev.phone import HangUp
from tests.dev.carriers.cases import TELNYX
from tests.dev.carriers.sessions import exchange
from tests.dev.carriers.stand_in import StandIn
from tests.dev.carriers.test_calls import dial
from tests.dev.conftest import Run

BODY = exchange("telnyx", "dial")["request"]["body"]


def order(**changes: object) -> Any:
    body = {name: value for name, value in (BODY | changes).items() if value is not None}
    return Telnyx().read_order(Asked("application/json", json.dumps(body).encode()))


def test_telnyxs_own_example_is_an_order_without_violations() -> None:
    placed = order()
    assert (placed.to, placed.from_number, placed.answer_url) == (BODY["to"], BODY["from"], "")
    assert (placed.status_url, placed.detection_url) == (BODY["webhook_url"], "premium")
    assert (placed.ring_timeout_s, placed.time_limit_s, placed.violations) == (30, 7200, ())
    assert (placed.stream.url, placed.stream.encoding, placed.stream.rate_hz) == (BODY["stream_url"], "pcmu", 8000)
    assert placed.stream.headers == {TOKEN_HEADER: "t0k3n"}
    assert placed.tags == {"client_state": BODY["client_state"]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"stream_bidirectional_mode": None},
            "stream_bidirectional_mode: expected rtp, got none",
        ),
        ({"stream_codec": None}, "stream_codec: expected PCMU as well"),
        ({"stream_track": "both_tracks"}, "stream_track: expected one of inbound_track"),
        ({"answering_machine_detection": "maybe"}, "answering_machine_detection: expected one of premium"),
        ({"colour": 1}, "colour: expected parameters of placing a call"),
    ],
)
def test_what_telnyx_would_ignore_or_get_wrong_is_a_violation(changes: dict[str, object], says: str) -> None:
    (violation,) = order(**changes).violations
    assert violation.startswith(says)


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "14155550123"},
        {"connection_id": "7"},
        {"timeout_secs": 4},
        {"time_limit_secs": 14401},
        {"client_state": "not base64"},
        {"stream_url": "https://a"},
        {"stream_auth_token": 4001 * "a"},
        {"stream_bidirectional_codec": "OPUS", "stream_codec": "OPUS"},
    ],
)
def test_what_is_no_order_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(OrderRefused) as refused:
        order(**changes)
    assert refused.value.status == 422


def test_linear_audio_may_be_asked_for() -> None:
    wide = {"stream_codec": "L16", "stream_bidirectional_codec": "L16", "stream_bidirectional_sampling_rate": 16000}
    placed = order(**wide)
    assert (placed.stream.encoding, placed.stream.rate_hz, placed.violations) == ("l16be", 16000, ())


@pytest.mark.parametrize(
    ("found", "said"),
    [("human", "human_residence"), ("machine_start", "machine"), ("fax", "fax_detected"), ("unknown", "not_sure")],
)
def test_events_are_those_of_its_page_and_signed(run: Run, found: str, said: str) -> None:
    async def whole() -> None:
        script = Outcome(callee=Answers(detected=Detection(found)))
        async with SimulatedCarrier(dialect=Telnyx(), script=script) as carrier, StandIn(carrier) as here:
            call_id = await dial(TELNYX, here)
            await here.until_media()
            name = "call.machine.premium.detection.ended"
            await here.until(lambda here: any(TELNYX.word(each) == name for each in here.received))
            carrier.calls[0].hang_up()
            await carrier.until_idle()
            key = Ed25519PublicKey.from_public_bytes(b64decode(public_key_of(carrier.dialect.signing_key)))
            for each in here.received:
                signed = each.headers["telnyx-timestamp"].encode() + b"|" + each.body
                key.verify(b64decode(each.headers["telnyx-signature-ed25519"]), signed)
                payload = each.content["data"]["payload"]
                assert (payload["call_control_id"], payload["client_state"]) == (call_id, BODY["client_state"])
            events = {TELNYX.word(each): each.content for each in here.received}
            expected = exchange("telnyx", "event_call_answered")["request"]["body"]
            answered = events["call.answered"]
            assert answered.keys() == expected.keys()
            assert answered["data"].keys() == expected["data"].keys()
            assert answered["data"]["payload"].keys() == expected["data"]["payload"].keys()
            assert events[name]["data"]["payload"]["result"] == said

    run(whole)


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_a_call_outlives_its_stream(run: Run, how: str) -> None:
    async def whole() -> None:
        async with SimulatedCarrier(dialect=Telnyx(), script=ANSWERED) as carrier, StandIn(carrier) as here:
            call_id = await dial(TELNYX, here)
            media = await here.until_media()
            call = carrier.calls[0]
            phone = await call.until_phone()
            if how == "closed":
                assert media.socket is not None
                await media.socket.close()
            else:
                phone.hang_up(HangUp.RESET)
            await here.until(lambda here: any(TELNYX.word(each) == "streaming.stopped" for each in here.received))
            assert call.is_live
            headers = TELNYX.dial(here)["headers"]
            where = f"/v2/connections/{carrier.account_sid}/active_calls"
            _, body, _ = await here.ask("GET", where, headers=headers)
            assert [each["call_control_id"] for each in body["data"]] == [call_id]
            assert TELNYX.hang_up is not None
            method, where, options = TELNYX.hang_up(here, call_id)
            assert (await here.ask(method, where, **options))[0] == 200
            status, body, _ = await here.ask(method, where, **options)
            gone = exchange("telnyx", "hangup_already_gone")["response"]
            assert (status, body["errors"][0]["code"]) == (gone["status"], gone["body"]["errors"][0]["code"])

    run(whole)
