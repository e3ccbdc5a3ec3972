"""A short, repeatable run of the fuzz target, and proof that the target notices what it is there to notice."""

from pathlib import Path

import pytest

from relay._codec import Decoder, MediaTemplate

pytest.importorskip("atheris", reason="atheris has wheels for Linux on x86-64 only")

from tests.fuzz import push_message as target
from tests.fuzz.runs import check_runs

RUNS = 30_000


@pytest.mark.long
def test_the_fuzzer_finds_no_wrong_answer(tmp_path: Path) -> None:
    check_runs(target.__name__, RUNS, tmp_path)


@pytest.mark.parametrize(
    "message",
    [
        target.GOOD,
        target.GOOD[:-1],
        target.GOOD.replace(b"inbound", b"outbound"),
        target.GOOD.replace(b"/+8A", rb"\/+8A"),
    ],
)
def test_the_target_agrees_with_the_decoder(message: bytes) -> None:
    target.compare(Decoder("l16le", 8000, 8000), message)


class Careless:
    """A scan that takes the first thing that looks like a payload."""

    def push_message(self, message: bytes, template: MediaTemplate) -> bytes | None:  # noqa: ARG002 - the protocol's
        begin = message.find(b'"payload":"')
        if begin < 0:
            return None
        text = message[begin + 11 : message.find(b'"', begin + 11)]
        return Decoder("l16le", 8000, 8000).push_base64(text)


@pytest.mark.parametrize(
    "spoilt",
    [
        target.GOOD.replace(b"inbound", b"outbound"),
        target.GOOD.replace(b'"streamSid":"MZ1"', b'"streamSid":"MZ2"'),
        target.GOOD.replace(b'"sequenceNumber"', b'"x":{"payload":"AAAA"},"sequenceNumber"'),
        target.GOOD.replace(b"/+8A", rb"\/+8A"),
        target.GOOD[:-1],
    ],
)
def test_the_target_notices_a_careless_scan(spoilt: bytes) -> None:
    with pytest.raises(AssertionError, match="expected"):
        target.compare(Careless(), spoilt)
