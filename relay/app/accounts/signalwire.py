"""SignalWire's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field, SecretStr

from relay.app import settings_forms as forms
from relay.app.accounts.account import Account, text_of
from relay.providers.signalwire_control import SignalWireControl

if TYPE_CHECKING:
    from relay.app.settings_model import Settings

SPACE: Final = forms.text_like(
    "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", "a space's name", "write myspace for https://myspace.signalwire.com"
)


class SignalWireSettings(BaseModel):
    """One project and number."""

    signalwire_space: Annotated[str, SPACE] | None = Field(
        default=None, description="The `NAME` of SignalWire's `https://NAME.signalwire.com`."
    )
    signalwire_project_id: Annotated[str, forms.UUID] | None = Field(default=None, description="Its project's id.")
    signalwire_api_token: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None, description="The project's API token: signs requests."
    )
    signalwire_signing_key: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None, description="The project's signing key (`PSK_...`): checks webhooks."
    )
    signalwire_from: Annotated[str, forms.NUMBER] | None = Field(
        default=None, repr=False, description="The number that calls come from: of the project, or verified for it."
    )
    signalwire_wideband: Annotated[bool, forms.BOOL] = Field(
        default=False, description="Whether the stream is L16 at 16 kHz; else it is PCMU."
    )
    signalwire_api_url: Annotated[str, forms.API_URL] | None = Field(
        default=None, description="A simulated carrier's REST API, instead of the space's."
    )


def _control(settings: Settings) -> SignalWireControl:
    return SignalWireControl(
        space=text_of(settings.signalwire_space),
        project_id=text_of(settings.signalwire_project_id),
        api_token=text_of(settings.signalwire_api_token),
        signing_key=text_of(settings.signalwire_signing_key),
        api_url=settings.signalwire_api_url or "",
        wideband=settings.signalwire_wideband,
        upgrade_token=settings.stream_secret("signalwire"),
    )


SIGNALWIRE: Final = Account(
    title="SignalWire",
    settings=SignalWireSettings,
    needed=(
        "signalwire_space",
        "signalwire_project_id",
        "signalwire_api_token",
        "signalwire_signing_key",
        "signalwire_from",
    ),
    api_url="signalwire_api_url",
    kind=SignalWireControl,
    control=_control,
)
