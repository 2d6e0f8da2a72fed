"""Redaction: what is secret leaves a scene before it is written.

Two rules, both applied everywhere: by the name a value goes under ("password", "x-api-key") and by the
shape of the value itself (a bearer token, a private key, a card number). `docs/redaction.md` lists them.
Only the places that were redacted are kept, never the values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

__all__ = ["PLACEHOLDER", "Redactor", "split_words"]

PLACEHOLDER: Final = "[redacted]"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W_A-Za-z0-9]+")
_MAX_KEY = 128
_CACHE_LIMIT = 4096
_MAX_JSON_DEPTH = 200


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# ---------------------------------------------------------------- by name

_SECRET_WORDS = _words(
    """password passwords passwd pwd passphrase passcode secret secrets token authorization cookie cookies
    credential credentials creds jwt bearer csrf xsrf otp totp cvv cvc ssn apikey apikeys privatekey secretkey
    accesskey sessionid sessionkey cardnumber setcookie"""
)
_SECRET_ENDINGS = tuple(
    _words("password passwd passphrase secret token apikey secretkey privatekey accesskey")
)
_SECRET_PAIRS = _words(
    """api_key api_keys access_key secret_key private_key private_keys signing_key encryption_key master_key
    ssh_key auth_key account_key session_id session_key card_number card_no pin_code security_code shared_key
    license_key service_key access_tokens refresh_tokens auth_tokens api_tokens session_tokens"""
)
_PASS_OWNERS = _words("db user smtp mysql pg postgres root admin login ftp redis mail email ssh http proxy")
# Words that make of a secret's name the name of something about it: "token_count", "has_password".
_ABOUT_LAST = _words(
    """count counts counter length len size limit limits type types expiry expires expiration ttl url uri
    endpoint policy regex pattern min max usage index valid required enabled changed age field at seconds name
    names label version used bucket"""
)
_ABOUT_FIRST = _words("has is num max min total n next prev requires needs use uses allow")
# Names that are a secret only when the value is text: as an object (a database session) it is looked into.
_WEAK_NAMES = _words("session auth sid pin pass http_auth basic_auth proxy_auth")
_HARMLESS_VALUES = _words(
    "none null true false str int bytes string required missing invalid expired *** ****"
)


def split_words(name: str) -> list[str]:
    """The lower-case words of a name in any convention: "Api-Key", "apiKey", "API_KEY" -> ["api", "key"]."""
    return [word.lower() for word in _WORDS.findall(name)]


def _classify(words: list[str], extra: frozenset[str]) -> str:
    """ "strong", "weak" or "" for the words of a name."""
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


# ---------------------------------------------------------------- by value


def _rule(*parts: str) -> re.Pattern[str]:
    return re.compile("".join(parts))


# (one of these is in the lower-case text, pattern whose group "secret" is replaced)
_TextRule = tuple[tuple[str, ...], re.Pattern[str]]
_ANYWHERE_RULES: Final[tuple[_TextRule, ...]] = (
    (
        ("-----begin",),
        _rule(
            r"(?P<secret>-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?",
            r"(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z))",
        ),
    ),
    (("bearer ",), _rule(r"(?i)\bbearer\s+(?P<secret>[A-Za-z0-9._~+/=-]{8,})")),
    (
        ("basic ",),
        _rule(r"\b[Bb](?i:asic)\s+(?P<secret>(?=[a-z]*[0-9+/=A-Z])[A-Za-z0-9+/]{8,}={0,2})(?![A-Za-z0-9])"),
    ),
    (("eyj",), _rule(r"\b(?P<secret>eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4})")),
    (("akia", "asia"), _rule(r"\b(?P<secret>A(?:KIA|SIA)[A-Z0-9]{16})\b")),
    (("aiza", "ya29."), _rule(r"\b(?P<secret>AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,})")),
    (
        ("xox", "xapp-", "slack"),
        _rule(
            r"(?P<secret>\bxox[abeoprs]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}",
            r"|(?<=hooks\.slack\.com/services/)[\w/]{20,})",
        ),
    ),
    (("sk-", "pypi-"), _rule(r"\b(?P<secret>sk-(?:[a-z]+-)*[A-Za-z0-9_-]{20,}|pypi-[\w-]{40,})")),
    (("glpat-",), _rule(r"\b(?P<secret>glpat-[\w-]{16,})")),
    (("://",), _rule(r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"'<>]*:(?P<secret>[^\s/@\"'<>]+)@")),
)
_UNDERSCORE_RULES: Final[tuple[_TextRule, ...]] = (
    (("gh", "github_pat_"), _rule(r"\b(?P<secret>gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})")),
    (
        ("_live_", "_test_", "whsec_"),
        _rule(r"\b(?P<secret>(?:[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{10,})"),
    ),
    (("npm_", "hf_"), _rule(r"\b(?P<secret>npm_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{30,})")),
)
_AZURE = _rule(r"(?i)\b(?:AccountKey|SharedAccessKey|sig)=(?P<secret>[A-Za-z0-9+/%]{16,}=*)")
# name=value, name: value, "name": "value" in running text; the name is judged by the same rules as a key.
_ASSIGNMENT = _rule(
    r"(?<![A-Za-z0-9_])(?P<name>[A-Za-z][A-Za-z0-9_-]{0,60})",
    r"""(?P<sep>\\?["']?\s{0,2}[=:]\s{0,2})""",
    r"""(?P<secret>(?P<quote>\\?["'])(?:(?!(?P=quote))(?:\\[\s\S]|[\s\S])){0,4000}""",
    r"""|[^\s"'&;,)}\]\\]{1,4000})""",
)
# The same in program text, where only a literal on one line can be a secret.
_LITERAL = _rule(
    r"(?<![A-Za-z0-9_])(?P<name>[A-Za-z_][A-Za-z0-9_-]{0,60})",
    r"""(?P<sep>["']?\]?\s{0,2}[=:]\s{0,2})""",
    r"""(?P<secret>(?P<quote>["'])(?:(?!(?P=quote))(?:\\.|[^\\\n])){1,400})(?=["'])""",
)
_HEADER_LINE = _rule(
    r"(?im)^(?P<head>\s*(?:set-cookie|cookie|authorization|proxy-authorization)\s*:\s*)(?P<secret>[^\r\n]+)"
)
_CARD = _rule(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w-])(?!\.\d)")
# A cheap look before the pattern: digits become "0", blanks and hyphens vanish; 13 zeros may be a card.
_DIGITS: Final = bytes(48 if 48 <= code <= 57 else 120 for code in range(256))
_CARD_LENGTH: Final = b"0" * 13


