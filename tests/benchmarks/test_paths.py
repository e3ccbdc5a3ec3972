"""A benchmark compares like with like: every contender must do the path's work."""

import base64

import pytest

from benchmarks import paths, rivals
from relay._codec import Decoder, instruction_set
from relay.dev.bench.measure import OURS, Path
from relay.dev.bench.messages import TWILIO_IN, twilio_message

EVERY_PATH = list(paths.all_paths())


@pytest.mark.parametrize("path", EVERY_PATH, ids=lambda path: path.name)
def test_our_contenders_all_return_the_same(path: Path) -> None:
    ours = [who.call(*who.args) for who in path.contenders if who.name.startswith(OURS.rstrip())]
    assert len(ours) >= 1
    assert all(out == ours[0] and isinstance(out, bytes) and out for out in ours)


@pytest.mark.parametrize("path", EVERY_PATH, ids=lambda path: path.name)
def test_a_rival_takes_part_or_is_named_as_missing(path: Path) -> None:
    names = [who.name for who in path.contenders]
    assert len(set(names)) == len(names)
    assert all(": " in reason for reason in path.missing)


def test_base64_is_compared_with_nothing_else_in_the_way() -> None:
    (path,) = (path for path in EVERY_PATH if path.name == paths.BASE64_DECODE)
    (text,) = path.contenders[0].args
    assert isinstance(text, bytes)
    assert {bytes(who.call(*who.args)) for who in path.contenders} == {base64.b64decode(text)}  # type: ignore[call-overload] # all return bytes


def test_making_the_paths_leaves_the_instruction_set_as_it_was() -> None:
    before = instruction_set()
    list(paths.all_paths())
    assert instruction_set() == before


def test_the_message_is_scanned_and_not_parsed() -> None:
    """Key order is free to the parser and not to the scan: TWILIO_IN must have the message's own."""
    decoder = Decoder("pcmu", 8000, 16000)
    assert decoder.push_message(twilio_message(bytes(160)), TWILIO_IN) is not None
    assert (decoder.sequence, decoder.timestamp) == (2714, 54260)


def test_a_package_that_is_not_there_is_missing_by_name() -> None:
    with pytest.raises(rivals.Missing, match="no_such_package_here"):
        rivals.package("no_such_package_here")
