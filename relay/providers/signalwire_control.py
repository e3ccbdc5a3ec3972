"""
SignalWire's REST, cXML and signatures: Twilio's dialect, with what differs.

Sources: signalwire.com/docs/compatibility-api on calls, cXML's ``<Stream>`` and webhook security, signalwire 2.1.1
(PyPI). Unconfirmed: that errors have Twilio's shape and codes; ``TimeLimit``, which only SignalWire's libraries have.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from typing import ClassVar, Final

from relay.errors import LocalProtocolError
from relay.providers.control import HttpReply, Webhook
from relay.providers.fields import shown
from relay.providers.form_signature import Secret, is_webhook_signed
from relay.providers.laml_control import LamlControl
from relay.providers.laml_report import LamlDialect
from relay.providers.rest import UUID, RestAccount, check_secrets, check_url, reply_object
from relay.providers.signalwire import SignalWireAdapter

SIGNALWIRE: Final = LamlDialect("signalwire", UUID, "a UUID", sip_code_key="SipResultCode")

_SPACE: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,62})(\.signalwire\.com)?")
_CODE_WORD: Final = re.compile("[a-z_]{1,48}")  # no digits: never a phone number
_SIGNATURES: Final = ("x-signalwire-signature", "x-twilio-signature")
"""Headers with the same signature: the second is for programs that were written for Twilio."""


class SignalWireControl(LamlControl):
    """
    One SignalWire project, as ``CarrierControl`` promises.

    Upgrades are not signed. SignalWire shows the token that the document of its stream has, ``authBearerToken``: one
    for all streams.

    Args:
        project_id: a UUID.
        api_token: for REST.
        signing_key: the project's, ``PSK_...``: the key of signatures.
        space: ``example`` or ``example.signalwire.com``.
        api_url: another host than the space's.
        wideband: ask for L16 at 16 kHz, both ways, instead of PCMU.
        upgrade_token: that token, of letters and digits; None: one that is made now.

    Raises:
        LocalProtocolError: an argument is none of these, or neither space nor URL is given.
    """

    name = "signalwire"
    dialect: ClassVar = SIGNALWIRE
    detection_range_s: ClassVar = (1, 120)
    over: ClassVar = LamlControl.over | {(400, "cannot_update_completed"), (422, "cannot_update_completed")}

    def __init__(
        self,
        *,
        project_id: str,
        api_token: str,
        signing_key: str,
        space: str = "",
        api_url: str = "",
        wideband: bool = False,
        upgrade_token: str | None = None,
    ) -> None:
        if not UUID.fullmatch(project_id):
            raise LocalProtocolError(self.name, "project_id", expected="a UUID", got=shown(project_id))
        check_secrets(self.name, {"api_token": api_token, "signing_key": signing_key})
        base_url = (api_url or self._space_url(space)).rstrip("/")
        check_url(self.name, "api_url", base_url)
        calls_url = f"{base_url}/api/laml/2010-04-01/Accounts/{project_id}/Calls"
        super().__init__(RestAccount(project_id, api_token), calls_url)
        self._secret = Secret(signing_key.encode())
        self._codec = "L16@16000h" if wideband else "PCMU@8000h"
        self._upgrade_token = upgrade_token or secrets.token_hex(32)  # it is put into a header as it is

    def verify(self, webhook: Webhook) -> bool:
        """Whether SignalWire signed this webhook, as Twilio would."""
        given = [webhook.headers.get(name, "") for name in _SIGNATURES]
        return any(is_webhook_signed(webhook, signature, self._secret) for signature in given)

    def verify_upgrade(self, webhook: Webhook) -> bool:
        """Whether this WebSocket upgrade shows the token of our documents."""
        scheme, _, token = webhook.headers.get("authorization", "").partition(" ")
        is_ours = hmac.compare_digest(token.encode(errors="replace"), self._upgrade_token.encode())
        return is_ours and scheme.lower() == "bearer"

    def media_adapter(self) -> SignalWireAdapter:
        """An adapter for one new stream."""
        return SignalWireAdapter()

    def _stream_attributes(self) -> Mapping[str, str]:
        return {"codec": self._codec, "authBearerToken": self._upgrade_token}

    def _code(self, reply: HttpReply) -> str:
        """Twilio's code, or the word that SignalWire's other APIs have instead; else the status."""
        values = reply_object(reply)
        errors = values.get("errors")
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else values
        word = first.get("code")
        return word if isinstance(word, str) and _CODE_WORD.fullmatch(word) else super()._code(reply)

    def _space_url(self, space: str) -> str:
        match = _SPACE.fullmatch(space)
        if match is None:
            raise LocalProtocolError(self.name, "space", expected="the name of a space", got=shown(space))
        return f"https://{match[1]}.signalwire.com"
