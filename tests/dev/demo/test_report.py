"""A report for machines has everything, in one form; and a plot where there is a delay to plot."""

import json
from xml.etree import ElementTree as ET

from relay.dev.demo.evidence import Direction
from relay.dev.demo.report import Frames, report_of
from relay.dev.demo.scenarios import BY_NAME
from tests.dev.demo.made_up import TRANSFER_ID, evidence

ANSWERED = BY_NAME["answered"]


def test_what_went_well_is_ok_and_what_did_not_is_not() -> None:
    assert report_of(ANSWERED, evidence()).ok
    assert not report_of(ANSWERED, evidence(live_calls=1)).ok


def test_json_has_all_of_it() -> None:
    report = report_of(ANSWERED, evidence()).as_json({"log": "x.log"})
    assert json.loads(json.dumps(report)) == report
    assert list(report) == [
        *("scenario", "line", "ok", "shipping", "simulated", "transfer_id", "state", "reason", "sentence"),
        *("states", "timeline", "delay", "frames", "checks", "files"),
    ]
    assert (report["scenario"], report["ok"], report["transfer_id"]) == ("answered", True, TRANSFER_ID)
    assert (report["state"], report["reason"]) == ("disconnected", "customer_left")
    assert report["states"][0] == {"state": "requested", "at_s": 0.0}
    assert [entry["who"] for entry in report["timeline"]] == ["customer", "bot"]  # in the order of time
    assert set(report["checks"][0]) == {"what", "ok", "got"}
    assert report["files"] == {"log": "x.log"}


def test_delays_are_per_direction_with_every_moment() -> None:
    delay = report_of(ANSWERED, evidence()).as_json({})["delay"]
    assert set(delay) == {"agent_to_room", "room_to_agent"}
    to_room = delay["agent_to_room"]
    assert (to_room["median_ms"], to_room["p95_ms"], to_room["worst_ms"], to_room["level_db"]) == (60, 60, 60, -0.1)
    assert (len(to_room["moments"]), to_room["moments"][0]) == (50, [4.0, 60])


def test_without_a_voice_there_is_no_delay_and_no_plot() -> None:
    report = report_of(ANSWERED, evidence(moments={Direction.AGENT_TO_ROOM: []}, bridge=None))
    assert report.as_json({})["delay"] == {"agent_to_room": None, "room_to_agent": None}
    assert report.plot() is None
    assert report.frames is None


def test_frames_are_relays_own_counts_and_the_phones_gaps() -> None:
    frames = Frames(
        received=300, lost=2, late=1, concealed_ms=40.0, sent=310, dropped=3, phone_gaps=2, phone_gaps_ms=40.0
    )
    assert report_of(ANSWERED, evidence()).frames == frames


def test_a_bridge_that_had_no_stream_has_no_frames() -> None:
    bridge = {"agent_to_room": None, "room_to_agent": None}
    assert report_of(ANSWERED, evidence(bridge=bridge)).frames is None


def test_the_plot_has_a_point_for_each_moment() -> None:
    plot = report_of(ANSWERED, evidence()).plot()
    assert plot is not None
    circles = ET.fromstring(plot).iter("{http://www.w3.org/2000/svg}circle")  # noqa: S314 - our own
    assert sum(each.get("r") == "2.8" for each in circles) == 100
