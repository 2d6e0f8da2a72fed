"""What is a secret by its own form, wherever it stands: a bearer token, a private key, a card number."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from relive_base.patterns import LazyPattern

__all__ = [
    "PLACEHOLDER",
    "hide_cards",
    "hide_forms",
    "hide_group",
    "hide_lines",
    "may_have_form",
    "undisguise",
]

PLACEHOLDER: Final = "[redacted]"

# (one of these is in the lower-case text, pattern whose group "secret" is replaced)
_TextRule = tuple[tuple[str, ...], LazyPattern]
_rule = LazyPattern

_RULES: Final[tuple[_TextRule, ...]] = (
    (
        ("-----begin",),
        _rule(
            r"(?P<secret>-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?",
            r"(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z))",
        ),
    ),
    (("bearer ",), _rule(r"[Bb](?<!\w[Bb])(?i:earer\s+(?P<secret>[A-Za-z0-9._~+/=-]{8,}))")),
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
    # The password may hold an @ itself: it ends at the last one of the authority.
    (("://",), _rule(r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"'<>]*:(?P<secret>[^\s/\"'<>]+)@")),
    (("://",), _rule(r"\bhttps?://(?P<secret>[A-Za-z0-9_-]{16,})@")),
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        _rule(r"\b(?P<secret>gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"),
    ),
    (
        ("_live_", "_test_", "whsec_"),
        _rule(r"\b(?P<secret>(?:[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{10,})"),
    ),
    (("npm_", "hf_"), _rule(r"\b(?P<secret>npm_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{30,})")),
)


def may_have_form(lower: str) -> bool:
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


def hide_group(match: re.Match[str]) -> str:
    """The match with its group "secret" replaced."""
    start, end = match.span("secret")
    whole = match.group()
    offset = match.start()
    return whole[: start - offset] + PLACEHOLDER + whole[end - offset :]


def hide_lines(match: re.Match[str]) -> str:
    """The same, with the lines that it had: what stands below keeps its number."""
    return hide_group(match) + "\n" * match["secret"].count("\n")


_AUTHORITY: Final = _rule(r"://(?:[^\s\"'<>@:]++|:(?!//))*+@")
"""Whether an address says who asks: found by its literal beginning, in a fraction of the rules' time."""


def hide_forms(text: str, lower: str, hide: Callable[[re.Match[str]], str] = hide_group) -> str:
    """`text` without what is a secret by its form; `lower` is the same in lower case."""
    for hints, pattern in _RULES:
        for hint in hints:
            if hint in lower and (hint != "://" or _AUTHORITY.search(text) is not None):
                text = pattern.sub(hide, text)
                break
    return text


# ---------------------------------------------------------------- card numbers

_CARD = _rule(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w-])(?!\.\d)")
# Beginnings that issuers use, with the lengths that they go with: of other numbers, one in ten passes Luhn.
_ISSUED = _rule(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|272[01]\d{12}|3[47]\d{13}",
    r"|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}|6(?:011|4[4-9]\d|5\d\d|2\d\d)\d{12,15}|(?:50|5[6-8]|6[37])\d{10,17}",
)
# A cheap look before the pattern: digits become "0", blanks and hyphens vanish; 13 zeros may be a card.
_DIGITS: Final = bytes(48 if 48 <= code <= 57 else 120 for code in range(256))
_CARD_LENGTH: Final = b"0" * 13


def hide_cards(text: str) -> str:
    """`text` without card numbers: 13 to 19 digits in an issuer's range that pass the Luhn check."""
    if len(text) < len(_CARD_LENGTH):
        return text
    if _CARD_LENGTH not in text.encode("ascii", "replace").translate(_DIGITS, b" -"):
        return text
    return _CARD.sub(_hide_card, text)


def _hide_card(match: re.Match[str]) -> str:
    digits = match.group().replace(" ", "").replace("-", "")
    return PLACEHOLDER if _ISSUED.fullmatch(digits) and _luhn(digits) else match.group()


def _luhn(digits: str) -> bool:
    total = 0
    for position, char in enumerate(reversed(digits)):
        number = int(char)
        if position % 2:
            number = number * 2 - 9 if number > 4 else number * 2
        total += number
    return total % 10 == 0


# ---------------------------------------------------------------- other ways to write the same

_ESCAPES = _rule(r"\\{1,4}(?:u00|x)(?P<code>[2-7][0-9a-fA-F])")
_PERCENT = _rule(r"%(?:25)?(?P<code>[2-7][0-9a-fA-F])")
_ENTITIES: Final = {"&quot;": '"', "&#34;": '"', "&#39;": "'", "&#x27;": "'", "&amp;": "&"}
# Blanks, hyphens, colons, equals signs and quotes of other scripts, and full-width letters.
_ALIKE: Final[dict[int, str | None]] = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " "),
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63), "-"),
    **dict.fromkeys((0x02D0, 0x0589, 0x2236, 0xA789, 0xFE55), ":"),
    **dict.fromkeys((0x2550, 0xA78A, 0xFE66), "="),
    **dict.fromkeys((0x201C, 0x201D, 0x201E, 0x2033), '"'),
    **dict.fromkeys((0x2018, 0x2019, 0x201A, 0x2032), "'"),
    **dict.fromkeys((0xAD, *range(0x200B, 0x2010), 0x2060, 0xFEFF), None),
}
_ALIKE_ONE = _rule(f"[{''.join(map(chr, _ALIKE))}]")


def _decoded(match: re.Match[str]) -> str:
    return chr(int(match["code"], 16))


def undisguise(text: str) -> str:
    """`text` with escapes of JSON, URLs and HTML resolved, and look-alikes of separators replaced; the same
    object where there is nothing of the kind."""
    plain = text
    if "%" in plain:
        plain = _PERCENT.sub(_decoded, plain)
    if "\\" in plain and ("\\u00" in plain or "\\x" in plain):
        plain = _ESCAPES.sub(_decoded, plain)
    if "&" in plain and ";" in plain:
        for entity, char in _ENTITIES.items():
            plain = plain.replace(entity, char)
    if not plain.isascii() and _ALIKE_ONE.search(plain) is not None:
        plain = plain.translate(_ALIKE)
    return text if plain == text else plain