def _luhn(digits: str) -> bool:
    total = 0
    for position, char in enumerate(reversed(digits)):
        number = int(char)
        if position % 2:
            number = number * 2 - 9 if number > 4 else number * 2
        total += number
    return total % 10 == 0


def _hide_card(match: re.Match[str]) -> str:
    digits = match.group().replace(" ", "").replace("-", "")
    return PLACEHOLDER if digits[0] in "23456" and _luhn(digits) else match.group()


def _hide_group(match: re.Match[str]) -> str:
    start, end = match.span("secret")
    whole = match.group()
    offset = match.start()
    return whole[: start - offset] + PLACEHOLDER + whole[end - offset :]


class Redactor:
    """Removes secrets. One per application: `keys` are further names that count as secret there.

    Thread-safe: its only state is a bounded cache of judged names.
    """

    __slots__ = ("_cache", "_extra", "_hints")

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._extra = frozenset(filter(None, ("_".join(split_words(key)) for key in keys)))
        self._cache: dict[str, str] = {}
        # the first word of a name must be in the text before the name can be
        self._hints = tuple(name.split("_")[0] for name in self._extra)

    # ------------------------------------------------------------ names

    def secret_key(self, name: str) -> str:
        """How secret what goes under `name` is: "strong" (whatever it is), "weak" (if it is text), or ""."""
        known = self._cache.get(name)
        if known is None:
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            known = self._cache[name] = _classify(split_words(name[:_MAX_KEY]), self._extra)
        return known

    # ------------------------------------------------------------ text

    def text(self, text: str) -> str:
        """`text` with every secret in it replaced; the same object where there was none."""
        if len(text) < 6:
            return text
        lower = text.lower()
        result = text
        if _may_match(lower):
            result = _apply_rules(text, lower, _ANYWHERE_RULES)
            result = _apply_rules(result, lower, _UNDERSCORE_RULES)
        if ("=" in lower or ":" in lower) and self._may_assign(lower):
            result = self._assignments(result)
        if len(text) >= len(_CARD_LENGTH) and _CARD_LENGTH in text.encode("ascii", "replace").translate(
            _DIGITS, b" -"
        ):
            result = _CARD.sub(_hide_card, result)
        return result if result != text else text

    def source(self, text: str) -> str:
        """Program text without its secrets. Only literals count: `password = ask()` stays as it is. Lines
        stay where they are."""
        lower = text.lower()
        result = _apply_rules(text, lower, _ANYWHERE_RULES)
        result = _apply_rules(result, lower, _UNDERSCORE_RULES)
        if self._may_assign(lower):
            result = "\n".join([self._literals(line) for line in result.split("\n")])
        if result.count("\n") != text.count("\n"):
            # a key over several lines: the lines below must keep their numbers
            result += "\n" * (text.count("\n") - result.count("\n"))
        return result

    def _literals(self, line: str) -> str:
        """One line of program text; most hold no literal under a secret's name and cost next to nothing."""
        quoted = '"' in line or "'" in line
        if quoted and ("=" in line or ":" in line) and self._may_assign(line.lower()):
            return _LITERAL.sub(self._hide_assignment, line)
        return line

    def _may_assign(self, lower: str) -> bool:
        """Whether the text may hold a secret's name. Flat, for the same reason as _may_match."""
        if (
            ("p" in lower and ("pass" in lower or "pin" in lower or "pwd" in lower or "otp" in lower))
            or ("k" in lower and ("key" in lower or "token" in lower or "cook" in lower))
            or "auth" in lower
            or "secret" in lower
            or "cred" in lower
            or "session" in lower
            or "card" in lower
            or "sid" in lower
            or ("b" in lower and "bearer" in lower)
        ):
            return True
        if ("g" in lower and "sig=" in lower) or ("v" in lower and "cv" in lower) or "ssn" in lower:
            return True
        if ("j" in lower and "jwt" in lower) or ("f" in lower and "srf" in lower):
            return True
        return any(hint in lower for hint in self._hints) if self._hints else False

    def _assignments(self, text: str) -> str:
        text = _AZURE.sub(_hide_group, text)
        text = _HEADER_LINE.sub(_hide_group, text)
        return _ASSIGNMENT.sub(self._hide_assignment, text)

    def _hide_assignment(self, match: re.Match[str]) -> str:
        value = match.group("secret")
        bare = value.strip("\\\"'")
        strength = self.secret_key(match.group("name"))
        if not strength or (
            strength == "weak" and "=" not in match.group("sep") and not match.group("quote")
        ):
            # a harmless name may hold an assignment itself: url: "https://h/?token=..."
            inner = _ASSIGNMENT.sub(self._hide_assignment, value) if bare else value
            return match.group()[: len(match.group()) - len(value)] + inner
        if not bare or bare.startswith(PLACEHOLDER[:-1]) or bare.lower() in _HARMLESS_VALUES:
            return match.group()
        quote = match.group("quote") or ""
        return match.group()[: len(match.group()) - len(value)] + quote + PLACEHOLDER

    # ------------------------------------------------------------ structures

    def json_bytes(self, data: bytes, path: str = "event", redacted: list[str] | None = None) -> bytes:
        """JSON text without its secrets, still JSON; the same bytes where there was none. What is not JSON is
        treated as text. The places go to `redacted` as "event.headers.authorization"."""
        found: list[str] = [] if redacted is None else redacted
        before = len(found)
        try:
            value = json.loads(data)
            clean = self.value(value, path, found)
            return json.dumps(clean, ensure_ascii=False).encode() if len(found) > before else data
        except (ValueError, RecursionError):
            del found[before:]
        text = data.decode("utf-8", "surrogateescape")
        hidden = self.text(text)
        if hidden == text:
            return data
        found.append(path)
        return hidden.encode("utf-8", "surrogateescape")

    def value(self, value: object, path: str, redacted: list[str], depth: int = 0) -> object:
        """A copy of plain data (dict, list, str, numbers) without its secrets."""
        if isinstance(value, str):
            clean = self.text(value)
            if clean is not value:
                redacted.append(path)
            return clean
        if depth > _MAX_JSON_DEPTH:
            raise RecursionError
        if isinstance(value, dict):
            return {
                key: self._entry(str(key), item, f"{path}.{key}", redacted, depth)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [
                self.value(item, f"{path}[{index}]", redacted, depth + 1) for index, item in enumerate(value)
            ]
        if isinstance(value, int) and not isinstance(value, bool) and value > 10**11:
            clean = self.text(str(value))
            if clean == PLACEHOLDER:
                redacted.append(path)
                return clean
        return value

    def _entry(self, name: str, value: object, path: str, redacted: list[str], depth: int) -> object:
        strength = self.secret_key(name)
        empty = value is None or isinstance(value, bool) or value in ("", [], {})
        if not empty and (strength == "strong" or (strength and isinstance(value, str | int))):
            redacted.append(path)
            return PLACEHOLDER
        return self.value(value, path, redacted, depth + 1)

    def headers(
        self, headers: Iterable[tuple[str, str]], path: str, redacted: list[str]
    ) -> list[tuple[str, str]]:
        """HTTP headers without their secrets, in their order."""
        return [
            (name, str(self._entry(name, value, f"{path}.{name}", redacted, 0))) for name, value in headers
        ]

    def environment(self, environment: Mapping[str, str], path: str, redacted: list[str]) -> dict[str, str]:
        """Environment variables without their secrets."""
        clean: dict[str, str] = {}
        for name, value in environment.items():
            # PWD is the working folder
            shown = value if name == "PWD" else self._entry(name, value, f"{path}.{name}", redacted, 0)
            clean[name] = str(shown)
        return clean


def _may_match(lower: str) -> bool:
    """Whether some rule may match. One flat expression: a loop over the hints takes three times as long.
    To look for one character first costs a fifth of looking for a word."""
    return (
        ("/" in lower and "://" in lower)
        or ("b" in lower and ("bearer " in lower or "basic " in lower))
        or "asia" in lower
        or ("j" in lower and "eyj" in lower)
        or ("k" in lower and ("akia" in lower or "slack" in lower or "sk-" in lower))
        or ("x" in lower and "xox" in lower)
        or ("y" in lower and "ya29." in lower)
        or ("z" in lower and "aiza" in lower)
        or ("-" in lower and _may_match_hyphen(lower))
        or ("_" in lower and _may_match_underscore(lower))
    )


def _may_match_hyphen(lower: str) -> bool:
    if "p" in lower and ("glpat-" in lower or "xapp-" in lower or "pypi-" in lower):
        return True
    return "-----begin" in lower


def _may_match_underscore(lower: str) -> bool:
    return (
        "_live_" in lower
        or "_test_" in lower
        or "gh" in lower
        or "github_pat_" in lower
        or "whsec_" in lower
        or "npm_" in lower
        or "hf_" in lower
    )


def _apply_rules(text: str, lower: str, rules: tuple[_TextRule, ...]) -> str:
    for hints, pattern in rules:
        for hint in hints:
            if hint in lower:
                text = pattern.sub(_hide_group, text)
                break
    return text
