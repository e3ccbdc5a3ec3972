"""What is sent to the carrier: only to an open stream, in its frames, with marks that say what they did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from relay.conformance.case import Case, expect, outcome
from relay.errors import LocalProtocolError
from relay.media.carrier_buffer import CarrierBuffer
from relay.media.format import PTIME_MS
from relay.providers.base import MarkReached, MediaAdapter
from relay.providers.stream import DIGITS_MAX, MARK_NAME_MAX_CHARS

BAD_MARK_NAMES: Final = ("", "x" * (MARK_NAME_MAX_CHARS + 1), "é", "a\n", "\ud800", "x" * 10_000)
MARK_NAMES: Final = ("0.1", "12.345", "last", "x" * MARK_NAME_MAX_CHARS)


def _refusal(case: Case, what: str, command: Callable[[], object]) -> LocalProtocolError:
    try:
        done = command()
    except LocalProtocolError as error:
        return error
    raise AssertionError(f"{case}: expected {what} to be refused, got {done!r}")


def _commands(adapter: MediaAdapter) -> Sequence[tuple[str, Callable[[], object]]]:
    can, payload = adapter.capabilities, bytes(adapter.frame_rule.min_bytes)
    commands: list[tuple[str, Callable[[], object]]] = [("audio", partial(adapter.encode_audio, payload))]
    commands += [("a mark", partial(adapter.encode_mark, "m1"))] * can.marks
    commands += [("a clear", adapter.encode_clear)] * can.clear
    commands += [("a key", partial(adapter.encode_dtmf, "1"))]
    return commands


def commands_need_an_open_stream(case: Case) -> None:
    """Not before its start, not after its stop."""
    closed = [case.closed()] if case.is_stopped else []
    for adapter in (case.new_adapter(), *closed):
        for what, command in _commands(adapter):
            _refusal(case, f"{what} on a stream that is not open", command)


def audio_goes_out_in_whole_frames_only(case: Case) -> None:
    """The stream's frame rule is what ``encode_audio`` takes, to the byte."""
    rule = case.opened().frame_rule
    most = rule.max_bytes and rule.max_bytes // rule.multiple_bytes * rule.multiple_bytes
    least = -(-rule.min_bytes // rule.multiple_bytes) * rule.multiple_bytes
    taken = {least, most or least + rule.multiple_bytes}
    refused = {0, rule.min_bytes - 1, least - rule.multiple_bytes}
    refused |= {least + 1} if rule.multiple_bytes > 1 else set()
    refused |= {rule.max_bytes + 1, most + rule.multiple_bytes} if rule.max_bytes and most else set()
    adapter = case.opened()
    for size in sorted(taken):
        expect(case, f"{size} bytes of audio make a message", bool(adapter.encode_audio(bytes(size))), expected=True)
    for size in sorted(size for size in refused if size >= 0):
        _refusal(case, f"{size} bytes, where a frame is {rule},", partial(adapter.encode_audio, bytes(size)))


def bad_mark_name_is_not_sent(case: Case) -> None:
    """Names are 1 to 64 characters of printable ASCII; the error shows little of another."""
    adapter = case.opened()
    for name in BAD_MARK_NAMES if adapter.capabilities.marks else ():
        error = _refusal(case, f"a mark named {name[:9]!r}", partial(adapter.encode_mark, name))
        expect(case, "what is beyond 200 characters of the error", str(error)[200:], "")


def mark_comes_back_by_its_own_name(case: Case) -> None:
    """Every name that may be sent."""
    adapter = case.opened()
    for name in MARK_NAMES if adapter.capabilities.marks else ():
        expect(case, f"mark {name} makes a message", bool(adapter.encode_mark(name)), expected=True)
        expect(case, f"mark {name} come back", outcome(adapter, case.mark(name)), [MarkReached(name)])


def mark_of_before_a_clear_says_nothing_after_it(case: Case) -> None:
    """Names carry the clear's number: one that is flushed out, or comes late, is known and does not mislead."""
    adapter, buffer = case.opened(), CarrierBuffer(marks=True)
    if not (adapter.capabilities.marks and adapter.capabilities.clear):
        return

    def sent() -> str:
        while (name := buffer.sent(PTIME_MS, 0)) is None:
            pass
        adapter.encode_mark(name)
        return name

    def check_known(name: str, after_ms: int) -> None:
        expect(case, f"mark {name} come back", outcome(adapter, case.mark(name)), [MarkReached(name)])
        expect(case, f"mark {name} is ours", buffer.reached(name, after_ms * 10**6), expected=True)

    first = sent()
    expect(case, "a clear makes a message", bool(adapter.encode_clear()), expected=True)
    buffer.clear()
    second = sent()
    depth_ms = buffer.depth_ms(0, round_trip_ms=0)
    check_known(first, 0)
    expect(case, f"marks out after {first}", buffer.marks_out, 1)
    expect(case, f"ms not played after {first}", buffer.depth_ms(0, round_trip_ms=0), depth_ms)
    check_known(second, 40)
    expect(case, f"marks out after {second}", buffer.marks_out, 0)


def keys_are_sent_by_the_stream_or_refused(case: Case) -> None:
    """Whoever says that its stream sends keys sends all of them, and no others; errors show none."""
    can, adapter = case.new_adapter().capabilities, case.opened()
    expect(case, "there are keys to send", bool(can.dtmf_keys), can.dtmf_sent != "no")
    by_stream = can.dtmf_sent == "stream"
    keys = can.dtmf_keys if by_stream else ""
    for digits in filter(None, (*keys, keys[:DIGITS_MAX])):
        expect(case, f"keys {digits} make a message", bool(adapter.encode_dtmf(digits)), expected=True)
    secret = "9876543210" * 4
    for digits in ("", "E", "1\n", "é", "\ud800", secret, *sorted({*"0123456789*#ABCDwW"} - {*keys})):
        error = _refusal(case, f"keys {digits!r}", partial(adapter.encode_dtmf, digits))
        expect(case, "an error that shows the keys", secret[:10] in str(error), expected=False)


CHECKS = (
    commands_need_an_open_stream,
    audio_goes_out_in_whole_frames_only,
    bad_mark_name_is_not_sent,
    mark_comes_back_by_its_own_name,
    mark_of_before_a_clear_says_nothing_after_it,
    keys_are_sent_by_the_stream_or_refused,
)
