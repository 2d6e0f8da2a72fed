"""Secrets to plant, by where they are planted, and how they would look if they had leaked. Plain data."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from urllib.parse import quote

__all__ = ["PLANTED", "found_in", "value_of"]


def _digits(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _mixed(name: str, length: int = 40) -> str:
    """Letters of both cases and digits, as keys have them."""
    text = base64.b64encode(hashlib.sha512(name.encode()).digest()).decode()
    return "".join(char for char in text if char.isalnum())[:length]


def _plain(name: str) -> str:
    """Nothing gives it away but the name that it stands under."""
    return f"{name[:3]}-{_digits(name)[:12]}q"


# Where a value stands under a telling name.
_BY_NAME: str = """
    request header, cookie header, query, form body, multipart body, json event, json event in a
    list, json event pair, json event named value, json string in json, own name, response header,
    response cookie, result, environment, secret local, bytes local, dict local, key of bytes,
    dataclass field, namedtuple field, pair in a list, option in a list, object attribute, slot,
    default argument, closure variable, nested list, weak session, kept environment, mapping proxy,
    exception message, exception argument, exception attribute, exception note, cause message,
    context message, group member, printed, printed repr, printed later, past python, subprocess
    output, logged argument, logged extra, logged exception, warning, span name, span attribute,
    span event, span status, span exception, link attribute, source literal, source annotation,
    source default, source comment, source long literal, source in a list, source dsn, thread local,
    thread exception, subprocess argument, bad result, bad result argument, unserialisable, bad
    event, hanging local, hanging dict, crashing print, queue event, called url, called header,
    called body, answered header, answered body, answered cookie, escaped name, percent name,
    fullwidth name, xml, sql, big string, task local
"""
# What its own form gives away, wherever it stands.
_FORMS = {
    "bearer": "Bearer " + _mixed("bearer"),
    "basic": "Basic " + base64.b64encode(b"ada:" + _mixed("basic").encode()).decode(),
    "jwt": f"eyJhbGciOiJIUzI1NiJ9.{_mixed('jwt')}.{_mixed('jwt2')}",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join(_mixed(f"pem{number}", 64) for number in range(8))
    + "\n-----END RSA PRIVATE KEY-----",
    "long pem": "-----BEGIN PRIVATE KEY-----\n"
    + "\n".join(_mixed(f"long{number}", 64) for number in range(40))
    + "\n-----END PRIVATE KEY-----",
    "printed pem": "-----BEGIN EC PRIVATE KEY-----\n"
    + "\n".join(_mixed(f"printed{number}", 64) for number in range(3))
    + "\n-----END EC PRIVATE KEY-----",
    "aws": "AKIA" + _digits("aws")[:16].upper(),
    "google": "AIza" + _mixed("google", 35),
    "google oauth": "ya29." + _mixed("oauth"),
    "github": "ghp_" + _mixed("github", 36),
    "github pat": "github_pat_" + _mixed("pat", 40),
    "gitlab": "glpat-" + _mixed("gitlab", 20),
    "slack": "xoxb-123456789012-" + _mixed("slack", 24),
    "slack hook": "https://hooks.slack.com/services/T00000000/B00000000/" + _mixed("hook", 24),
    "stripe": "sk_live_" + _mixed("stripe", 24),
    "openai": "sk-proj-" + _mixed("openai", 40),
    "npm": "npm_" + _mixed("npm", 36),
    "pypi": "pypi-" + _mixed("pypi", 60),
    "hugging face": "hf_" + _mixed("hf", 34),
    "azure": "AccountName=x;AccountKey=" + _mixed("azure") + "==",
    "card": "4111 1111 1111 1111",
    "card in digits": "5500000000000004",
    "dsn": "postgres://ada:" + _plain("dsn") + "@db.internal:5432/shop",
    "url user": "https://" + _mixed("user", 20) + "@api.example.org/v1",
    "as a key": "ghp_" + _mixed("key", 36),
    "across the limit": "x" * 180 + " ghp_" + _mixed("across", 36),
}

PLANTED: dict[str, str] = {
    **{name: _plain(name) for name in (" ".join(words.split()) for words in _BY_NAME.split(","))},
    **_FORMS,
}
"""Where -> what is planted there; what must not be found of it is its `cores`."""

_CORES: dict[str, list[str]] = {
    "bearer": [_mixed("bearer")],
    "basic": [_mixed("basic"), _FORMS["basic"].removeprefix("Basic ")[8:40]],
    "jwt": [_mixed("jwt"), _mixed("jwt2")],
    "pem": [_mixed(f"pem{number}", 64) for number in range(8)],
    "long pem": [_mixed(f"long{number}", 64) for number in range(40)],
    "printed pem": [_mixed(f"printed{number}", 64) for number in range(3)],
    "slack hook": [_mixed("hook", 24)],
    "azure": [_mixed("azure")],
    "dsn": [_plain("dsn")],
    "url user": [_mixed("user", 20)],
    "across the limit": [_mixed("across", 36)[:20]],
}


def value_of(name: str) -> str:
    """What is planted under a name of PLANTED."""
    return PLANTED[name]


def _ways(core: str) -> Iterable[bytes]:
    """The bytes that would be there: as it is, percent-encoded, as hex, and in base64 at any offset."""
    raw = core.encode()
    yield raw
    yield quote(core, safe="").encode()
    yield raw.hex().encode()
    for offset in range(3):
        inner = base64.b64encode(b"\0" * offset + raw)
        yield inner[4 * (offset > 0) : len(inner) - 4]


_NEEDLES = {
    name: {way for core in _CORES.get(name, [value]) for way in _ways(core) if len(way) >= 10}
    for name, value in PLANTED.items()
}


def found_in(data: bytes) -> list[str]:
    """The names of all planted secrets that can be found in some bytes."""
    return [name for name, needles in _NEEDLES.items() if any(needle in data for needle in needles)]
