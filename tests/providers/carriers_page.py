"""
The tables of docs/carriers.md, from the code and the tests' cases.

``python -m tests.providers.carriers_page`` writes them into the page.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from relay.conformance.case import outcome
from relay.errors import RemoteProtocolError
from relay.providers import exotel_report, jambonz_report, plivo_report, vonage_report
from relay.providers.base import Capabilities
from relay.providers.control import CallRefused
from relay.providers.sip_codes import SIP_ENDS
from relay.providers.twilio_report import STATUSES
from tests.providers.all_cases import CASES, MODULES
from tests.providers.all_requests import MODULES as REQUESTS
from tests.providers.twilio_cases import MESSAGES_TAKEN, REFUSED, STARTS_TAKEN, TWILIO

PAGE = Path(__file__).parents[2] / "docs/carriers.md"

CARRIERS: dict[str, Capabilities] = {case.new_adapter().name: case.new_adapter().capabilities for case in CASES}

ROWS: dict[str, Callable[[Capabilities], object]] = {
    "messages of audio": lambda can: can.audio,
    "marks": lambda can: can.marks,
    "clear": lambda can: can.clear,
    "marks still open at a clear": lambda can: can.marks_after_clear,
    "DTMF received": lambda can: can.dtmf_received,
    "DTMF sent": lambda can: can.dtmf_sent,
    "audio in order": lambda can: can.ordered,
    "one message of audio to it": lambda can: can.frames_to_carrier,
    "closing the WebSocket ends the call": lambda can: can.close_ends_call,
    "WebSocket subprotocol": lambda can: can.subprotocol,
    "says when its buffer is full": lambda can: can.says_when_full,
    "says what went wrong": lambda can: can.tells_faults,
    "keys that can be sent": lambda can: can.dtmf_keys,
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def said(value: object) -> str:
    return (
        {True: "yes", False: "no", None: "none"}[value]
        if value is None or isinstance(value, bool)
        else str(value) or "none"
    )


def formats(carrier: str) -> str:
    """Of its cases: it may have more."""
    return ", ".join(sorted({str(case.format) for case in CASES if case.new_adapter().name == carrier}))


def capabilities() -> str:
    rows = [[row, *(said(of(can)) for can in CARRIERS.values())] for row, of in ROWS.items()]
    return table(["", *CARRIERS], [["formats that the tests try", *map(formats, CARRIERS)], *rows])


def listed(*taken: Iterable[str]) -> str:
    return "\n".join(f"- {what}" for each in taken for what in each)


def taken() -> str:
    return listed(STARTS_TAKEN, MESSAGES_TAKEN)


def refused() -> str:
    """With each error as it is raised; what orjson says of bad JSON differs between its versions."""
    rows = []
    for what, (message, text) in REFUSED.items():
        assert isinstance(outcome(TWILIO.opened(), message), RemoteProtocolError)
        rows.append([what, f"`{text}...`" if text.endswith(": ") else f"`{text}`"])
    return table(["", "error"], rows)


def statuses(said_in: str, words: Mapping[str, str]) -> str:
    rows = [[f"`{said}`", f"`{status}`"] for said, status in words.items()]
    return table([said_in, "neutral"], rows)


def causes() -> str:
    rows = [[", ".join(f"`{code}`" for code in codes), f"`{status}`"] for status, codes in plivo_report.CAUSES.items()]
    names = [[f"`{name}`", f"`{status}`"] for name, status in plivo_report.CAUSE_NAMES.items()]
    return table(["`HangupCauseCode`, or `HangupCause` without one", "neutral"], [*rows, *names])


def statuses_of(carrier: str) -> str:
    return table(["webhook", "neutral"], [[said, f"`{status}`"] for said, status in REQUESTS[carrier].STATUSES.items()])


def dial_answers(carrier: str) -> str:
    """With each meaning as the code has it."""
    made, rows = REQUESTS[carrier].control(), []
    for what, (answer, meaning) in REQUESTS[carrier].DIAL_ANSWERS.items():
        assert made.read_dial(answer) == meaning
        refused_as = f", `{meaning.refusal}`" if isinstance(meaning, CallRefused) else ""
        rows.append([what, f"`{type(meaning).__name__}`{refused_as}"])
    return table(["answer to a dial", "read as"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "capabilities": capabilities,
    "taken": taken,
    **{
        f"{name.removesuffix('_cases')} taken": partial(listed, module.STARTS_TAKEN, module.MESSAGES_TAKEN)
        for name, module in MODULES.items()
        if name != "twilio_cases"
    },
    "refused": refused,
    "statuses": partial(statuses, "`CallStatus`", STATUSES),
    "dial answers": partial(dial_answers, "twilio"),
    "plivo statuses": partial(statuses, "`CallStatus`", plivo_report.STATUSES),
    "plivo causes": causes,
    "exotel ends": partial(statuses, "`Status`", exotel_report.ENDS),
    "exotel events": partial(statuses, "`EventType`", exotel_report.EVENTS),
    "jambonz statuses": partial(statuses, "`call_status`", jambonz_report.STATUSES),
    "sip codes": partial(statuses, "SIP's code", SIP_ENDS),
    "vonage details": partial(statuses, "`detail`", vonage_report.DETAILS),
    **{
        f"{carrier} statuses": partial(statuses_of, carrier)
        for carrier, module in REQUESTS.items()
        if hasattr(module, "STATUSES")
    },
    **{f"{carrier} dial answers": partial(dial_answers, carrier) for carrier in REQUESTS if carrier != "twilio"},
}


def block(name: str) -> re.Pattern[str]:
    """Where the page has the table: between its marks."""
    return re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(page: str) -> str:
    for name, make in TABLES.items():
        before, after = r"\1" + "\n", "\n\n" + r"\2"
        page = block(name).sub(before + make().replace("\\", r"\\") + after, page)
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
