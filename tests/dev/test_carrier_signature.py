"""The simulated carrier signs as Twilio does: its own SDK and its published vectors say so."""

import json
import string
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from relay.dev.carrier_signature import signature_of

VECTORS = json.loads((Path(__file__).parents[1] / "providers/samples/twilio_signature_vectors.json").read_text())
SIGNED_BY_TOKEN = [
    vector for vector in VECTORS["vectors"] if vector["algorithm"] == "HMAC_SHA1" and "string_to_sign" in vector
]
KEY = "simulated"
TEXT = st.text(alphabet=string.ascii_letters + string.digits + " +&=äß€", max_size=8)


def pairs(params: dict[str, str | list[str]]) -> list[tuple[str, str]]:
    return [
        (name, value) for name, values in params.items() for value in (values if isinstance(values, list) else [values])
    ]


@pytest.mark.parametrize("vector", SIGNED_BY_TOKEN, ids=lambda vector: vector["name"])
def test_a_published_vector_is_signed_to_the_same_value(vector: dict[str, object]) -> None:
    url, params = str(vector["url"]), vector["params"]
    assert isinstance(params, dict)
    signed = str(vector["string_to_sign"])
    if not signed.startswith(url):  # signed over another form of the URL: with or without a port
        url = signed.removesuffix("".join(name + value for name, value in sorted(set(pairs(params)))))
    assert signature_of(url, pairs(params), auth_token=str(vector["secret"])) == vector["signature"]


@given(st.lists(st.tuples(TEXT.filter(bool), TEXT), max_size=6), TEXT)
def test_twilios_sdk_accepts_any_form(form: list[tuple[str, str]], query: str) -> None:
    url = f"https://relay.example.com/answer?leg={quote(query)}"
    signature = signature_of(url, form, auth_token=KEY)
    assert RequestValidator(KEY).validate(url, MultiDict(form), signature)


def test_another_secret_url_or_form_is_another_signature() -> None:
    signatures = {
        signature_of(url, form, auth_token=token)
        for token in ("one", "two")
        for url in ("wss://relay.example.com/media/a", "https://relay.example.com/media/a")
        for form in ([], [("CallStatus", "")], [("CallStatus", "busy")])
    }
    assert len(signatures) == 12
