"""Exotel's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field, SecretStr

from relay.app import settings_forms as forms
from relay.app.accounts.account import Account, text_of
from relay.providers.exotel_control import ExotelControl

if TYPE_CHECKING:
    from relay.app.settings_model import Settings

ACCOUNT_SID: Final = forms.text_like(
    "[A-Za-z0-9_-]{1,64}",
    "up to 64 letters, digits, _ and -",
    "copy the Account SID of https://my.exotel.com, API settings",
)


class ExotelSettings(BaseModel):
    """One account and number."""

    exotel_account_sid: Annotated[str, ACCOUNT_SID] | None = Field(default=None, description="Exotel's Account SID.")
    exotel_api_key: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None, description="Its API key: the user of requests."
    )
    exotel_api_token: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None, description="Its API token: signs requests, and makes the proofs in the URLs of webhooks."
    )
    exotel_from: Annotated[str, forms.NUMBER] | None = Field(
        default=None, repr=False, description="The number that calls come from: an ExoPhone."
    )
    exotel_sample_rate_hz: Annotated[int, forms.one_of(8000, 16000, 24000)] = Field(
        default=16000, description="The sample rate of the stream."
    )
    exotel_callback_networks: Annotated[tuple[Annotated[str, forms.NETWORK], ...], forms.LIST] = Field(
        default=(),
        description="The networks that Exotel calls back from, as its support names them; without any, every address "
        "may. Behind a proxy set `trusted_proxies`, too.",
    )
    exotel_api_url: Annotated[str, forms.API_URL] = Field(
        default="https://api.in.exotel.com",
        description="Exotel's REST API: Mumbai's, or `https://api.exotel.com`, Singapore's; or a simulated carrier's.",
    )


def _control(settings: Settings) -> ExotelControl:
    return ExotelControl(
        account_sid=text_of(settings.exotel_account_sid),
        api_key=text_of(settings.exotel_api_key),
        api_token=text_of(settings.exotel_api_token),
        api_url=settings.exotel_api_url,
        sample_rate_hz=settings.exotel_sample_rate_hz,
    )


EXOTEL: Final = Account(
    title="Exotel",
    settings=ExotelSettings,
    needed=("exotel_account_sid", "exotel_api_key", "exotel_api_token", "exotel_from"),
    api_url="exotel_api_url",
    kind=ExotelControl,
    control=_control,
    callback_networks="exotel_callback_networks",
)
