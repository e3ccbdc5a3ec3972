"""What docs/carriers.md says of Asterisk over ARI: its tables are the code's, its configuration leads to relay."""

import re
from configparser import ConfigParser

import pytest

from relay.providers.asterisk import AsteriskAdapter
from relay.providers.asterisk_events import CAUSES, PhoneGone
from relay.providers.basic_auth import authorization
from relay.providers.control import CallRefused, Webhook
from tests.providers.asterisk_requests import CALL_ID, DIAL_ANSWERS, MEDIA_PATH, MEDIA_URL, control, query
from tests.providers.carriers_page import PAGE, block, table

TEXT = PAGE.read_text()
FIELDS = {
    # configs/samples/{http,ari,websocket_client}.conf.sample of asterisk/asterisk
    "http.conf": "enabled prefix sessionlimit bindaddr bindport tlsenable tlsbindaddr tlscertfile tlsprivatekey",
    "ari.conf": "enabled pretty allowed_origins websocket_write_timeout type read_only password password_format",
    "websocket_client.conf": (
        "type connection_type uri protocols username password connection_timeout reconnect_interval reconnect_attempts "
        "write_timeout tls_enabled ca_list_file ca_list_path cert_file priv_key_file verify_server_cert "
        "verify_server_hostname proxy_host proxy_username proxy_password enable_tcp_keepalives tcp_keepalive_time "
        "tcp_keepalive_interval tcp_keepalive_probes enable_pingpongs pingpong_interval pingpong_probes"
    ),
}


def files() -> dict[str, ConfigParser]:
    """The page's sample, by file."""
    sample = re.search(r"```ini\n(; http\.conf\n.*?)```", TEXT, re.DOTALL)
    assert sample is not None
    parts = re.split(r"^; (\w+\.conf)\n", sample[1], flags=re.MULTILINE)[1:]
    read = {name: ConfigParser(interpolation=None) for name in parts[::2]}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        read[name].read_string(text)
    return read


def said(name: str) -> str:
    found = block(name).search(TEXT)
    assert found is not None
    return found[0].removeprefix(found[1]).removesuffix(found[2]).strip()


def test_the_causes_are_those_of_the_code() -> None:
    rows = [
        [str(cause), f"`{PhoneGone(CALL_ID, 'Down', cause).report(was_answered=False).status}`"] for cause in CAUSES
    ]
    assert said("asterisk causes") == table(["`cause`", "neutral"], [*rows, ["any other", "`failed`"]])


def test_the_answers_to_a_dial_are_those_of_the_code() -> None:
    rows = []
    for what, (answer, meaning) in DIAL_ANSWERS.items():
        assert control().read_dial(answer) == meaning
        refused_as = f", `{meaning.refusal}`" if isinstance(meaning, CallRefused) else ""
        rows.append([what, f"`{type(meaning).__name__}`{refused_as}"])
    assert said("asterisk dial answers") == table(["answer to a dial", "read as"], rows)


@pytest.mark.parametrize("name", FIELDS)
def test_the_configuration_has_only_fields_that_asterisk_knows(name: str) -> None:
    sections = files()[name]
    written = {field for section in sections.sections() for field in sections[section]}
    assert written - set(FIELDS[name].split()) == set()
    assert written


def test_the_configuration_leads_to_relay_s_route_and_is_let_in() -> None:
    section = files()["websocket_client.conf"]["relay"]
    assert (section["type"], section["connection_type"]) == ("websocket_client", "per_call_config")
    assert section["protocols"] == AsteriskAdapter.capabilities.subprotocol
    assert section["uri"].startswith("wss://") is section.getboolean("tls_enabled")
    ours = control(websocket_client="relay", media_user=section["username"], media_password=section["password"])
    media = query(ours.open_media(CALL_ID, MEDIA_URL))
    assert media["external_host"] == section.name
    assert section["uri"] == f"wss://relay.example.com{MEDIA_PATH}"
    headers = {"authorization": authorization(section["username"], section["password"])}
    assert ours.verify_upgrade(Webhook("GET", MEDIA_URL, headers))


def test_ari_s_user_may_write() -> None:
    user = files()["ari.conf"]["relay"]
    assert user["type"] == "user"
    assert user.get("read_only", "no") == "no"
