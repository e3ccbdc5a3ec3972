"""jambonz's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field, SecretStr

from relay.app import settings_forms as forms
from relay.app.accounts.account import Account, text_of
from relay.providers.jambonz_control import JambonzControl

if TYPE_CHECKING:
    from relay.app.settings_model import Settings

SPEECH: Final = forms.text_like("[!-~]{1,128}", "a word", "write it as in the portal of jambonz, Speech")


class JambonzSettings(BaseModel):
    """One account of one installation, and a number."""

    jambonz_base_url: Annotated[str, forms.API_URL] | None = Field(
        default=None, description="The REST API of the jambonz installation, before `/v1`; or a simulated carrier's."
    )
    jambonz_account_sid: Annotated[str, forms.UUID] | None = Field(default=None, description="The account's SID there.")
    jambonz_api_key: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None, description="The account's API key: signs requests."
    )
    jambonz_webhook_secret: Annotated[SecretStr, forms.SECRET_TEXT] | None = Field(
        default=None, description="The account's webhook secret: checks webhooks."
    )
    jambonz_from: Annotated[str, forms.NUMBER] | None = Field(
        default=None, repr=False, description="The number that calls come from."
    )
    jambonz_sample_rate_hz: Annotated[int, forms.one_of(8000, 16000, 24000, 48000)] = Field(
        default=8000, description="The sample rate of the stream; if it is not the call's own, marks may be lost."
    )
    jambonz_speech_vendor: Annotated[str, SPEECH] = Field(
        default="google", description="Who speaks what is to be said, and listens for machines."
    )
    jambonz_speech_language: Annotated[str, SPEECH] = Field(default="en-US", description="The language of both.")
    jambonz_speech_voice: Annotated[str, SPEECH] = Field(default="en-US-Standard-C", description="The voice.")


def _control(settings: Settings) -> JambonzControl:
    return JambonzControl(
        base_url=text_of(settings.jambonz_base_url),
        account_sid=text_of(settings.jambonz_account_sid),
        api_key=text_of(settings.jambonz_api_key),
        webhook_secret=text_of(settings.jambonz_webhook_secret),
        sample_rate_hz=settings.jambonz_sample_rate_hz,
        speech_vendor=settings.jambonz_speech_vendor,
        speech_language=settings.jambonz_speech_language,
        speech_voice=settings.jambonz_speech_voice,
        stream_password=settings.stream_secret("jambonz"),
    )


JAMBONZ: Final = Account(
    title="jambonz",
    settings=JambonzSettings,
    needed=("jambonz_base_url", "jambonz_account_sid", "jambonz_api_key", "jambonz_webhook_secret", "jambonz_from"),
    api_url="jambonz_base_url",
    kind=JambonzControl,
    control=_control,
)
