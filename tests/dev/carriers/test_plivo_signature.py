"""The simulated Plivo signs as its own library says."""

import pytest

from relay.dev.carriers.plivo_signature import signature_of
from tests.dev.carriers.sessions import vectors

V3 = [vector for vector in vectors("plivo") if vector.get("version") == "V3" and "string_to_sign" in vector]


@pytest.mark.parametrize("vector", V3, ids=lambda vector: vector["name"])
def test_a_vector_is_signed_to_the_same_value(vector: dict[str, object]) -> None:
    params = vector["params"]
    assert isinstance(params, dict)
    pairs = [
        (name, value) for name, given in params.items() for value in (given if isinstance(given, list) else [given])
    ]
    # One is of a URL that is not the one requested.
    url = str(vector["string_to_sign"]).rpartition(".")[0] if "media" in str(vector["url"]) else str(vector["url"])
    made = signature_of(str(vector["method"]), url, pairs, nonce=str(vector["nonce"]), auth_token=str(vector["secret"]))
    assert made == vector["signature"]


def test_all_kinds_of_vectors_are_there() -> None:
    assert len(V3) >= 9


def test_another_secret_nonce_url_or_form_is_another_signature() -> None:
    signatures = {
        signature_of("POST", url, form, nonce=nonce, auth_token=token)
        for token in ("one", "two")
        for nonce in ("1", "2")
        for url in ("https://relay.example.com/a", "https://relay.example.com/a?b=c")
        for form in ([], [("CallStatus", "")], [("CallStatus", "busy")])
    }
    assert len(signatures) == 24
