"""Who is believed: what the carrier signed, all of it, for as long as it is good, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.conformance.case import expect
from relay.conformance.control_case import ControlCase, Truth, expect_discreet
from relay.conformance.mutations import FORGERIES, broken, broken_bytes, disturbed, forgeries, tampered
from relay.errors import RemoteProtocolError
from relay.providers.control import CallReport, CarrierControl, Webhook

GARBAGE: Final = (
    *("", " ", "=", ",", ".", "A" * 28, "A" * 43 + "=", "A" * 88, "0" * 64, "é" * 88, "\ud800", "\x00", "a" * 100_000),
    *("Basic ", "Bearer ", "Bearer ..", "Basic \ud800", "Bearer \ud800.a.b", "t=,v1=", "9" * 5000, "\u0661"),
)
"""For a header that is a signature, or part of one."""
URL_CHANGES: Final[Sequence[Callable[[str], str]]] = (
    lambda _: "",
    lambda _: "\ud800",
    lambda url: url + "/",
    lambda url: url + "/x",
    lambda url: url + ("&" if "?" in url else "?") + "a=b",
    lambda url: url + "\ud800",
    lambda url: url.replace("://", "://evil.", 1),
    lambda url: url.replace("://", "://evil.example/", 1),
    lambda url: url.partition("://")[0] + "://evil.example",
    lambda url: url.rpartition("/")[0],
    lambda url: url.swapcase(),
)
SPOOFED: Final = ("host", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "forwarded", "origin")
"""Headers in which anyone can say where a request was sent to."""
_ENOUGH: Final = 0.95
_NEVER_SIGNED_S: Final = 1e9
"""Years."""


def webhooks_are_verified_and_read(case: ControlCase) -> None:
    """Each says what it was recorded to say, once and again; what says something else has another id."""
    for name, (webhook, said) in case.webhooks.items():
        control = case.new_control()
        for _ in range(2):
            expect(case, f"{name}, verified", control.verify(webhook), expected=True)
            expect(case, f"report of {name}", control.read_report(webhook), said)
    reports = {said for _, said in case.webhooks.values()}
    expect(case, "ids of different reports", len({report.event_id for report in reports}), len(reports))


def upgrade_is_verified(case: ControlCase) -> None:
    """Also when it comes again: what may be used once is the token in its path."""
    control = case.new_control()
    upgrade = case.upgrade(control)
    expect(case, "the upgrade, verified twice", [control.verify_upgrade(upgrade) for _ in range(2)], [True, True])


def thousand_changes_of_what_is_covered_are_refused(case: ControlCase) -> None:
    """A byte of the URL, of the body or of a header, wherever it is."""
    for truth in case.truths():
        expect(case, f"{truth.name}: something is covered", bool(truth.covers), expected=True)
        forged = forgeries(truth.request, truth.covers, truth.name)
        expect(
            case, f"{truth.name}, changed: enough say something else", len(forged) > _ENOUGH * FORGERIES, expected=True
        )
        taken = [each for each in forged if truth.verify(each)]
        expect(case, f"{truth.name}, changed, and taken", _shown(taken[:3], truth), [])


def _shown(taken: Sequence[Webhook], truth: Truth) -> list[dict[str, object]]:
    """What is another in them."""
    found = []
    for each in taken:
        parts: dict[str, object] = {"url": each.url, "body": each.body, **each.headers}
        true: dict[str, object] = {"url": truth.request.url, "body": truth.request.body, **truth.request.headers}
        found.append({name: value for name, value in parts.items() if value != true[name]})
    return found


def every_part_of_a_signature_has_to_be_there(case: ControlCase) -> None:
    """And garbage in the place of one is refused, not stumbled over."""
    for truth in case.truths():
        for header in truth.headers:
            taken = truth.verify(truth.without_header(header))
            expect(case, f"{truth.name} without {header}, taken", taken, expected=False)
            for garbage in GARBAGE:
                what = f"{truth.name} with {garbage[:9]!r} for {header}, taken"
                expect(case, what, truth.verify(truth.with_header(header, garbage)), expected=False)
        if "body" in truth.covers and truth.request.body:
            for body in (b"", truth.request.body + b"\n", truth.request.body * 2):
                taken = truth.verify(replace(truth.request, body=body))
                expect(case, f"{truth.name} with another body, taken", taken, expected=False)


def what_was_sent_elsewhere_is_refused(case: ControlCase) -> None:
    """Where the URL is covered; and nobody can say in a header that it was another."""
    for truth in case.truths():
        for header in SPOOFED:
            there = truth.with_header(header, "evil.example")
            expect(case, f"{truth.name} with another {header}, taken", truth.verify(there), expected=True)
        for change in URL_CHANGES if "url" in truth.covers else ():
            url = change(truth.request.url)
            headers = {**truth.request.headers, "host": "relay.example.com", "x-original-url": truth.request.url}
            elsewhere = replace(truth.request, url=url, headers=headers)
            expect(case, f"{truth.name} at {url!r}, taken", truth.verify(elsewhere), expected=False)


def webhook_is_good_for_its_time(case: ControlCase) -> None:
    """And not a second longer, nor much before it was signed."""
    most_s = case.good_for_s
    good_s = [0.0, _NEVER_SIGNED_S] if most_s is None else [0.0, most_s, -most_s]
    bad_s = [] if most_s is None else [most_s + 1, -most_s - 1, _NEVER_SIGNED_S]
    for name, (webhook, _) in case.webhooks.items():
        for late_s in (*good_s, *bad_s):
            taken = case.new_control().verify(replace(webhook, received_s=webhook.received_s + late_s))
            expect(case, f"{name}, {late_s} s late, taken", taken, late_s in good_s)


def what_is_signed_for_one_thing_is_good_for_no_other(case: ControlCase) -> None:
    """A webhook's signature opens no stream, and a stream's says nothing of a call."""
    control = case.new_control()
    upgrade = case.upgrade(control)
    if "url" not in case.upgrade_covers:  # else it is good for that URL, which is none of webhooks
        expect(case, "an upgrade for a webhook, taken", control.verify(upgrade), expected=False)
    signed = {*case.covers} - {"url", "body"}
    for name, (webhook, _) in case.webhooks.items():
        there = replace(upgrade, headers=webhook.headers)
        expect(case, f"an upgrade with the headers of {name}, taken", control.verify_upgrade(there), expected=False)
        kept = {each: value for each, value in webhook.headers.items() if each not in signed}
        back = replace(webhook, headers={**kept, **upgrade.headers})
        taken = bool(signed) and control.verify(back)
        expect(case, f"{name} with the headers of an upgrade, taken", taken, expected=False)


def recorded_forgeries_are_refused(case: ControlCase) -> None:
    """Those that the case has, by either door."""
    control = case.new_control()
    for name, webhook in case.forged.items():
        taken = [control.verify(webhook), control.verify_upgrade(webhook)]
        expect(case, f"{name}, taken as a webhook or an upgrade", taken, [False, False])


def _read(case: ControlCase, control: CarrierControl, webhook: Webhook) -> CallReport | None:
    """The report; None of what is refused, with an error that says whose it is and shows nothing."""
    try:
        return control.read_report(webhook)
    except RemoteProtocolError as error:
        expect(case, "the error's carrier", error.carrier, control.name)
        expect_discreet(case, "the error of a report", str(error))
        return None


def _bodies(body: bytes) -> list[bytes]:
    value = _value(body)
    return list(broken_bytes(body)) if value is None else [*broken(value), *broken_bytes(body)]


def _value(body: bytes) -> Any:
    """The object or list that it is in JSON; None if it is neither."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict | list) else None


