"""A service is asked again while its machine is busy, and not for ever."""

import asyncio
from typing import cast

import pytest

from relay.client import Overloaded, TransferView
from relay.client.errors import Problem
from relay.dev.bench.service import taken

VIEW = cast("TransferView", object())


def refusal() -> Overloaded:
    return Overloaded(Problem(status=503, title="busy", retry_after_s=0.001))


def test_service_that_takes_it_in_the_end_was_asked_again() -> None:
    answers: list[Overloaded | TransferView] = [refusal(), refusal(), VIEW]
    refused: list[int] = []

    async def ask() -> TransferView:
        answer = answers.pop(0)
        if isinstance(answer, Overloaded):
            raise answer
        return answer

    assert asyncio.run(taken(ask, lambda: refused.append(1))) is VIEW
    assert refused == [1, 1]


def test_service_that_never_takes_it_is_given_up() -> None:
    async def ask() -> TransferView:
        raise refusal()

    with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
        asyncio.run(taken(ask, lambda: None, within_s=0.05))
