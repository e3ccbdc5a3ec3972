"""Telnyx's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field, SecretStr

from relay.app import settings_forms as forms
from relay.app.accounts.account import Account, text_of
from relay.providers.telnyx_control import TelnyxControl

if TYPE_CHECKING:
    from relay.app.settings_model import Settings

PUBLIC_KEY: Final = forms.text_like(
    "[A-Za-z0-9+/]{43}=", "32 bytes in base64", "copy the public key of https://portal.telnyx.com, Keys & Credentials"
)
CONNECTION_ID: Final = forms.text_like(
    "[0-9]{1,32}", "digits", "copy the id of the Voice API application of https://portal.telnyx.com"
)


class TelnyxSettings(BaseModel):
    """One account, application and number."""

    telnyx_api_key: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None, description="Telnyx's API key: signs requests."
    )
    telnyx_public_key: Annotated[str, PUBLIC_KEY] | None = Field(
        default=None, description="The account's public key: checks webhooks."
    )
    telnyx_connection_id: Annotated[str, CONNECTION_ID] | None = Field(
        default=None, description="The id of the Voice API application that calls are made with."
    )
    telnyx_from: Annotated[str, forms.NUMBER] | None = Field(
        default=None, repr=False, description="The number that calls come from: of the account, or verified for it."
    )
    telnyx_wideband: Annotated[bool, forms.BOOL] = Field(
        default=False, description="Whether the stream is L16 at 16 kHz; else it is PCMU."
    )
    telnyx_api_url: Annotated[str, forms.API_URL] = Field(
        default="https://api.telnyx.com", description="Telnyx's REST API, or a simulated carrier's."
    )


def _control(settings: Settings) -> TelnyxControl:
    return TelnyxControl(
        api_key=text_of(settings.telnyx_api_key),
        public_key=text_of(settings.telnyx_public_key),
        connection_id=text_of(settings.telnyx_connection_id),
        api_url=settings.telnyx_api_url,
        wideband=settings.telnyx_wideband,
        stream_auth_token=settings.stream_secret("telnyx"),
    )


TELNYX: Final = Account(
    title="Telnyx",
    settings=TelnyxSettings,
    needed=("telnyx_api_key", "telnyx_public_key", "telnyx_connection_id", "telnyx_from"),
    api_url="telnyx_api_url",
    kind=TelnyxControl,
    control=_control,
)
