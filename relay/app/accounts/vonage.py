"""Vonage's settings."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field, SecretStr

from relay.app import settings_forms as forms
from relay.app.accounts.account import Account, text_of
from relay.providers.vonage_control import VonageControl

if TYPE_CHECKING:
    from relay.app.settings_model import Settings

_PEM: Final = re.compile(r"\s*(-----BEGIN [A-Z ]*PRIVATE KEY-----\n.+\n-----END [A-Z ]*PRIVATE KEY-----)\s*", re.DOTALL)


def _read_private_key(value: object) -> str:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str):
        raise TypeError
    if "-----BEGIN" not in text:
        try:
            text = Path(text).read_text()
        except OSError:
            raise ValueError from None
    found = _PEM.fullmatch(text.replace("\\n", "\n").replace("\r\n", "\n"))
    if found is None:
        raise ValueError
    return found[1] + "\n"


PRIVATE_KEY: Final = forms.Form(
    "a private key in PEM, or the path of a file that has one",
    "write /etc/relay/private.key, or the key itself; in the environment its lines may be joined by \\n",
    _read_private_key,
    is_secret=True,
)


class VonageSettings(BaseModel):
    """One application and number."""

    vonage_application_id: Annotated[str, forms.UUID] | None = Field(
        default=None, description="The id of Vonage's application."
    )
    vonage_private_key: Annotated[SecretStr, PRIVATE_KEY] | None = Field(
        default=None, description="The application's private key, or the path of its file: signs requests."
    )
    vonage_signature_secret: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None, description="The account's signature secret: checks webhooks."
    )
    vonage_from: Annotated[str, forms.NUMBER] | None = Field(
        default=None, repr=False, description="The number that calls come from: linked to the application."
    )
    vonage_api_url: Annotated[str, forms.API_URL] = Field(
        default="https://api.nexmo.com", description="Vonage's REST API: another region's, or a simulated carrier's."
    )


def _control(settings: Settings) -> VonageControl:
    return VonageControl(
        application_id=text_of(settings.vonage_application_id),
        private_key=text_of(settings.vonage_private_key),
        signature_secret=text_of(settings.vonage_signature_secret),
        now_s=time.time,
        api_url=settings.vonage_api_url,
        stream_auth_token=settings.stream_secret("vonage"),
    )


def _lines(settings: Settings) -> Iterable[str]:
    """Those of the key: an error may show one of them."""
    key = settings.vonage_private_key.get_secret_value() if settings.vonage_private_key is not None else ""
    return [line for line in key.splitlines() if not line.startswith("-----")]


VONAGE: Final = Account(
    title="Vonage",
    settings=VonageSettings,
    needed=("vonage_application_id", "vonage_private_key", "vonage_signature_secret", "vonage_from"),
    api_url="vonage_api_url",
    kind=VonageControl,
    control=_control,
    parts=_lines,
)
