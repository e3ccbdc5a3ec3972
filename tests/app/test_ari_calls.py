"""What becomes of calls at a simulated Asterisk, and of their media."""

from typing import Any

import pytest

from relay.app.carriers import carrier_session
from relay.app.media_upgrade import media_upgrade
from relay.providers.basic_auth import authorization
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.app.ari_case import STRANGER, Case, run_case
from tests.app.served import listening
from tests.app.simulated_ari import MEDIA_PASSWORD, MEDIA_USER
from tests.providers.asterisk_requests import MEDIA_PATH, destroyed, event
from tests.threats.raw import UPGRADE

# --- A call ---


def test_a_call_from_its_dial_to_the_agent_s_hanging_up(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.dialled()
        dial = await case.ari.until_asked("POST", "channels")
        assert (dial["channelId"], dial["endpoint"]) == (call_id, "PJSIP/+14155550123@trunk")
        assert (await case.until_state(call_id, State.DIALING)).provider_call_id in (None, call_id)
        await case.ari.ring(call_id)
        ringing = await case.until_state(call_id, State.RINGING)
        assert ringing.provider_call_id == call_id
        await case.bridges.of(call_id).until(lambda bridge: bridge.rings == 1)
        assert case.ari.asked("POST", "channels/externalMedia") == []
        await case.ari.answer(call_id)
        await case.until_state(call_id, State.ANSWERED)
        both = [call_id, f"{call_id}-media"]
        await case.ari.until(lambda ari: ari.bridges == {f"{call_id}-bridge": both})
        assert await case.coordinator.admits(call_id, "asterisk", case.token(call_id))
        case.bridges.of(call_id).connect(call_id)
        await case.until_state(call_id, State.JOINED)
        await case.ari.ends(call_id)
        ended = await case.until_state(call_id, State.DISCONNECTED)
        assert (ended.reason, ended.provider_code) == (Reason.AGENT_HUNG_UP, "16")
        await case.until_nothing_left()
        assert case.logged("ari_refused") == []

    run_case(scenario, store_url)


@pytest.mark.parametrize(
    ("status", "sip_code", "reason", "cause"),
    [
        ("busy", None, Reason.BUSY, "17"),
        ("no-answer", None, Reason.NO_ANSWER, "19"),
        ("failed", 603, Reason.REJECTED, "21"),
        ("failed", 404, Reason.INVALID_NUMBER, "1"),
        ("failed", 503, Reason.PROVIDER_BUSY, "34"),
        ("failed", None, Reason.REJECTED, "31"),
    ],
)
def test_f1_f2_f5_the_cause_is_the_transfer_s_reason(
    store_url: str, status: str, sip_code: int | None, reason: Reason, cause: str
) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.dialled()
        await case.ari.ends(call_id, status, sip_code)
        failed = await case.until_state(call_id, State.FAILED)
        assert (failed.reason, failed.provider_code) == (reason, cause)
        assert case.ari.asked("POST", "bridges") == []

    run_case(scenario, store_url)


def test_f2_a_phone_that_has_rung_for_long_enough_has_no_cause(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.dialled()
        case.ari.vanishes(call_id)
        await case.ari.say(destroyed(call_id, "Ringing", 0))
        assert (await case.until_state(call_id, State.FAILED)).reason is Reason.NO_ANSWER

    run_case(scenario, store_url)


def test_f13_a_transfer_that_is_ended_leaves_nothing_at_asterisk(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.joined()
        await case.coordinator.cancel(call_id)
        await case.until_nothing_left()

    run_case(scenario, store_url)


def test_a_phone_that_answers_when_nobody_wants_it_is_hung_up(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        case.ari.has(STRANGER, state="Ringing")
        await case.ari.answer(STRANGER)
        await case.until_nothing_left()
        assert case.ari.asked("POST", "channels/externalMedia") == []

    run_case(scenario, store_url)


def test_the_call_of_another_relay_that_is_alive_is_left_to_it(store_url: str) -> None:
    """Two relays must not listen to one application; those that do must not end each other's calls at once."""

    async def scenario(case: Case) -> None:
        call_id = await case.another_node_s()
        case.ari.has(call_id, state="Ringing")
        case.ari.has_media(call_id)
        await case.ari.answer(call_id)
        await case.ari.say(event("StasisStart", f"{call_id}-media", args=[]))
        await case.answered(room_url="https://example.daily.co/other")  # what was said before has been read, and done
        assert len(case.logged("callback_of_another_node")) >= 1
        assert [(method, path) for method, path, _ in case.ari.requests if call_id in path] == []
        case.ari.vanishes(call_id, f"{call_id}-media")

    run_case(scenario, store_url)


def test_channels_that_are_not_ours_are_left_alone(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        case.ari.has("1767225601.7", "somebody_else", state="Ringing")
        await case.ari.answer("1767225601.7")
        await case.ari.answer("somebody_else")
        await case.dialled()  # what was said before has been read
        assert {method for method, path, _ in case.ari.requests if "7" in path or "somebody" in path} == set()
        case.ari.vanishes("1767225601.7", "somebody_else")

    run_case(scenario, store_url)


# --- The answer to a dial is lost ---


def test_f7_a_call_whose_dial_was_not_answered_goes_on_as_any_other(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        case.ari.loses = "channels"
        call_id = await case.dialled()
        await case.ari.ring(call_id)
        await case.until_state(call_id, State.RINGING)
        assert len(case.ari.asked("POST", "channels")) == 1

    run_case(scenario, store_url)


def test_f7_a_call_that_nobody_has_told_of_is_found_by_its_id_and_hung_up(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        case.ari.loses = "channels"
        call_id = await case.dialled()
        await case.coordinator.cancel(call_id)
        await case.ari.until_asked("GET", f"channels/{call_id}")
        await case.ari.until_asked("DELETE", f"channels/{call_id}")
        assert case.ari.channels == {}

    run_case(scenario, store_url)


def test_f8_a_call_that_is_over_before_its_dial_is_answered_is_over(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        case.ari.may_answer.clear()
        call_id = await case.dialled()
        await case.ari.ends(call_id, "busy")
        assert (await case.until_state(call_id, State.FAILED)).reason is Reason.BUSY
        case.ari.may_answer.set()

    run_case(scenario, store_url)


# --- The media ---


def test_f14_media_that_breaks_is_opened_again_with_another_token(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.joined()
        first = case.token(call_id)
        await case.ari.ends(f"{call_id}-media")
        await case.ari.until_asked("POST", "channels/externalMedia", count=2)
        second = case.token(call_id)
        both = [call_id, f"{call_id}-media"]
        await case.ari.until(lambda ari: ari.bridges == {f"{call_id}-bridge": both})
        assert second != first
        assert not await case.coordinator.admits(call_id, "asterisk", first)
        assert await case.coordinator.admits(call_id, "asterisk", second)

    run_case(scenario, store_url)


def test_media_that_cannot_connect_are_tried_again(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        case.ari.media_fails = True
        call_id = await case.dialled()
        await case.ari.answer(call_id)
        await case.ari.until_asked("POST", "channels/externalMedia", count=2)
        case.ari.media_fails = False
        both = [call_id, f"{call_id}-media"]
        await case.ari.until(lambda ari: ari.bridges == {f"{call_id}-bridge": both})
        assert await case.coordinator.admits(call_id, "asterisk", case.token(call_id))

    run_case(scenario, store_url)


def test_media_that_are_refused_are_tried_again(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        case.ari.statuses["channels/externalMedia"] = 500
        call_id = await case.dialled()
        await case.ari.answer(call_id)
        await case.ari.until_asked("POST", "channels/externalMedia", count=2)
        case.ari.statuses.clear()
        await case.until_together(call_id)
        assert await case.coordinator.admits(call_id, "asterisk", case.token(call_id))
        assert {(each["operation"], each["status"]) for each in case.logged("ari_refused")} == {("open_media", 500)}

    run_case(scenario, store_url)


def test_media_that_are_refused_are_not_asked_for_when_the_transfer_is_over(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        case.ari.statuses["channels/externalMedia"] = 500
        call_id = await case.dialled()
        await case.ari.answer(call_id)
        await case.ari.until_asked("POST", "channels/externalMedia", count=2)
        await case.coordinator.cancel(call_id)
        await case.until_nothing_left()

    run_case(scenario, store_url)


def test_media_that_are_there_though_the_answer_was_lost_are_taken(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        case.ari.loses = "channels/externalMedia"
        call_id = await case.answered()
        await case.answered(room_url="https://example.daily.co/other")
        assert [query["channelId"] for query in case.ari.asked("POST", "channels/externalMedia")].count(
            f"{call_id}-media"
        ) == 1

    run_case(scenario, store_url)


def test_media_that_are_there_and_never_ready_are_ended_and_opened_again(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.dialled()
        media = f"{call_id}-media"
        case.ari.has_media(call_id)
        case.ari.statuses |= {"channels/externalMedia": 500, f"channels/{media}": 500}
        await case.ari.answer(call_id)
        await case.ari.until_asked("DELETE", f"channels/{media}", count=2)
        case.ari.statuses.clear()
        await case.until_together(call_id)
        assert len(case.ari.asked("POST", "channels/externalMedia")) == 2

    run_case(scenario, store_url)


@pytest.mark.parametrize("path", ["bridges", "bridges/{}-bridge/addChannel"])
def test_media_that_could_not_be_joined_are_joined_a_little_later(store_url: str, path: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.dialled()
        join = f"bridges/{call_id}-bridge/addChannel"
        case.ari.statuses[path.format(call_id)] = 500
        await case.ari.answer(call_id)
        await case.ari.until_asked("POST", join, count=2)
        case.ari.statuses.clear()
        await case.until_together(call_id)
        assert len(case.ari.asked("POST", "channels/externalMedia")) == 1

    run_case(scenario, store_url)


def test_one_call_s_slow_request_delays_no_other_call(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        one = await case.dialled()
        other = await case.dialled(room_url="https://example.daily.co/other")
        case.ari.may_answer.clear()
        await case.ari.answer(one)
        await case.ari.until(lambda ari: ("POST", "bridges") in [each[:2] for each in ari.requests])
        await case.ari.ring(other)
        await case.until_state(other, State.RINGING)
        case.ari.may_answer.set()
        await case.ari.until_asked("POST", f"bridges/{one}-bridge/addChannel")

    run_case(scenario, store_url)


# --- The media's WebSocket ---


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """An application: there are upgrades only."""
    raise AssertionError(scope)


def test_the_media_s_websocket_is_let_in_by_the_token_in_its_query_and_handed_over(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        async with listening(nothing, ws=media_upgrade(case.services)) as base_url:
            case.ari.leads_to(base_url)
            call_id = await case.dialled()
            await case.ari.answer(call_id)
            bridge = case.bridges.of(call_id)
            await bridge.until(lambda each: len(each.handed) == 1)
            first, *head = bridge.handed[0].request.decode().split("\r\n")
            query = f"transfer={call_id}&token={case.token(call_id)}"
            assert first == f"GET {MEDIA_PATH}?{query} HTTP/1.1"
            assert "sec-websocket-protocol: media" in [line.lower() for line in head]

    run_case(scenario, store_url)


@pytest.mark.parametrize("wrong", ["token", "transfer", "password"])
def test_t1_nobody_else_s_websocket_is_let_in(store_url: str, wrong: str) -> None:
    async def scenario(case: Case) -> None:
        async with listening(nothing, ws=media_upgrade(case.services)) as base_url, carrier_session() as session:
            call_id = await case.answered()
            given = {"transfer": call_id, "token": case.token(call_id)}
            if wrong != "password":
                given[wrong] = {"token": "x" * 43, "transfer": STRANGER}[wrong]
            query = "&".join(f"{name}={value}" for name, value in given.items())
            password = "wrong" if wrong == "password" else MEDIA_PASSWORD
            headers = {"Authorization": authorization(MEDIA_USER, password)}
            answer = await session.get(
                f"{base_url}{MEDIA_PATH}?{query}",
                headers={**headers, **UPGRADE},
            )
            assert answer.status == 403

    run_case(scenario, store_url)
