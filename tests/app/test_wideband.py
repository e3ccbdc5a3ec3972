"""The settings by which a carrier is asked for wideband, and what is asked for without them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from relay.app.accounts import ACCOUNTS
from relay.app.settings import load_settings
from tests.app.test_accounts import env_of
from tests.providers.telnyx_requests import call_order


@pytest.mark.parametrize(
    ("name", "wide"),
    [
        ("plivo", b"audio/x-l16;rate=16000"),
        ("signalwire", b"L16@16000h"),
        ("telnyx", b'"stream_bidirectional_sampling_rate":16000'),
    ],
)
def test_wideband_is_a_setting_of_carriers_that_have_another_codec_for_it(
    name: str,
    wide: bytes,
    tmp_path: Path,
) -> None:
    def asked(env: Mapping[str, str]) -> bytes:
        control = ACCOUNTS[name].control(load_settings({**env_of(name), **env}, tmp_path))
        if control.capabilities.opens_stream == "dial":
            return control.dial(call_order(media_url="wss://relay.example.com/m")).body
        return control.stream_document("wss://relay.example.com/m", then_url=None).body

    setting = f"RELAY_{name.upper()}_WIDEBAND"
    assert wide not in asked({}), "the byte order of its L16 is written nowhere"
    assert wide in asked({setting: "true"})
    assert wide not in asked({setting: "false"})


def test_exotels_stream_is_wideband_unless_it_is_to_be_another(tmp_path: Path) -> None:
    env = env_of("exotel")
    order = call_order(media_url="wss://relay.example.com/m")
    assert b"sample-rate%3D16000" in ACCOUNTS["exotel"].control(load_settings(env, tmp_path)).dial(order).body
    narrow = load_settings({**env, "RELAY_EXOTEL_SAMPLE_RATE_HZ": "8000"}, tmp_path)
    assert b"sample-rate" not in ACCOUNTS["exotel"].control(narrow).dial(order).body
