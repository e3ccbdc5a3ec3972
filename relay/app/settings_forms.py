"""The forms that the values of settings have: how each is read, and what is said of what cannot be."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler, SecretStr
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from relay.app.numbers import E164, PREFIX

MAPPED_BITS: Final = 96
"""What an IPv4 address in an IPv6 address stands behind."""
SHOWN_MAX: Final = 60
"""Characters of a wrong value in a message."""

_CREDENTIALS: Final = re.compile(r".*@", re.DOTALL)
_DIGITS: Final = re.compile(r"[0-9]{5,}(?=[0-9]{2})")
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_LISTEN: Final = re.compile(r"(.+):([0-9]{1,5})")
_URL: Final = re.compile(rf"(https?)://({_HOST.pattern})(?::([0-9]{{1,5}}))?((?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)/?")
_REDIS_URL: Final = re.compile(r"rediss?://[!-~]+|unix://[!-~]*/[!-~]+")
_WORD_OF_BOOL: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


@dataclass(frozen=True, slots=True)
class Form:
    """
    Pydantic metadata: a value is what ``read`` makes of it.

    Args:
        expected: what fits, in words.
        fix: what to do about one that does not.
        read: raises ValueError or TypeError for what does not fit.
        is_secret: nothing of a value may be shown.
    """

    expected: str
    fix: str
    read: Callable[[Any], object]
    is_secret: bool = False

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read first, then check the type."""
        return core_schema.no_info_before_validator_function(self._read, handler(source))

    def _read(self, value: object) -> object:
        try:
            return self.read(value)
        except (ValueError, TypeError):
            got = length_of(value) if self.is_secret else shown(value)
            context = {"expected": self.expected, "got": got, "fix": self.fix}
            raise PydanticCustomError("form", "expected {expected}, got {got}; {fix}", context) from None


def shown(value: object) -> str:
    """A wrong value as a message may have it: short and printable, without a URL's credentials or a whole number."""
    if not isinstance(value, str | int | float):
        return length_of(value)
    if value == "":
        return "nothing"
    text = _CREDENTIALS.sub("***@", value) if isinstance(value, str) else value
    text = _DIGITS.sub(lambda digits: "*" * len(digits[0]), repr(text))
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}..."


def length_of(value: object) -> str:
    """All that may be said of a secret."""
    match value:
        case "":
            return "nothing"
        case str():
            return f"a text of {len(value)} character{'s' * (len(value) != 1)}"
        case list() | tuple():
            return f"a list of {len(value)}"
    kinds = {bool: "a boolean", int: "a number", float: "a number", dict: "a table"}
    return kinds.get(type(value), f"a {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where to listen. ``host`` has no brackets; port 0 is any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Nobody but this machine can connect."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether ``host``, without brackets, is this machine for certain. No name is looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_of(url: str) -> str:
    """The host of a URL that ``read_url`` made, without brackets."""
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(f"host_of: expected a URL, got {shown(url)}")
    return match[2].strip("[]")


def _text(value: object, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError
    return value


def _host(text: str) -> str:
    """Without brackets; an address must be one."""
    host = _text(text, _HOST)
    if host.startswith("["):
        return str(ipaddress.IPv6Address(host[1:-1]))
    return str(ipaddress.IPv4Address(host)) if re.fullmatch("[0-9.]+", host) else host.lower()


def _port(text: str) -> int:
    port = int(text)
    if port > 65535:
        raise ValueError
    return port


def read_listen(value: object) -> ListenAddress:
    """``127.0.0.1:8080``, ``[::1]:8080``."""
    if isinstance(value, ListenAddress):
        return value
    match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError
    return ListenAddress(_host(match[1]), _port(match[2]))


def read_url(value: object, *, path: bool, insecure_anywhere: bool = False) -> str:
    """
    ``https://host[:port][/path]`` without a slash at its end.

    Args:
        value: the text.
        path: there may be one.
        insecure_anywhere: ``http`` is good for other hosts than this one, too.
    """
    match = _URL.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match[4] and not path) or (match[3] and not _port(match[3])):
        raise ValueError
    host = _host(match[2])
    if match[1] == "http" and not insecure_anywhere and not is_loopback(host):
        raise ValueError
    origin = f"[{host}]" if ":" in host else host
    return f"{match[1]}://{origin}{f':{int(match[3])}' if match[3] else ''}{match[4]}"


def read_redis_url(value: object) -> str:
    """``redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]``, ``rediss://...``, ``unix://[[USER]:PASSWORD@]/PATH[?db=DB]``."""
    url = value.get_secret_value() if isinstance(value, SecretStr) else value
    text = _text(url, _REDIS_URL)
    parts = urlsplit(text)
    if not parts.hostname and parts.scheme != "unix":
        raise ValueError
    _port(str(parts.port or 0))
    return text


def read_bool(value: object) -> bool:
    """TOML's, or a word of the environment."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _WORD_OF_BOOL:
        return _WORD_OF_BOOL[value.lower()]
    raise ValueError


def read_list(value: object) -> list[object]:
    """TOML's list, or the environment's text with commas."""
    match value:
        case str() if value.strip():
            return [part.strip() for part in value.split(",")]
        case list() | tuple():
            return list(value)
    raise ValueError


def read_network(value: object) -> str:
    """An address or a network, in CIDR notation; of IPv4, although written in IPv6. All addresses are no network."""
    if not isinstance(value, str):
        raise TypeError
    network = ipaddress.ip_network(value.strip())
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is not None and network.prefixlen >= MAPPED_BITS:
        network = ipaddress.ip_network((mapped, network.prefixlen - MAPPED_BITS))
    if network.prefixlen == 0:
        raise ValueError
    return str(network)


def text_like(pattern: str, expected: str, fix: str) -> Form:
    """The form of a text that the whole of ``pattern`` matches."""
    compiled = re.compile(pattern)
    return Form(expected, fix, lambda value: _text(value, compiled))


def secret(pattern: str, expected: str, fix: str) -> Form:
    """As ``text_like``, and never shown."""
    compiled = re.compile(pattern)

    def read(value: object) -> str:
        return _text(value.get_secret_value() if isinstance(value, SecretStr) else value, compiled)

    return Form(expected, fix, read, is_secret=True)


def number(low: float, high: float, unit: str = "", *, whole: bool = False) -> Form:
    """The form of a number from ``low`` to ``high``, both included; of TOML, or as text of the environment."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError
        read_number = int(value) if whole and isinstance(value, str) else float(value)
        if not math.isfinite(read_number) or not low <= read_number <= high or (whole and read_number % 1):
            raise ValueError
        return int(read_number) if whole else read_number

    kind = f"a whole number{of_unit(unit)}" if whole else f"a number{of_unit(unit)}"
    return Form(f"{kind} from {low:,} to {high:,}", "write digits only, without a unit", read)


def one_of(*numbers: int) -> Form:
    """The form of one of some whole numbers, as ``number``."""
    listed = or_list(map(str, numbers))

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str) or int(value) not in numbers:
            raise ValueError
        return int(value)

    return Form(listed, f"write {listed}", read)


