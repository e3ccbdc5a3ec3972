"""What the tests of messages share: a codec that has lost its JSON parser."""

from types import SimpleNamespace

import orjson
import pytest

from relay import _codec


@pytest.fixture
def no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every message that needs the parser fail; templates are still written."""
    monkeypatch.setattr(_codec, "orjson", SimpleNamespace(dumps=orjson.dumps, Fragment=orjson.Fragment))
