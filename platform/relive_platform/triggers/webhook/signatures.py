"""How senders of webhooks sign: GitHub, Stripe, Slack, Standard Webhooks, a plain HMAC, a shared token.

Pure functions of headers, body, secrets and the time. Comparisons take the same time wherever texts differ,
and every candidate is compared with every secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["SCHEMES", "BadSecret", "BadSignature", "Signed", "Terms", "Verified"]

_CANDIDATES: Final = 8  # signatures that one request may carry
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


class BadSignature(ValueError):
    """The request is not signed by who has the secret, or too long ago."""


class BadSecret(ValueError):
    """The secret cannot be one of this scheme."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a trigger says of its sender; the last six are for the schemes "hmac" and "token"."""

    tolerance_s: float = 300.0
    header: str = ""
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    id_header: str = ""
    timestamp_header: str = ""


@dataclass(frozen=True, slots=True)
class Signed:
    """A request. Header names are lower case."""

    headers: Mapping[str, str]
    body: bytes
    now_s: float


@dataclass(frozen=True, slots=True)
class Verified:
    """Who sent it has the secret. `delivery`: the sender's id of it, "" if it gives none; `signature`: the
    one that fits; `timed`: whether it covers a time, so that no two events have the same."""

    delivery: str = ""
    signature: str = ""
    timed: bool = False


Verify = Callable[[Signed, Sequence[bytes], Terms], Verified]


def _header(request: Signed, name: str) -> str:
    value = request.headers.get(name, "")
    if not value:
        raise BadSignature(f"the header {name} is missing")
    return value


def _fresh(request: Signed, text: str, terms: Terms) -> str:
    """The time of signing, if it is near enough to now, before or after."""
    if not _SECONDS.fullmatch(text):
        raise BadSignature("the time of signing is not a number of seconds")
    if abs(request.now_s - int(text)) > terms.tolerance_s:
        raise BadSignature(f"it was signed more than {terms.tolerance_s:g} s from now by this server's clock")
    return text


def _match(
    content: bytes, secrets: Sequence[bytes], algorithm: str, given: Iterable[tuple[str, bytes]]
) -> str:
    """The first of the signatures (as written, and its bytes) that one of the secrets makes."""
    found = ""
    candidates = list(given)[:_CANDIDATES]
    for secret in secrets:
        digest = hmac.digest(secret, content, algorithm)
        for written, candidate in candidates:
            if hmac.compare_digest(digest, candidate) and not found:
                found = written
    if not found:
        raise BadSignature("the signature is another one")
    return found


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text) if text.isascii() else b""
    except ValueError:
        return b""


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if text.isascii() else b""
    except (binascii.Error, ValueError):
        return b""


def _github(request: Signed, secrets: Sequence[bytes], terms: Terms) -> Verified:
    name, _, text = _header(request, "x-hub-signature-256").partition("=")
    if name != "sha256":
        raise BadSignature("x-hub-signature-256 does not begin with sha256=")
    found = _match(request.body, secrets, "sha256", [(text, _hex(text))])
    return Verified(request.headers.get("x-github-delivery", ""), found)


def _stripe(request: Signed, secrets: Sequence[bytes], terms: Terms) -> Verified:
    parts = [part.strip().partition("=") for part in _header(request, "stripe-signature").split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1:
        raise BadSignature("stripe-signature has no single t=")
    time = _fresh(request, times[0], terms)
    given = [(value, _hex(value)) for name, _, value in parts if name == "v1"]
    found = _match(time.encode() + b"." + request.body, secrets, "sha256", given)
    return Verified("", found, True)


def _slack(request: Signed, secrets: Sequence[bytes], terms: Terms) -> Verified:
    time = _fresh(request, _header(request, "x-slack-request-timestamp"), terms)
    name, _, text = _header(request, "x-slack-signature").partition("=")
    if name != "v0":
        raise BadSignature("x-slack-signature does not begin with v0=")
    content = b"v0:" + time.encode() + b":" + request.body
    return Verified("", _match(content, secrets, "sha256", [(text, _hex(text))]), True)


def _standard(request: Signed, secrets: Sequence[bytes], terms: Terms) -> Verified:
    """https://www.standardwebhooks.com; senders that have not changed yet write svix- instead of webhook-."""
    names = "svix" if "webhook-id" not in request.headers and "svix-id" in request.headers else "webhook"
    ident = _header(request, f"{names}-id")
    time = _fresh(request, _header(request, f"{names}-timestamp"), terms)
    parts = [part.partition(",") for part in _header(request, f"{names}-signature").split()]
    given = [(value, _base64(value)) for name, _, value in parts if name == "v1"]
    keys = [_standard_key(secret) for secret in secrets]
    content = b".".join((ident.encode("latin-1", "replace"), time.encode(), request.body))
    return Verified(ident, _match(content, keys, "sha256", given), True)


def _standard_key(secret: bytes) -> bytes:
    """The key that a secret of Standard Webhooks stands for. Raises BadSecret."""
    key = _base64(secret.decode("latin-1").removeprefix("whsec_"))
    if not key:
        raise BadSecret("a secret of Standard Webhooks is whsec_ and base64")
    return key


def _hmac(request: Signed, secrets: Sequence[bytes], terms: Terms) -> Verified:
    text = _header(request, terms.header)
    if not text.startswith(terms.prefix):
        raise BadSignature(f"{terms.header} does not begin with {terms.prefix}")
    text = text[len(terms.prefix) :]
    content, fresh = request.body, False
    if terms.timestamp_header:
        time = _fresh(request, _header(request, terms.timestamp_header), terms)
        content, fresh = time.encode() + b"." + content, True
    given = _hex(text) if terms.encoding == "hex" else _base64(text)
    found = _match(content, secrets, terms.algorithm, [(text, given)])
    return Verified(request.headers.get(terms.id_header, "") if terms.id_header else "", found, fresh)


def _token(request: Signed, secrets: Sequence[bytes], terms: Terms) -> Verified:
    """GitLab and others send the secret itself. Hashed first, so that its length takes no other time
    either."""
    text = _header(request, terms.header)
    if terms.prefix and not text.startswith(terms.prefix):
        raise BadSignature(f"{terms.header} does not begin with {terms.prefix}")
    given = hashlib.sha256(text[len(terms.prefix) :].encode("latin-1", "replace")).digest()
    known = [hmac.compare_digest(hashlib.sha256(secret).digest(), given) for secret in secrets]
    if not any(known):
        raise BadSignature("the token is another one")
    return Verified(request.headers.get(terms.id_header, "") if terms.id_header else "")


SCHEMES: Final[dict[str, Verify]] = {
    "github": _github,
    "stripe": _stripe,
    "slack": _slack,
    "standard": _standard,
    "hmac": _hmac,
    "token": _token,
}
