"""Which names say that what goes under them is a secret: "password", "x-api-key", "dbPassword"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

__all__ = ["classify", "may_name", "name_places", "split_words"]

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W_A-Za-z0-9]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SECRET_WORDS: Final = _words(
    """password passwords passwd pwd passphrase passcode secret secrets token authorization cookie cookies
    credential credentials creds jwt bearer csrf xsrf otp totp cvv cvc ssn apikey apikeys privatekey secretkey
    accesskey sessionid sessionkey cardnumber setcookie"""
)
_SECRET_ENDINGS: Final = tuple(
    _words("password passwd passphrase secret token apikey secretkey privatekey accesskey")
)
_SECRET_PAIRS: Final = _words(
    """api_key api_keys access_key secret_key private_key private_keys signing_key encryption_key master_key
    ssh_key auth_key account_key session_id session_key card_number card_no pin_code security_code shared_key
    license_key service_key access_tokens refresh_tokens auth_tokens api_tokens session_tokens amz_signature
    goog_signature auth_header identified_by"""
)
_PASS_OWNERS: Final = _words(
    "db user smtp mysql pg postgres root admin login ftp redis mail email ssh http proxy"
)
# Words that make of a secret's name the name of something about it: "token_count", "has_password".
_ABOUT_LAST: Final = _words(
    """count counts counter length len size limit limits type types expiry expires expiration ttl url uri
    endpoint policy regex pattern min max usage index valid required enabled changed age field at seconds name
    names label version used bucket"""
)
_ABOUT_FIRST: Final = _words("has is num max min total n next prev requires needs use uses allow")
# Names that are a secret only when the value is text: as an object (a database session) it is looked into.
_WEAK_NAMES: Final = _words("session auth sid pin pass http_auth basic_auth proxy_auth")


_HINTS: Final = (
    "pass", "pin", "pwd", "otp", "key", "token", "cook", "auth", "secret", "cred", "session", "card", "sid",
    "bearer", "identified", "sig=", "signature", "cv", "ssn", "jwt", "srf", "security",
)  # fmt: skip


def split_words(name: str) -> list[str]:
    """The lower-case words of a name in any convention: "Api-Key", "apiKey", "API_KEY" -> ["api", "key"]."""
    return [word.lower() for word in _WORDS.findall(name)]


def classify(words: list[str], extra: frozenset[str]) -> str:
    """ "strong", "weak" or "" for the words of a name; `extra` are further names, their words joined by _."""
    if not words:
        return ""
    joined = "_".join(words)
    if joined in extra or any(word in extra for word in words):
        return "strong"
    if joined in _WEAK_NAMES:
        return "weak"
    if len(words) > 1 and (words[-1] in _ABOUT_LAST or words[0] in _ABOUT_FIRST):
        return ""
    if any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDINGS) for word in words):
        return "strong"
    for first, second in pairwise(words):
        if f"{first}_{second}" in _SECRET_PAIRS or (second == "pass" and first in _PASS_OWNERS):
            return "strong"
    return ""


def may_name(lower: str) -> bool:
    """Whether a text (in lower case) may hold a secret's name. One flat expression: a loop over the hints
    takes three times as long; to look for one character first costs a fifth of looking for a word."""
    if (
        ("p" in lower and ("pass" in lower or "pin" in lower or "pwd" in lower or "otp" in lower))
        or ("k" in lower and ("key" in lower or "token" in lower or "cook" in lower))
        or "auth" in lower
        or "secret" in lower
        or "cred" in lower
        or "session" in lower
        or "card" in lower
        or "sid" in lower
        or ("b" in lower and ("bearer" in lower or "identified" in lower))
    ):
        return True
    if ("g" in lower and ("sig=" in lower or "signature" in lower)) or ("v" in lower and "cv" in lower):
        return True
    return (
        "ssn" in lower
        or ("j" in lower and "jwt" in lower)
        or ("f" in lower and "srf" in lower)
        or ("y" in lower and "security" in lower)
    )


def name_places(lower: str, extra: Iterable[str] = ()) -> list[int]:
    """Where in a text (in lower case) a secret's name may be: at or around these places, in order. `extra`:
    what else to look for. Empty where `may_name` says that there is none."""
    places: list[int] = []
    for hint in (*_HINTS, *extra):
        place = lower.find(hint)
        while place >= 0:
            places.append(place)
            place = lower.find(hint, place + 1)
    return sorted(places)
