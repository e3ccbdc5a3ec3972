"""Every adapter passes the whole suite, with every case: see relay/conformance."""

from collections.abc import Callable

import pytest

from relay.conformance import CHECKS, Case, harm
from relay.conformance.mutations import places
from relay.providers.registry import OWN, adapter_class
from tests.providers.all_cases import CASES


def tries_much(check: Callable[[Case], None]) -> bool:
    return check in harm.CHECKS or hasattr(check, "hypothesis")


def shape(case: Case) -> frozenset[object]:
    """
    How a session's messages are written, whatever is in them: which have JSON, and with which keys.

    Those of another shape are read, or made, by other lines of the adapter.
    """
    written: set[object] = set()
    for recorded in case.session:
        message = recorded.message
        if message.value is None:
            first = "binary" if message.is_binary else message.data.partition(b" ")[0]
            written.add((recorded.from_carrier, first))
        else:
            written.update((recorded.from_carrier, place) for place, _ in places(message.value))
    return frozenset(written)


def tried_much() -> list[str]:
    """Of each carrier's cases, the first of each shape: the others differ from it in little."""
    first = {(case.new_adapter().name, shape(case)): str(case) for case in reversed(CASES)}
    return sorted(first.values())


def pairs() -> list[object]:
    """What tries much is long, but for those cases."""
    much = tried_much()
    return [
        pytest.param(
            case,
            check,
            id=f"{case}-{check.__name__}",
            marks=[pytest.mark.long] if tries_much(check) and str(case) not in much else [],
        )
        for case in CASES
        for check in CHECKS
    ]


def test_every_way_of_writing_is_tried_much() -> None:
    """Asterisk's text has a parser of its own, and Exotel in camel case numbers what it is sent."""
    names = [name.partition(" ")[0] for name in tried_much()]
    assert {name: names.count(name) for name in OWN} == dict.fromkeys(OWN, 1) | {"asterisk": 2, "exotel": 2}
    assert {"asterisk plain", "exotel camel case"} < {*tried_much()}


@pytest.mark.parametrize(("case", "check"), pairs())
def test_conforms(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def test_every_carrier_of_relays_own_has_its_cases_and_its_own_name() -> None:
    found = {name: adapter_class(name) for name in OWN}
    assert {name: adapter().name for name, adapter in found.items()} == {name: name for name in OWN}
    assert {case.new_adapter for case in CASES} == set(found.values())