def of_unit(unit: str) -> str:
    """`` of seconds``; nothing for no unit."""
    return f" of {unit}" if unit else ""


def choice(words: type[StrEnum]) -> Form:
    """The form of one word of an enumeration."""
    listed = or_list(words)
    return Form(listed, f"write {listed}", words)


def or_list(words: Iterable[str]) -> str:
    """``a, b or c``."""
    *first, last = [str(word) for word in words]
    return f"{', '.join(first)} or {last}" if first else last


LISTEN: Final = Form("HOST:PORT", "write for example 127.0.0.1:8080, or 0.0.0.0:8080 for every interface", read_listen)
PUBLIC_URL: Final = Form(
    "https://HOST[:PORT][/PATH]",
    "write the URL at which the carrier reaches relay; http:// is for this machine only, as http://127.0.0.1:8080",
    lambda value: read_url(value, path=True),
)
API_URL: Final = Form(
    "https://HOST[:PORT][/PATH]",
    "write it as the carrier has it; http:// is for this machine only, as the account's secret is sent there",
    lambda value: read_url(value, path=True),
)
ORIGIN: Final = Form(
    "http://HOST:PORT",
    "write what `relay dev room` prints, without /rooms/NAME: http://127.0.0.1:8090",
    lambda value: read_url(value, path=False, insecure_anywhere=True),
)
REDIS_URL: Final = Form(
    "redis://HOST:PORT/DB, rediss://... or unix:///PATH",
    "write for example redis://127.0.0.1:6379/0, or remove it: relay then runs a Valkey of its own",
    read_redis_url,
    is_secret=True,
)
NUMBER: Final = text_like(
    E164.pattern, "an E.164 number", "write + and the country code first, digits only, such as +14155550123"
)
PREFIX_OF_NUMBERS: Final = text_like(
    PREFIX.pattern, "+ and the first digits of numbers", "write + and the country code first, such as +1415"
)
NETWORK: Final = Form("an address or a network, not /0", "write for example 192.0.2.7 or 192.0.2.0/24", read_network)
LIST: Final = Form(
    "a list", "write VALUE,VALUE in the environment and [VALUE, VALUE] in relay.toml, or remove it", read_list
)
BOOL: Final = Form("true or false", "write true or false", read_bool)
DAILY_DOMAIN: Final = text_like(
    "[a-z0-9-]{1,63}", "a Daily domain's name", "write mycompany for rooms at https://mycompany.daily.co"
)
API_KEY: Final = secret(
    r"[A-Za-z0-9._~+/=-]{16,256}",  # what a bearer token may be made of (RFC 6750)
    "16 to 256 letters, digits and . _ ~ + / = -",
    "make one with `openssl rand -hex 32`",
)
SECRET_TEXT: Final = secret(r"[!-~]{8,256}", "8 to 256 characters without spaces", "copy it whole, without quotes")
REDIS_PREFIX: Final = text_like("[A-Za-z0-9_.-]{1,32}", "1 to 32 letters, digits and _ . -", "write for example relay")
_UUID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
UUID: Final = text_like(_UUID, "a UUID", "copy it whole: 32 hexadecimal digits in lower case with four hyphens")
DOMAIN_ID: Final = text_like(
    _UUID,
    "a UUID",
    'copy domain_id of `curl -H "Authorization: Bearer KEY" https://api.daily.co/v1/`',
)
