"""Twilio's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field, SecretStr

from relay.app import settings_forms as forms
from relay.app.accounts.account import Account, text_of
from relay.providers.twilio_control import TwilioControl

if TYPE_CHECKING:
    from relay.app.settings_model import Settings

ACCOUNT_SID: Final = forms.text_like(
    "AC[0-9a-f]{32}", "AC and 32 hexadecimal digits", "copy the Account SID of https://console.twilio.com"
)
SHARED_KEY: Final = forms.secret(
    r"[!-9;-~]{1,64}:[!-~]{8,256}",
    "KEY_ID:SECRET",
    "write the id of the shared key, a colon and its secret",
)


class TwilioSettings(BaseModel):
    """One account and number."""

    twilio_account_sid: Annotated[str, ACCOUNT_SID] | None = Field(default=None, description="Twilio's Account SID.")
    twilio_auth_token: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None, description="Its auth token: signs requests and checks webhooks."
    )
    twilio_from: Annotated[str, forms.NUMBER] | None = Field(
        default=None, repr=False, description="The number that calls come from: bought from or verified with Twilio."
    )
    twilio_shared_key: Annotated[SecretStr, SHARED_KEY] | None = Field(
        default=None, description="`KEY_ID:SECRET` of Twilio's SHA-256 signatures, if webhooks are signed with them."
    )
    twilio_api_url: Annotated[str, forms.API_URL] = Field(
        default="https://api.twilio.com", description="Twilio's REST API: another region's, or a simulated carrier's."
    )


def _shared_keys(settings: Settings) -> dict[str, str]:
    if settings.twilio_shared_key is None:
        return {}
    key_id, _, secret = settings.twilio_shared_key.get_secret_value().partition(":")
    return {key_id: secret}


def _control(settings: Settings) -> TwilioControl:
    return TwilioControl(
        account_sid=text_of(settings.twilio_account_sid),
        auth_token=text_of(settings.twilio_auth_token),
        api_url=settings.twilio_api_url,
        shared_keys=_shared_keys(settings),
    )


TWILIO: Final = Account(
    title="Twilio",
    settings=TwilioSettings,
    needed=("twilio_account_sid", "twilio_auth_token", "twilio_from"),
    api_url="twilio_api_url",
    kind=TwilioControl,
    control=_control,
    parts=lambda settings: _shared_keys(settings).values(),
)
