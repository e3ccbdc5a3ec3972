"""What the service knows of a carrier's account: its settings, and the control side that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, SecretStr

from relay.providers.control import CarrierControl

if TYPE_CHECKING:
    from relay.app.settings_model import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """
    A carrier that there are settings for, each of which begins with its name and a low line.

    Args:
        title: the carrier's name, as people write it.
        settings: the fields; ``Settings`` inherits them. Who sets one that has no default wants an account.
        needed: what an account cannot be without, in the order in which people come upon it; the number last.
        api_url: the setting that says where the carrier's REST is. On this machine it is a simulated one's.
        kind: the class of its control side.
        control: makes one of settings that have all that is needed.
        parts: what of its secrets is a secret in itself.
        callback_networks: the setting that says from which networks it calls back, if there is one.

    ``control`` may raise LocalProtocolError, whose field is the setting's name without the carrier's.
    """

    title: str
    settings: type[BaseModel]
    needed: Sequence[str]
    api_url: str
    kind: type[CarrierControl]
    control: Callable[[Settings], CarrierControl]
    parts: Callable[[Settings], Iterable[str]] = lambda _: ()
    callback_networks: str | None = None

    @property
    def name(self) -> str:
        """The carrier's name in settings, URLs and records."""
        return self.kind.name

    @property
    def from_setting(self) -> str:
        """The setting that says which number calls come from."""
        return f"{self.name}_from"

    @property
    def choices(self) -> Sequence[str]:
        """The settings that have no default."""
        return [name for name, field in self.settings.model_fields.items() if field.default is None]

    def is_whole(self, settings: Settings) -> bool:
        """All that is needed is there."""
        return all(getattr(settings, name) is not None for name in self.needed)

    def secrets(self, settings: Settings) -> list[str]:
        """Its secrets, in the order of the settings, and what of them is one in itself."""
        values = [getattr(settings, name) for name in self.settings.model_fields]
        whole = [each.get_secret_value() for each in values if isinstance(each, SecretStr)]
        return [*whole, *self.parts(settings)]


def text_of(setting: str | SecretStr | None) -> str:
    """
    A setting that is there.

    Raises:
        ValueError: it is not.
    """
    if setting is None:
        raise ValueError("text_of: expected a setting that is there, got None")
    return setting.get_secret_value() if isinstance(setting, SecretStr) else setting
