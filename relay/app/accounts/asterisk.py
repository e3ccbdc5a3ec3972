"""Asterisk's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field, SecretStr

from relay.app import settings_forms as forms
from relay.app.accounts.account import Account, text_of
from relay.providers.asterisk_control import AsteriskControl

if TYPE_CHECKING:
    from relay.app.settings_model import Settings

NAME: Final = forms.text_like("[A-Za-z0-9_.-]{1,64}", "1 to 64 letters, digits and _ . -", "write for example relay")
USER: Final = forms.text_like(
    "[!-9;-~]{1,64}", "1 to 64 characters without spaces and colons", "write for example relay"
)
ENDPOINT: Final = forms.text_like(
    r"[A-Za-z0-9_]+/[!-%'-+\--~]*\{(?:number|digits)\}[!-%'-+\--~]*",
    "TECHNOLOGY/... with {number} or {digits}",
    "write for example PJSIP/{number}@trunk; {digits} is the number without its plus",
)
FORMAT: Final = forms.text_like(
    "ulaw|alaw|slin|slin16|slin24", "ulaw, alaw, slin, slin16 or slin24", "write ulaw, or slin16 for wideband"
)


class AsteriskSettings(BaseModel):
    """One Asterisk, and a number."""

    asterisk_ari_url: Annotated[str, forms.API_URL] | None = Field(
        default=None, description="Asterisk's REST interface, with its `/ari`; or a simulated carrier's."
    )
    asterisk_ari_user: Annotated[str, USER] | None = Field(
        default=None, description="A user of `ari.conf` that may write."
    )
    asterisk_ari_password: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None, description="That user's password."
    )
    asterisk_endpoint: Annotated[str, ENDPOINT] | None = Field(
        default=None, description="What is dialled: `PJSIP/{number}@trunk`; `{digits}` is the number without its plus."
    )
    asterisk_media_user: Annotated[str, USER] | None = Field(
        default=None, description="`username` of the section of `websocket_client.conf` that leads to relay."
    )
    asterisk_media_password: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None, description="Its `password`."
    )
    asterisk_from: Annotated[str, forms.NUMBER] | None = Field(
        default=None, repr=False, description="The number that calls come from, if the trunk lets it."
    )
    asterisk_app: Annotated[str, NAME] = Field(
        default="relay", description="The Stasis application: each relay at one Asterisk needs one of its own."
    )
    asterisk_websocket_client: Annotated[str, NAME] = Field(
        default="relay", description="The name of that section of `websocket_client.conf`."
    )
    asterisk_media_format: Annotated[str, FORMAT] = Field(
        default="ulaw", description="The codec of the stream, as Asterisk calls it."
    )


def _control(settings: Settings) -> AsteriskControl:
    return AsteriskControl(
        ari_url=text_of(settings.asterisk_ari_url),
        ari_user=text_of(settings.asterisk_ari_user),
        ari_password=text_of(settings.asterisk_ari_password),
        app=settings.asterisk_app,
        endpoint=text_of(settings.asterisk_endpoint),
        websocket_client=settings.asterisk_websocket_client,
        media_user=text_of(settings.asterisk_media_user),
        media_password=text_of(settings.asterisk_media_password),
        media_format=settings.asterisk_media_format,
    )


ASTERISK: Final = Account(
    title="Asterisk",
    settings=AsteriskSettings,
    needed=(
        "asterisk_ari_url",
        "asterisk_ari_user",
        "asterisk_ari_password",
        "asterisk_endpoint",
        "asterisk_media_user",
        "asterisk_media_password",
        "asterisk_from",
    ),
    api_url="asterisk_ari_url",
    kind=AsteriskControl,
    control=_control,
)