def any_changed_webhook_is_read_or_refused(case: ControlCase) -> None:
    """Signed or not: every place of a body of JSON changed to every type, and any byte of what is not covered."""
    control = case.new_control()
    for name, (webhook, said) in case.webhooks.items():
        for body in _bodies(webhook.body):
            _read(case, control, replace(webhook, body=body))
        choose = random.Random(name)  # noqa: S311  # the same ones each time
        for _ in range(FORGERIES):
            changed = tampered(webhook, ["url", "body", *webhook.headers], choose)
            if control.verify(changed) and changed.body == webhook.body:
                report = _read(case, control, changed)
                expect(
                    case, f"report of {name}, changed where it is not covered", report in (said, None), expected=True
                )


@settings(deadline=None)
@given(data=st.data())
def any_request_is_taken_or_refused(case: ControlCase, data: st.DataObject) -> None:
    """Whatever its method, URL, headers and body are."""
    control = case.new_control()
    text = st.text(st.characters(exclude_categories=()), max_size=40)
    names = sorted({*case.covers, *case.upgrade_covers, "content-type"} - {"url", "body"})
    urls = [webhook.url for webhook, _ in _all(case)]
    if not {*case.covers} - {"url", "body"}:  # then the URL is all that is signed
        urls = ["https://relay.example.com/"]
    bodies = [webhook.body if _value(webhook.body) is None else _value(webhook.body) for webhook, _ in _all(case)]
    webhook = Webhook(
        data.draw(st.sampled_from(["POST", "GET", "PUT", ""])),
        data.draw(text | st.sampled_from(urls)),
        data.draw(st.dictionaries(st.sampled_from(names), text, max_size=len(names))),
        data.draw(st.binary(max_size=60) | disturbed(bodies)),
        data.draw(st.floats(0, 2e9)),
    )
    for verify in (control.verify, control.verify_upgrade):
        expect(case, f"a request that nobody signed, taken by {verify.__name__}", verify(webhook), expected=False)
    _read(case, control, webhook)


def _all(case: ControlCase) -> list[tuple[Webhook, CallReport | None]]:
    return [*case.webhooks.values(), (Webhook("POST", "https://relay.example.com/", {}, b"{}"), None)]


CHECKS = (
    webhooks_are_verified_and_read,
    upgrade_is_verified,
    thousand_changes_of_what_is_covered_are_refused,
    every_part_of_a_signature_has_to_be_there,
    what_was_sent_elsewhere_is_refused,
    webhook_is_good_for_its_time,
    what_is_signed_for_one_thing_is_good_for_no_other,
    recorded_forgeries_are_refused,
    any_changed_webhook_is_read_or_refused,
    any_request_is_taken_or_refused,
)
