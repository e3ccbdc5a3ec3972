"""The simulated Telnyx signs as its own library says."""

import pytest

from relay.dev.carriers.telnyx_signature import SEED, public_key_of, signature_of
from tests.dev.carriers.sessions import vectors

SIGNED = [vector for vector in vectors("telnyx") if vector.get("sdk_validates") is True]


@pytest.mark.parametrize("vector", SIGNED, ids=lambda vector: vector["name"])
def test_a_vector_is_signed_to_the_same_value(vector: dict[str, object]) -> None:
    seed, headers = str(vector["signing_seed_hex_test_only"]), vector["headers"]
    assert isinstance(headers, dict)
    made = signature_of(headers["telnyx-timestamp"], str(vector["raw_body"]).encode(), seed=seed)
    assert made == headers["telnyx-signature-ed25519"]
    assert public_key_of(seed) == vector["public_key_b64"]


def test_there_are_vectors() -> None:
    assert len(SIGNED) >= 2


def test_another_time_or_body_is_another_signature() -> None:
    signatures = {signature_of(time, body, seed=SEED) for time in ("1", "2") for body in (b"{}", b"{ }")}
    assert len(signatures) == 4
