"""What a carrier's callback says, in the coordinator's words."""

from __future__ import annotations

from typing import Final

from relay.providers.control import AnsweredBy, CallReport, CallStatus
from relay.transfers.ports import (
    MachineDetected,
    PhoneAlive,
    PhoneAnswered,
    PhoneEnded,
    PhoneNews,
    PhoneRang,
    PhoneReport,
    StreamFailed,
)
from relay.transfers.reasons import Reason

_NEWS: Final[dict[CallStatus, PhoneNews]] = {
    CallStatus.DIALING: PhoneAlive(),
    CallStatus.RINGING: PhoneRang(),
    CallStatus.ANSWERED: PhoneAnswered(),
    CallStatus.COMPLETED: PhoneEnded(Reason.AGENT_HUNG_UP),
    CallStatus.BUSY: PhoneEnded(Reason.BUSY),
    CallStatus.NO_ANSWER: PhoneEnded(Reason.NO_ANSWER),
    CallStatus.REJECTED: PhoneEnded(Reason.REJECTED),
    CallStatus.INVALID_NUMBER: PhoneEnded(Reason.INVALID_NUMBER),
    CallStatus.UNAVAILABLE: PhoneEnded(Reason.PROVIDER_BUSY),
    CallStatus.CANCELED: PhoneEnded(Reason.NO_ANSWER),  # not by relay: somebody hung up at the carrier while it rang
    CallStatus.FAILED: PhoneEnded(Reason.REJECTED),
}
_IS_MACHINE: Final[dict[AnsweredBy, bool | None]] = {
    AnsweredBy.HUMAN: False,
    AnsweredBy.MACHINE: True,
    AnsweredBy.UNKNOWN: None,
}


def phone_reports(report: CallReport) -> list[PhoneReport]:
    """What a carrier's report says, in the order in which it counts."""
    reports = []
    if report.answered_by is not None:
        detected = MachineDetected(_IS_MACHINE[report.answered_by])
        event_id = f"{report.event_id}/answered_by"
        reports.append(PhoneReport(report.call_id, detected, event_id, report.placed_id))
    if report.stream_failure:
        reports.append(
            PhoneReport(report.call_id, StreamFailed(report.stream_failure), report.event_id, report.placed_id)
        )
    if report.status is not None:
        news = _NEWS[report.status]
        if isinstance(news, PhoneEnded):
            news = PhoneEnded(news.reason, report.code)
        reports.append(PhoneReport(report.call_id, news, report.event_id, report.placed_id))
    return reports
