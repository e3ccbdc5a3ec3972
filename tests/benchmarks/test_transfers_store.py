"""A few transitions in a real Valkey."""

import asyncio

from benchmarks.transfers.store import PER_TRANSFER, WARM_UP, measure_transitions
from relay.transfers.store import TransferStore
from tests.app.valkey import running_valkey


def test_each_transition_is_timed_and_the_warm_up_is_not() -> None:
    async def scenario(url: str) -> None:
        store = TransferStore(url)
        await store.open()
        try:
            transitions = await measure_transitions(store, 50)
            (transfer,) = await store.recent(1)
        finally:
            await store.close()
        assert len(transitions.took_ms) == 50
        assert 0 < transitions.ms(50) <= transitions.ms(100)
        assert transfer.version == 5 + PER_TRANSFER
        assert WARM_UP % PER_TRANSFER == 0

    with running_valkey() as url:
        asyncio.run(scenario(url))
