"""Where settings come from, and that everything wrong with them is told at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from relay.app.log_words import LogFormat, LogLevel
from relay.app.settings_checks import Given, cross_problems
from relay.app.settings_entries import ApiKey, Destination, Provider, Scope
from relay.app.settings_forms import ListenAddress
from relay.app.settings_model import Settings
from relay.app.settings_problems import ENV_PREFIX, Names, env_name, problems_of, unknown
from relay.errors import ConfigurationError, Problem

__all__ = [
    "ApiKey",
    "Destination",
    "ListenAddress",
    "LogFormat",
    "LogLevel",
    "Provider",
    "Scope",
    "Settings",
    "load_settings",
]

CONFIG: Final = "RELAY_CONFIG"
FILE: Final = "relay.toml"
NO_SETTINGS: Final = frozenset({CONFIG, "RELAY_INSTRUCTION_SET"})
"""Variables that are known, and are not settings."""

_OF_KUBERNETES: Final = re.compile(r"RELAY_(SERVICE_(HOST|PORT).*|PORT|PORT_[0-9]+_(TCP|UDP|SCTP).*)")
"""What Kubernetes adds to every container when a Service is called ``relay``: addresses, no settings."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What one source has to say. ``is_read``: it said all it has."""

    values: Mapping[str, Any]
    problems: Sequence[Problem] = ()
    is_read: bool = True


def load_settings(env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Settings:
    """
    The settings of the environment (``RELAY_*``), then of a file, then the defaults.

    The file is the one that ``RELAY_CONFIG`` names, or ``relay.toml`` if there is one.

    Args:
        env: the environment; None: this process's.
        cwd: where the file is looked for; None: the current directory.

    Raises:
        ConfigurationError: with every problem there is.
    """
    env = os.environ if env is None else env
    file_name = env.get(CONFIG, FILE)
    file = _read_file(cwd or Path.cwd(), file_name, is_asked_for=CONFIG in env)
    environment = _read_environment(env)
    names = Names(frozenset(file.values) - frozenset(environment.values), file_name)
    given, problems = _validate({**file.values, **environment.values}, names)
    problems = [*file.problems, *environment.problems, *problems]
    if file.is_read:  # what is missing may be in a file that cannot be read
        problems += cross_problems(given)
    if problems:
        raise ConfigurationError(problems)
    return given.settings


def _validate(values: Mapping[str, Any], names: Names) -> tuple[Given, list[Problem]]:
    """Each value by itself; those that are wrong are left out of the settings."""
    try:
        return Given(Settings(**values), names, frozenset()), []
    except ValidationError as error:
        broken = frozenset(str(each["loc"][0]) for each in error.errors(include_url=False, include_input=False))
        whole = {name: value for name, value in values.items() if name not in broken}
        return Given(Settings(**whole), names, broken), list(problems_of(error, names))


def _read_environment(env: Mapping[str, str]) -> _Source:
    settings = {env_name(name): name for name in Settings.model_fields}
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for name, value in env.items():
        if name in settings:
            values[settings[name]] = value
        elif name.startswith(ENV_PREFIX) and name not in NO_SETTINGS and _OF_KUBERNETES.fullmatch(name) is None:
            word = name.removeprefix(ENV_PREFIX).lower()
            problems.append(unknown(name, word, settings.values(), spell=env_name))
    return _Source(values, problems)


def _read_file(cwd: Path, name: str, *, is_asked_for: bool) -> _Source:
    if not name:
        return _unread(CONFIG, "the path of a TOML file", "nothing", "name the file, or remove the variable")
    try:
        text = (cwd / name).read_bytes().decode()
    except FileNotFoundError:
        if not is_asked_for:
            return _Source({})
        return _unread(CONFIG, "a file", f"{name}, which does not exist", "correct the path, or remove the variable")
    except OSError as error:
        return _unread(name, "a file that can be read", str(error.strerror), "correct its permissions, or the path")
    except UnicodeDecodeError as error:
        return _unread(name, "UTF-8", f"byte {error.start} that is not", "save the file as UTF-8")
    return _parse_file(text, name)


def _parse_file(text: str, name: str) -> _Source:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return _unread(name, "TOML", f"the error {str(error)!r}", "correct that line; a text has quotes around it")
    fields = Settings.model_fields.keys()
    problems = [unknown(f"{key} in {name}", key, fields) for key in content if key not in fields]
    return _Source({key: value for key, value in content.items() if key in fields}, problems)


def _unread(name: str, expected: str, got: str, fix: str) -> _Source:
    return _Source({}, [Problem(name, expected, got, fix)], is_read=False)
