"""Names with their values in running text: `name=value`, `"name": "value"`, `--name value`, forms, XML, SQL.

Whether a name is a secret's is for a judge to say, the same as for a key. Each pattern finds a name first and
looks at the value only where the name is secret: a text costs no more than its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from relive_base.patterns import LazyPattern
from relive_base.secret_values import PLACEHOLDER, hide_group

__all__ = ["Judge", "Keep", "hide_assignments", "is_harmless"]

Judge = Callable[[str], str]
"""Says how secret a name is: "strong", "weak" (if it is text) or ""."""
Keep = Callable[[str, str], bool]
"""Whether a value stays all the same: given what stands between, and the value."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_rule = LazyPattern
_NAMED = _rule(
    r"(?<![A-Za-z0-9_])(?P<name>[A-Za-z][A-Za-z0-9_-]{0,60})",
    r"""(?P<sep>\\{0,4}["']?\]?[ \t]{0,20}(?:=>|[=:]=?)(?:\s{1,20}(?=\\{0,4}b?["'])|[ \t]{0,20}))""",
)
_VALUE = _rule(
    r"""b?(?P<quote>\\{0,4}["'])(?:(?!(?P=quote))(?:\\[\s\S]|[\s\S]))*""",
    r"""|\{[^{}\n]{0,4000}\}|\[[^\[\]\n]{0,4000}\]""",
    r"""|[^\s"'&;,)}\]\\]+""",
)
# Headers whose value has blanks, commas and semicolons of its own, up to the end of the line.
_HEADER: Final = ("cookie", "authorization")
_HEADER_VALUE = _rule(r"""[^\r\n"'\\][^\r\n\\]*""")
_QUOTED_HEADER_VALUE = _rule(r"""[^\r\n"'\\]+""")
_HARMLESS: Final = _words(
    """none null true false str int bytes string required missing invalid expired undefined nil *** ****
    optional[str]"""
)
_AZURE = _rule(r"(?i)\b(?:AccountKey|SharedAccessKey|sig)=(?P<secret>[A-Za-z0-9+/%]{16,}=*)")

# Each has groups "name" and "secret".
_FLAG = _rule(
    r"(?<![\w-])--?(?P<name>[A-Za-z][\w-]{1,60})(?:[\"'],)?[ \t]+",
    r"""(?P<secret>"[^"\n]*"|'[^'\n]*'|[^\s"'-]\S*)""",
)
_PAIR = _rule(r"""[(\[]b?["'](?P<name>[\w-]{1,60})["'],\s?(?P<secret>b?(["'])(?:(?!\3)[^\n])*\3)[)\]]""")
_SQL = _rule(r"(?i)\b(?P<name>password|passwd|identified\s{1,5}by|secret)\s{1,5}(?P<secret>'[^'\n]*')")
_XML = _rule(r"<(?:[\w-]{1,40}:)?(?P<name>[A-Za-z][\w.-]{0,60})(?:\s[^<>]{0,200})?>(?P<secret>[^<>]+)</")
_NAME_AND_VALUE = _rule(
    r"""(?i)\b(?:name|key|header)\\?["']?\s{0,3}[=:]\s{0,3}\\?["'](?P<name>[\w.-]{1,60})\\?["']""",
    r"""[^{}<>]{0,100}?\bvalue\\?["']?\s{0,3}[=:]\s{0,3}(?P<secret>\\?["'][^"'<>]*)""",
)
_FORM_PART = _rule(
    r"""(?i)\bname="(?P<name>[^"\r\n]{1,60})"[^\r\n]{0,200}(?:\r?\n[^\r\n]{1,200}){0,5}\r?\n\r?\n""",
    r"(?P<secret>[\s\S]*?)(?=\r?\n--|\Z)",
)
_PHRASES: Final = (
    (("'",), _SQL),
    (("-",), _FLAG),
    (("(", "["), _PAIR),
    (("</",), _XML),
    (("value",), _NAME_AND_VALUE),
    (("form-data",), _FORM_PART),
)


def is_harmless(_: str, value: str) -> bool:
    """Whether a value says only that there is none, or has been replaced already."""
    bare = value.strip("\\\"' ")
    return not bare or bare.startswith(PLACEHOLDER[:-1]) or bare.lower() in _HARMLESS


def hide_assignments(text: str, lower: str, judge: Judge, keep: Keep = is_harmless) -> str:
    """`text` without the values of what `judge` says is secret; `lower` is the same in lower case."""
    if "=" in lower or ":" in lower:
        if "key=" in lower or "sig=" in lower:
            text = _AZURE.sub(hide_group, text)
        text = _hide_named(text, judge, keep)
    for hints, pattern in _PHRASES:
        if hints[0] in lower or hints[-1] in lower:
            text = pattern.sub(lambda match: _hide_phrase(match, judge, keep), text)
    return text


def _hide_named(text: str, judge: Judge, keep: Keep) -> str:
    parts: list[str] = []
    done = 0
    for match in _NAMED.finditer(text):
        strength = _judged(text, match, judge) if match.start() >= done else ""
        value = _value(text, match) if strength else None
        if value is None or (strength == "weak" and "=" not in match["sep"] and not _quote(value)):
            continue
        if not keep(match["sep"], value.group()):
            parts += [text[done : value.start()], _quote(value), PLACEHOLDER]
            done = value.end()
    return "".join([*parts, text[done:]]) if parts else text


def _judged(text: str, named: re.Match[str], judge: Judge) -> str:
    name = named["name"]
    strength = judge(name)
    if not strength and name[0] in "nrt" and text[named.start() - 1 : named.start()] == "\\":
        return judge(name[1:])  # the end of a line, written out: "\\r\\nCookie: "
    return strength


def _value(text: str, named: re.Match[str]) -> re.Match[str] | None:
    found = None
    if ":" in named["sep"] and named["name"].lower().endswith(_HEADER):
        is_quoted = text[named.start() - 1 : named.start()] in ("'", '"')
        found = (_QUOTED_HEADER_VALUE if is_quoted else _HEADER_VALUE).match(text, named.end())
    return found or _VALUE.match(text, named.end())


def _quote(value: re.Match[str]) -> str:
    return value.groupdict().get("quote") or ""


def _hide_phrase(match: re.Match[str], judge: Judge, keep: Keep) -> str:
    value = match["secret"]
    if not judge(match["name"]) or keep(" ", value):
        return match.group()
    quote = value[0] if value[0] in "\"'" else ""
    closing = quote if quote and len(value) > 1 and value.endswith(quote) else ""
    start, end = match.span("secret")
    offset = match.start()
    whole = match.group()
    return whole[: start - offset] + quote + PLACEHOLDER + closing + whole[end - offset :]
