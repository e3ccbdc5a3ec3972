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
from relay.providers import plivo_report
from relay.providers.base import Capabilities
from relay.providers.control import CallRefused, CallStatus, CarrierControl, DialReply, HttpReply
from relay.providers.twilio_report import STATUSES
from tests.providers import plivo_requests, signalwire_requests, twilio_requests
from tests.providers.all_cases import CASES, MODULES
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
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def said(value: object) -> str:
    return {True: "yes", False: "no", None: "none"}[value] if value is None or isinstance(value, bool) else str(value)


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


def statuses(key: str, meanings: Mapping[str, CallStatus]) -> str:
    return table([f"`{key}`", "neutral"], [[f"`{said}`", f"`{status}`"] for said, status in meanings.items()])


def causes() -> str:
    rows = [[", ".join(f"`{code}`" for code in codes), f"`{status}`"] for status, codes in plivo_report.CAUSES.items()]
    names = [[f"`{name}`", f"`{status}`"] for name, status in plivo_report.CAUSE_NAMES.items()]
    return table(["`HangupCauseCode`, or `HangupCause` without one", "neutral"], [*rows, *names])


def dial_answers(control: CarrierControl, answers: Mapping[str, tuple[HttpReply, DialReply]]) -> str:
    """With each meaning as the code has it."""
    rows = []
    for what, (answer, meaning) in answers.items():
        assert control.read_dial(answer) == meaning
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
    "statuses": partial(statuses, "CallStatus", STATUSES),
    "plivo statuses": partial(statuses, "CallStatus", plivo_report.STATUSES),
    "plivo causes": causes,
    "dial answers": partial(dial_answers, twilio_requests.control(), twilio_requests.DIAL_ANSWERS),
    "plivo dial answers": partial(dial_answers, plivo_requests.control(), plivo_requests.DIAL_ANSWERS),
    "signalwire dial answers": partial(dial_answers, signalwire_requests.control(), signalwire_requests.DIAL_ANSWERS),
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
