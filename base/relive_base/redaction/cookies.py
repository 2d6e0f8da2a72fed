"""Cookies without their values: names and attributes stay, and so does what is no secret (`lang=de`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from relive_base.patterns import LazyPattern

__all__ = ["hide_cookies"]

_ATTRIBUTES: Final = frozenset(
    [
        "path",
        "domain",
        "expires",
        "max-age",
        "samesite",
        "secure",
        "httponly",
        "partitioned",
        "priority",
        "version",
        "comment",
    ]
)
_PAIR: Final = LazyPattern(
    r"""(?P<before>(?:\A|[;,])\s{0,20})(?P<name>[^\s=;,"]{1,256})\s{0,5}=\s{0,5}(?P<value>"[^"]*"?|[^;]*?)"""
    r"""(?=\s*(?:;|\Z|,\s{0,20}[^\s=;,"]{1,256}\s{0,5}=))"""
)
# A language, a currency, a theme, a view, yes or no: letters only, and few of them.
_HARMLESS: Final = LazyPattern(r'"?(?:[A-Za-z]{0,10}(?:[-_][A-Za-z]{2,8})?|\d{0,2})"?')
_TELLING: Final = (
    "sess",
    "auth",
    "tok",
    "sid",
    "csrf",
    "xsrf",
    "pass",
    "secret",
    "key",
    "user",
    "login",
    "jwt",
)


def hide_cookies(text: str, placeholder: str, found: Callable[[str], None]) -> str:
    """The value of a Cookie or Set-Cookie header with `placeholder` for each cookie's value that may be a
    secret; `found` is told each of them. A text that has no cookie in it is one secret as a whole."""
    hidden = kept = 0
    parts: list[str] = []
    done = 0
    for match in _PAIR.finditer(text):
        name, value = match["name"], match["value"]
        kept += 1
        if (kept > 1 and name.lower() in _ATTRIBUTES) or _is_harmless(name, value, placeholder):
            continue
        hidden += 1
        start, end = match.span("value")
        parts += [text[done:start], placeholder]
        done = end
        found(value.strip('"'))
    if not kept:
        bare = text.strip()
        if not bare or bare.startswith(placeholder):
            return text
        found(bare)
        return placeholder
    return "".join([*parts, text[done:]]) if hidden else text


def _is_harmless(name: str, value: str, placeholder: str) -> bool:
    if value.startswith(placeholder[:-1]):
        return True
    lower = name.lower()
    return _HARMLESS.fullmatch(value) is not None and not any(word in lower for word in _TELLING)
