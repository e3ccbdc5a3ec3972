"""The connection over which a simulated Asterisk tells of calls: what comes over it, and what is done without it."""

import json
from collections.abc import Iterator
from itertools import cycle

import pytest

from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.app.ari_case import STRANGER, Case, run_case
from tests.providers.asterisk_requests import event

# --- Events are not heard ---


def test_nothing_is_dialled_before_events_are_heard(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        case.ari.statuses["events"] = 503
        if case.account.is_heard:
            await case.ari.go_deaf()
        await case.ari.until(lambda ari: len(ari.asked("GET", "events")) >= 3, "tries")
        call_id = await case.request()
        assert case.ari.asked("POST", "channels") == []
        case.ari.statuses.clear()
        await case.ari.until(lambda ari: call_id in ari.channels, "a dial")

    run_case(scenario, store_url, is_heard=False)


def test_an_end_that_nobody_heard_is_found_in_the_list_of_channels(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        joined = await case.joined()
        ringing = await case.dialled(room_url="https://example.daily.co/other")
        await case.ari.ring(ringing)
        await case.until_state(ringing, State.RINGING)
        await case.ari.go_deaf()
        case.ari.vanishes(joined, ringing)
        assert (await case.until_state(joined, State.DISCONNECTED)).reason is Reason.AGENT_HUNG_UP
        assert (await case.until_state(ringing, State.FAILED)).reason is Reason.NO_ANSWER
        await case.until_nothing_left()

    run_case(scenario, store_url)


def test_an_answer_that_nobody_heard_is_found_in_the_list_of_channels(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.dialled()
        await case.until_state(call_id, State.DIALING)
        await case.account.hang_up(STRANGER)  # the dial's answer, sent before this one's, has been read
        await case.ari.go_deaf()
        case.ari.becomes(call_id, "Up")
        await case.until_state(call_id, State.ANSWERED)
        both = [call_id, f"{call_id}-media"]
        await case.ari.until(lambda ari: ari.bridges == {f"{call_id}-bridge": both})
        assert len(case.ari.asked("POST", "channels/externalMedia")) == 1

    run_case(scenario, store_url)


def test_a_call_that_goes_on_is_left_as_it_is_when_events_are_heard_again(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.joined()
        before = len(case.ari.requests)
        await case.ari.go_deaf()
        await case.ari.until(lambda ari: ari.connections == 2)
        await case.account.until_heard()
        await case.dialled(room_url="https://example.daily.co/other")
        asked = [(method, path) for method, path, _ in case.ari.requests[before:]]
        lists = [("GET", each) for each in ("applications/relay", "bridges", "channels", "events")]
        assert sorted(asked) == [*lists, ("POST", "channels")]
        assert case.latest[call_id].state is State.JOINED

    run_case(scenario, store_url)


def test_media_that_was_gone_unheard_is_opened_again(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.joined()
        await case.ari.go_deaf()
        case.ari.vanishes(f"{call_id}-media")
        await case.ari.until_asked("POST", "channels/externalMedia", count=2)
        both = [call_id, f"{call_id}-media"]
        await case.ari.until(lambda ari: ari.bridges == {f"{call_id}-bridge": both})

    run_case(scenario, store_url)


def test_f30_what_a_dead_relay_has_left_is_ended_and_others_calls_are_not(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        other = "tr_" + "8" * 32
        case.ari.has(STRANGER)
        case.ari.has(other, is_others=True)
        case.ari.has_media(STRANGER)
        case.ari.has_media(other)
        case.ari.vanishes(STRANGER)
        case.ari.bridges.update({f"{STRANGER}-bridge": [], f"{other}-bridge": [], "1.2-bridge": []})
        await case.ari.go_deaf()
        await case.ari.until(lambda ari: f"{STRANGER}-bridge" not in ari.bridges, "the bridge gone")
        assert set(case.ari.channels) == {other, f"{other}-media"}
        assert set(case.ari.bridges) == {f"{other}-bridge", "1.2-bridge"}
        case.ari.vanishes(other, f"{other}-media")

    run_case(scenario, store_url)


@pytest.mark.parametrize("state", ["Down", "Ringing", "Up"])
def test_f30_the_phone_that_a_dead_relay_has_dialled_is_hung_up_though_it_had_not_noted_it(
    store_url: str, state: str
) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.another_node_s(is_alive=False)
        case.ari.has(call_id, state=state)
        if state == "Up":
            case.ari.has_media(call_id, is_bridged=True)
        await case.ari.go_deaf()
        await case.until_nothing_left()
        assert (await case.until_state(call_id, State.FAILED)).reason is Reason.NODE_LOST

    run_case(scenario, store_url)


def test_f30_the_phone_that_another_relay_has_dialled_and_is_alive_is_left_to_it(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.another_node_s()
        case.ari.has(call_id, state="Ringing")
        await case.ari.go_deaf()
        await case.ari.until(lambda ari: ari.connections == 2)
        await case.account.until_heard()
        await case.answered(room_url="https://example.daily.co/other")
        assert len(case.logged("callback_of_another_node")) == 1
        assert case.ari.asked("DELETE", f"channels/{call_id}") == []
        case.ari.vanishes(call_id)

    run_case(scenario, store_url)


# --- What may come ---


@pytest.mark.parametrize("message", ["", "{", "[]", json.dumps({"type": "StasisStart"}), "x" * 70_000])
def test_what_is_no_event_costs_nothing_but_a_line_in_the_log(store_url: str, message: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.dialled()
        await case.ari.say(message)
        await case.ari.ring(call_id)
        await case.until_state(call_id, State.RINGING)
        assert len(case.logged("ari_event_unreadable")) == 1
        assert case.ari.connections == 1

    run_case(scenario, store_url)


def test_a_message_that_is_too_long_costs_the_connection(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.dialled()
        await case.ari.say("x" * ((1 << 20) + 1))
        await case.ari.until(lambda ari: ari.connections == 2)
        await case.account.until_heard()
        await case.ari.ring(call_id)
        await case.until_state(call_id, State.RINGING)

    run_case(scenario, store_url)


def test_one_that_takes_the_application_away_is_named(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        await case.ari.say({"type": "ApplicationReplaced", "application": "relay"})
        await case.ari.until(lambda ari: ari.connections == 2)
        [line] = case.logged("ari_not_heard")
        assert line["detail"] == "another client listens to this application: each relay needs one of its own"

    run_case(scenario, store_url)


def test_wrong_credentials_are_named_and_break_nothing(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        await case.ari.until(lambda ari: len(ari.asked("GET", "events")) >= 3, "tries")
        assert {line["detail"] for line in case.logged("ari_not_heard")} == {"HTTP 401"}
        failed = await case.until_state(await case.request(), State.FAILED)
        assert (failed.reason, failed.provider_code) == (Reason.PROVIDER_ERROR, "401")

    run_case(scenario, store_url, is_heard=False, ari_password="wrong")  # noqa: S106


@pytest.mark.parametrize("status", [403, 404])
def test_settings_that_are_wrong_fail_a_transfer_at_once_until_they_are_mended(store_url: str, status: int) -> None:
    async def scenario(case: Case) -> None:
        case.ari.statuses["events"] = status
        await case.ari.go_deaf()
        await case.ari.until_asked("GET", "events", count=4)  # the third has been answered
        failed = await case.until_state(await case.request(), State.FAILED)
        assert (failed.reason, failed.provider_code) == (Reason.PROVIDER_ERROR, str(status))
        case.ari.statuses.clear()
        await case.account.until_heard()
        await case.answered()

    run_case(scenario, store_url)


def test_an_asterisk_that_has_not_loaded_ari_yet_is_dialled_when_it_has(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        faults = []

        def answers() -> Iterator[int]:
            for status in cycle([404, 503]):
                faults.append(case.account._fault)  # since the answer before this one
                yield status

        case.ari.statuses["events"] = answers()
        await case.ari.go_deaf()
        await case.ari.until_asked("GET", "events", count=6)
        call_id = await case.request()
        case.ari.statuses.clear()
        await case.ari.until(lambda ari: call_id in ari.channels, "a dial")
        assert len(faults) >= 4
        assert set(faults) == {None}

    run_case(scenario, store_url)


def test_an_asterisk_that_is_away_is_dialled_when_it_is_back(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        case.ari.statuses["events"] = 401
        await case.ari.go_deaf()
        await case.ari.until_asked("GET", "events", count=3)
        case.ari.statuses["events"] = 503
        await case.ari.until_asked("GET", "events", count=5)
        call_id = await case.request()
        case.ari.statuses.clear()
        await case.ari.until(lambda ari: call_id in ari.channels, "a dial")

    run_case(scenario, store_url)


def test_an_asterisk_that_does_not_list_its_channels_is_not_heard(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        case.ari.statuses["channels"] = 500
        if case.account.is_heard:
            await case.ari.go_deaf()
        await case.ari.until(lambda ari: len(ari.asked("GET", "channels")) >= 3, "tries")
        case.ari.statuses.clear()
        await case.account.until_heard()
        expected = "it did not list our application, its channels and its bridges"
        assert expected in [line["detail"] for line in case.logged("ari_not_heard")]

    run_case(scenario, store_url, is_heard=False)


def test_an_asterisk_with_thousands_of_others_channels_is_heard(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        others = [f"1767225601.{each}" for each in range(2500)]
        case.ari.has(*others, is_others=True)
        await case.ari.go_deaf()
        await case.ari.until_asked("GET", "channels", count=2)
        await case.account.until_heard()
        assert len(case.ari.asked("GET", "channels")) == 2
        case.ari.vanishes(*others)

    run_case(scenario, store_url)


def test_f32_events_that_come_again_change_nothing(store_url: str) -> None:
    async def scenario(case: Case) -> None:
        call_id = await case.joined()
        for kind in ("ChannelStateChange", "StasisStart"):
            await case.ari.say(event(kind, call_id))
        await case.ari.say(event("StasisStart", f"{call_id}-media"))
        await case.dialled(room_url="https://example.daily.co/other")  # what was said before has been read
        assert len(case.ari.asked("POST", "channels/externalMedia")) == 1
        assert len(case.ari.asked("POST", f"bridges/{call_id}-bridge/addChannel")) == 1
        assert case.latest[call_id].state is State.JOINED

    run_case(scenario, store_url)
