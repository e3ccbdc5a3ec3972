"""Plivo's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field, SecretStr

from relay.app import settings_forms as forms
from relay.app.accounts.account import Account, text_of
from relay.providers.plivo_control import PlivoControl

if TYPE_CHECKING:
    from relay.app.settings_model import Settings

AUTH_ID: Final = forms.text_like(
    "(MA|SA)[A-Z0-9]{18}", "MA or SA and 18 capital letters and digits", "copy the Auth ID of https://console.plivo.com"
)


class PlivoSettings(BaseModel):
    """One account and number."""

    plivo_auth_id: Annotated[str, AUTH_ID] | None = Field(default=None, description="Plivo's Auth ID.")
    plivo_auth_token: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None, description="Its auth token: signs requests and checks webhooks."
    )
    plivo_from: Annotated[str, forms.NUMBER] | None = Field(
        default=None, repr=False, description="The number that calls come from: rented from or verified with Plivo."
    )
    plivo_wideband: Annotated[bool, forms.BOOL] = Field(
        default=False, description="Whether the stream is L16 at 16 kHz; else it is PCMU."
    )
    plivo_api_url: Annotated[str, forms.API_URL] = Field(
        default="https://api.plivo.com", description="Plivo's REST API, or a simulated carrier's."
    )


def _control(settings: Settings) -> PlivoControl:
    return PlivoControl(
        auth_id=text_of(settings.plivo_auth_id),
        auth_token=text_of(settings.plivo_auth_token),
        api_url=settings.plivo_api_url,
        wideband=settings.plivo_wideband,
    )


PLIVO: Final = Account(
    title="Plivo",
    settings=PlivoSettings,
    needed=("plivo_auth_id", "plivo_auth_token", "plivo_from"),
    api_url="plivo_api_url",
    kind=PlivoControl,
    control=_control,
)
