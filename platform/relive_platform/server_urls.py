"""Where a server of others is: a URL, or the environment variable that has it. Only those have passwords."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from relive_base.addresses import names_password, without_password
from relive_base.errors import UsageError

__all__ = ["REFERENCE", "AddressError", "hide", "problems_of", "resolve", "shown"]

REFERENCE: Final = "env:"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_SECRET_LENGTH: Final = 4
_SECRET_PARTS: Final = ("pass", "secret", "token")
_HIDDEN: Final = "***"


class AddressError(UsageError):
    """An address is not known."""


def problems_of(url: str, schemes: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the key `url`, as TriggerConfig.problems."""
    if url.startswith(REFERENCE):
        if not _VARIABLE.fullmatch(url.removeprefix(REFERENCE)):
            yield "url", f"{url!r} names no environment variable", 'write as in "env:DATABASE_URL"'
    elif not _has_scheme(url, schemes):
        yield "url", f"{without_password(url)!r} is not an address of this kind", _expected(schemes)
    elif names_password(url) or _secret_parameters(url):
        hint = 'put the URL into an environment variable of the server and write url = "env:ITS_NAME"'
        yield "url", "the URL has a password, and a deployed file is no place for one", hint


def resolve(url: str, schemes: Collection[str], environment: Mapping[str, str]) -> str:
    """The address itself. Raises AddressError, which never tells what a variable holds."""
    if not url.startswith(REFERENCE):
        return url
    name = url.removeprefix(REFERENCE)
    value = environment.get(name, "").strip()
    if not value:
        raise AddressError(
            f"the environment variable {name} is not set", hint="set it where `relive serve` is started"
        )
    if not _has_scheme(value, schemes):  # any other variable of the server is none of a function's business
        raise AddressError(f"the environment variable {name} is no such address", hint=_expected(schemes))
    return value


def shown(url: str) -> str:
    """As people may read it: a reference, or an address without its password."""
    return url if url.startswith(REFERENCE) else without_password(url)


def hide(text: str, address: str) -> str:
    """A text of somebody else, such as an error, without the address and the password in it."""
    for secret in _secrets(address):
        text = text.replace(secret, _HIDDEN)
    return text


def _secret_parameters(url: str) -> list[str]:
    """Values of a query that are passwords, as in ?password=..."""
    from urllib.parse import parse_qsl, urlsplit

    try:
        pairs = parse_qsl(urlsplit(url).query)
    except ValueError:
        return []
    return [value for key, value in pairs if any(part in key.lower() for part in _SECRET_PARTS)]


def _secrets(address: str) -> list[str]:
    from urllib.parse import unquote, urlsplit

    found = [address]
    try:
        parts = urlsplit(address)
        if parts.password:
            found += [parts.password, unquote(parts.password)]
        found += _secret_parameters(address)
    except ValueError:
        pass  # not a URL: the whole of it is hidden
    return sorted({text for text in found if len(text) >= _SECRET_LENGTH}, key=len, reverse=True)


def _has_scheme(url: str, schemes: Collection[str]) -> bool:
    head, found, rest = url.partition("://")
    return bool(found) and head.lower() in schemes and bool(rest.strip())


def _expected(schemes: Collection[str]) -> str:
    return f'begin it with {" or ".join(f"{scheme}://" for scheme in schemes)}, or write "env:VARIABLE"'
