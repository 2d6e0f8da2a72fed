"""What is a secret by its own form, wherever it stands: a bearer token, a private key, a vendor's key.

The forms of vendors' keys are facts that gitleaks' rules collect; those that a beginning of their own gives
away are in `secret_tokens`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from relive_base.patterns import LazyPattern

__all__ = ["PLACEHOLDER", "hide_forms", "hide_group", "hide_lines", "is_mysql", "may_have_form"]

PLACEHOLDER: Final = "[redacted]"

# (one of these is in the lower-case text, pattern whose group "secret" is replaced)
_TextRule = tuple[tuple[str, ...], LazyPattern]
_rule = LazyPattern

_RULES: Final[tuple[_TextRule, ...]] = (
    (
        ("-----begin",),
        _rule(
            r"(?P<secret>-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?",
            r"(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z))",
        ),
    ),
    (
        ("bearer ",),
        _rule(
            r"[Bb](?<!\w[Bb])(?i:earer\s+)(?![A-Z]?[a-z]{1,15}\.?(?![\w.~+/=-]))"  # a word of a sentence
            r"(?P<secret>[A-Za-z0-9._~+/=-]{8,})"
        ),
    ),
    (
        ("basic ",),
        _rule(
            r"\b[Bb](?i:asic)\s+(?P<secret>(?=[A-Z]?[a-z]*[0-9+/=A-Z])(?![A-Z]?[a-z]+(?![A-Za-z0-9+/=]))",
            r"[A-Za-z0-9+/]{8,}={0,2})(?![A-Za-z0-9])",
        ),
    ),
    (("eyj",), _rule(r"\b(?P<secret>eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4})")),
    (
        ("xox", "xapp-"),
        _rule(r"(?P<secret>\b(?:xoxe\.)?xox[abceoprs]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,})"),
    ),
    (
        ("_live_", "_test_", "_prod_", "whsec_"),
        _rule(
            r"\b(?P<secret>(?:[sr]k|rzp|shippo|duffel|key)_(?:live|test|prod)_[\w-]{10,}",
            r"|whsec_[A-Za-z0-9+/]{10,}={0,2})",
        ),
    ),
    # The password may hold an @ or a / itself: it ends at the last @ before the next address or blank. What
    # begins with a port is none.
    (
        ("//",),
        _rule(
            r"(?:\b[A-Za-z][A-Za-z0-9+._-]{1,30}:|(?<![\w:/]))//[^\s/?#:\"'<>\[]*:(?!\d{1,5}(?:[/?#,;\s\"'<>]|\Z))",
            r"(?P<secret>(?:(?!://)[^\s\"'<>])+)@",
        ),
    ),
    (("@//",), _rule(r"(?<![\w/:.@-])[A-Za-z][\w$#]{0,29}/(?P<secret>[^\s\"'@/]{3,})@(?=//)")),  # of Oracle
    (("://",), _rule(r"\bhttps?://(?P<secret>[A-Za-z0-9_-]{16,})@")),
    (("webhook.office.com/",), _rule(r"\.webhook\.office\.com/(?P<secret>webhookb2/[\w@/-]{60,})")),
    (
        ("curl", "wget", "http"),
        _rule(
            r"\b(?:curl|wget|https?)\b[^\n]{0,200}?[\s\"'](?:-u|-U|-a|--user|--proxy-user|--auth)[\"',=\s]{0,6}",
            r"(?!-)[^\s:\"',]{1,80}:(?P<secret>[^\s\"']+)",
        ),
    ),
    (
        ("sshpass", "redis-cli"),
        _rule(r"\b(?:sshpass\s+-p|redis-cli\b[^\n]{0,100}?\s-a)\s{0,3}[\"']?(?P<secret>[^\s\"']+)"),
    ),
    (
        ("mysql", "mariadb"),
        _rule(
            r"\b(?:mysql(?:dump|admin|import|show|check|slap|pump|sh)?|mariadb(?:-[a-z]{1,20})?)(?=[\s\"'])",
            r"[^\n]{0,200}?[\s\"']-p[\"']?(?P<secret>(?!ort\b)[^\s\"',]{3,})",
        ),
    ),
    (
        ("machine ",),
        _rule(
            r"\bmachine\s+\S+(?:\s+(?:login|account)\s+\S+){0,2}\s+password\s+(?P<secret>\S+)",
        ),
    ),
    (
        ("password",),
        _rule(
            r"(?m)(?:\blogin[ \t]+\S+[ \t]+|^[ \t]*)password[ \t]+",
            r"(?P<secret>(?=[^\s]*[\d!#$%&*+@^~])[^\s=:]+)$",
        ),
    ),
    (
        ("$",),
        _rule(
            r"(?P<secret>\$(?:2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|(?:1|5|6|y|gy|7|apr1)\$(?:rounds=\d+\$)?[^\s$:]{1,99}",
            r"\$[./A-Za-z0-9]{20,}|argon2(?:id|i|d)\$[^\s:\"']{30,}))",
        ),
    ),
    (
        ("{ss", "{sha", "{crypt"),
        _rule(r"(?P<secret>\{(?:S?SHA(?:256|512)?|SMD5|CRYPT)\}[A-Za-z0-9+/=$.]{16,})"),
    ),
    (
        ("scrypt:", "pbkdf2:"),
        _rule(r"\b(?P<secret>(?:scrypt(?::\d+){3}|pbkdf2:sha\d+(?::\d+)?)\$[^\s$]{4,}\$[0-9a-f]{32,})"),
    ),
    (("pbkdf2_sha",), _rule(r"\b(?P<secret>pbkdf2_sha(?:1|256|512)\$\d+\$[^\s$]{6,}\$[A-Za-z0-9+/=]{20,})")),
)


def may_have_form(lower: str) -> bool:
    """Whether some rule may match; `lower` is the text in lower case. One flat expression: a loop over the
    hints takes three times as long. To look for one character first costs a fifth of looking for a word."""
    return (
        ("@" in lower and "//" in lower)
        or ("b" in lower and ("bearer " in lower or "basic " in lower))
        or "$" in lower
        or ("{" in lower and ("{ss" in lower or "{sha" in lower or "{crypt" in lower))
        or ("j" in lower and "eyj" in lower)
        or ("x" in lower and "xox" in lower)
        or ("-" in lower and _may_match_hyphen(lower))
        or ("_" in lower and _may_match_underscore(lower))
        or ("machine " in lower or "password" in lower)
    )


def _may_match_hyphen(lower: str) -> bool:
    return (
        "-----begin" in lower
        or (("curl" in lower or "wget" in lower or "http" in lower) and ("-u" in lower or "-a" in lower))
        or "sshpass" in lower
        or ("-p" in lower and ("mysql" in lower or "mariadb" in lower))
        or "redis-cli" in lower
        or "xapp-" in lower
    )


def _may_match_underscore(lower: str) -> bool:
    return "_live_" in lower or "_test_" in lower or "_prod_" in lower or "whsec_" in lower or "_sha" in lower


def is_mysql(program: str) -> bool:
    """Whether it is a program that takes its password as `-pPASSWORD`."""
    return program.rpartition("/")[2].startswith(("mysql", "mariadb"))


def hide_group(match: re.Match[str]) -> str:
    """The match with its group "secret" replaced."""
    start, end = match.span("secret")
    whole = match.group()
    offset = match.start()
    return whole[: start - offset] + PLACEHOLDER + whole[end - offset :]


def hide_lines(match: re.Match[str]) -> str:
    """The same, with the lines that it had: what stands below keeps its number."""
    return hide_group(match) + "\n" * match["secret"].count("\n")


_SLASHES: Final = ("://", "//")
_AUTHORITY: Final = _rule(r"//(?:[^\s\"'<>@:]++|:(?!//))*+@")
"""Whether an address says who asks: found by its literal beginning, in a fraction of the rules' time."""


def _has_authority(text: str) -> bool:
    return "@" in text and _AUTHORITY.search(text) is not None


def hide_forms(text: str, lower: str, hide: Callable[[re.Match[str]], str] = hide_group) -> str:
    """`text` without what is a secret by its form; `lower` is the same in lower case."""
    for hints, pattern in _RULES:
        for hint in hints:
            if hint in lower and (hint not in _SLASHES or _has_authority(text)):
                text = pattern.sub(hide, text)
                break
    return text
