"""
Twilio's REST, TwiML and signatures.

Sources: twilio.com/docs/voice/api/call-resource, .../docs/voice/twiml, .../docs/api/errors, and twilio-python 9.13.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from relay.errors import LocalProtocolError
from relay.providers.control import Webhook
from relay.providers.fields import shown
from relay.providers.form_signature import Secret, is_url_signed, is_webhook_signed
from relay.providers.laml_control import LamlControl
from relay.providers.rest import RestAccount, check_secrets, check_url
from relay.providers.twilio import TwilioAdapter
from relay.providers.twilio_report import TWILIO
from relay.providers.xml_document import SAY_MAX_BYTES

__all__ = ["SAY_MAX_BYTES", "TwilioControl"]

_ACCOUNT_SID: Final = re.compile("AC[0-9a-f]{32}")
_NO_KEYS: Final[Mapping[str, str]] = MappingProxyType({})


class TwilioControl(LamlControl):
    """
    One Twilio account, as ``CarrierControl`` promises.

    Args:
        account_sid: ``AC`` and 32 hexadecimal digits.
        auth_token: for REST, and the key of signatures.
        api_url: of the account's region.
        shared_keys: secrets of SharedKeys by their ids, if the account's webhooks are signed with such.

    Raises:
        LocalProtocolError: an argument is none of these.
    """

    name = "twilio"
    dialect: ClassVar = TWILIO

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        api_url: str = "https://api.twilio.com",
        shared_keys: Mapping[str, str] = _NO_KEYS,
    ) -> None:
        if not _ACCOUNT_SID.fullmatch(account_sid):
            expected = "AC and 32 hexadecimal digits in lower case"
            raise LocalProtocolError(self.name, "account_sid", expected=expected, got=shown(account_sid))
        check_secrets(self.name, {"auth_token": auth_token, **shared_keys})
        check_url(self.name, "api_url", api_url)
        calls_url = f"{api_url.rstrip('/')}/2010-04-01/Accounts/{account_sid}/Calls"
        super().__init__(RestAccount(account_sid, auth_token), calls_url)
        self._secret = Secret(auth_token.encode())
        self._shared = {key_id: Secret(secret.encode(), "sha256") for key_id, secret in shared_keys.items()}

    def verify(self, webhook: Webhook) -> bool:
        """Whether Twilio signed this webhook."""
        secret = self._secret_of(webhook)
        return secret is not None and is_webhook_signed(webhook, _signature(webhook), secret)

    def verify_upgrade(self, webhook: Webhook) -> bool:
        """Whether Twilio signed this WebSocket upgrade."""
        secret = self._secret_of(webhook)
        return secret is not None and is_url_signed(webhook.url, _signature(webhook), secret)

    def media_adapter(self) -> TwilioAdapter:
        """An adapter for one new stream."""
        return TwilioAdapter()

    def _secret_of(self, webhook: Webhook) -> Secret | None:
        """What this webhook should be signed with; None if it names a key that is not ours, or an unknown way."""
        settings = webhook.headers.get("x-twilio-webhooks-signature-settings", "")
        if not settings:
            return self._secret
        said = dict(part.strip().partition("=")[::2] for part in settings.split(","))
        return self._shared.get(said.get("key", "")) if said.get("algorithm") == "HMAC_SHA256" else None


def _signature(webhook: Webhook) -> str:
    return webhook.headers.get("x-twilio-signature", "")
