"""The report of transfers: its arithmetic and its verdicts."""

from collections import Counter

from benchmarks.transfers.report import TransfersReport
from benchmarks.transfers.store import Transitions
from benchmarks.transfers.trigger import Asked, TriggerTurn
from benchmarks.transfers.waiters import Woken


def turn(took_ms: float, service: float) -> TriggerTurn:
    asked = Asked([took_ms] * 10, [0.5] * 10, Counter({201: 9, 503: 1}), [])
    return TriggerTurn(50, asked, {"failed busy": 9}, 9, 0, ["a violation"], {"carrier_busy": 1}, {"service": service})


def woken(took_ms: float, connections: int) -> Woken:
    return Woken("at the store", [took_ms] * 4, 1, connections)


PAGE = TransfersReport(
    command="a command",
    machine={"processor": "a machine"},
    busy=0.25,
    seconds=60,
    changes_per_second=50,
    triggers={"busy": [turn(5, 0.4), turn(7, 0.5), turn(50, 0.9)], "answers": [turn(25, 1.0)] * 3},
    waiters=[[woken(1, 3)], [woken(2, 3)], [woken(30, 3)]],
    transitions=[Transitions([0.2]), Transitions([0.25]), Transitions([0.5])],
).as_markdown()


def test_page_judges_the_trigger_by_the_median_of_the_rounds() -> None:
    assert "| busy | 50 | met | 7.00 (5.00 to 50.00) | 7.00 (5.00 to 50.00) | 50.00 | 0.50 (0.50 to 0.50) |" in PAGE
    assert "| answers | 50 | **missed** | 25.00" in PAGE


def test_page_adds_up_what_became_of_the_requests() -> None:
    assert "Cores in use: service 0.50 (0.40 to 0.90)." in PAGE
    assert "Answers: 201: 27, 503: 3. Ends, those of a warm-up included: failed busy: 27." in PAGE
    assert "asked for 27 calls, and opened 0 media streams" in PAGE
    assert "Logged by the service at warning or above: carrier_busy: 3." in PAGE
    assert "Complaints of the carrier: a violation; a violation; a violation." in PAGE


def test_page_judges_waiters_by_time_and_by_connections() -> None:
    assert "| at the store | met | 2.00 (1.00 to 30.00) | 2.00 (1.00 to 30.00) | 30.00 | 3 | 3 |" in PAGE
    many = TransfersReport(
        "", {}, 0, 1, 1, triggers={}, waiters=[[woken(1, 4)]], transitions=[Transitions([0.1])]
    ).as_markdown()
    assert "| at the store | **missed** |" in many


def test_page_judges_a_transition_by_its_median() -> None:
    assert "| met | 0.250 (0.200 to 0.500) | 0.250 (0.200 to 0.500) | 0.500 |" in PAGE


def test_page_says_how_busy_the_machine_was() -> None:
    assert "Others took 25% of the machine" in PAGE
