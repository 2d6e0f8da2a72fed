"""Names with their values in running text: `name=value`, `"name": "value"`, `--name value`, forms, XML, SQL.

Whether a name is a secret's is for a judge to say, the same as for a key. Each pattern finds a name first and
looks at the value only if the name is secret: a text costs no more than its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from relive_base.patterns import LazyPattern
from relive_base.redaction.cookies import hide_cookies
from relive_base.redaction.names import is_path
from relive_base.redaction.values import PLACEHOLDER, hide_group

__all__ = ["Found", "Judge", "Keep", "hide_assignments", "is_harmless"]

Judge = Callable[[str], str]
"""Says how secret a name is: "strong", "weak" (if it is text), "path" (if it is no path) or ""."""
Keep = Callable[[str, str], bool]
"""Whether a value stays all the same: given what stands between, and the value."""
Found = Callable[[str], None]
"""Is told a secret value, quotes included."""


def _ignore(_: str) -> None:
    pass


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_rule = LazyPattern
_NAMED = _rule(
    r"(?<!\w)(?P<name>[^\W\d][\w-]{0,60}+)",
    r"""(?P<sep>\\{0,8}["']?\]?[*`]{0,3}[ \t]{0,20}(?:=>|[=:]=?)[*`]{0,3}""",
    r"""(?:\s{1,20}(?=\\{0,8}[bBuUrRfF]{0,2}["'])""",
    r"""|[ \t]{0,20}\r?\n[ \t]{1,20}(?=[^\s:]+[ \t]*(?:\r?\n|\Z))|[ \t]{0,20}))""",
)
_VALUE = _rule(
    r"""[|>][+-]?\d?[+-]?[ \t]*\r?\n(?:[ \t]+[^\n]*(?:\n|\Z))+""",  # a block of YAML
    r"""|[bBuUrRfF]{0,2}(?P<quote>\\{0,8}(?:'{3}|"{3}|["']))(?:(?!(?P=quote))(?:\\[\s\S]|[\s\S]))*""",
    r"""|\{[^{}\n]{0,4000}\}|\[[^\[\]\n]{0,4000}\]|\([^()\n]{0,4000}\)""",
    r"""|(?:\[redacted\]|[^\s"'&;,)}\]\\])+""",
)
# Headers whose value has blanks, commas and semicolons of its own, up to the end of the line.
_HEADER: Final = ("cookie", "authorization")
_HEADER_VALUE = _rule(r"""[^\r\n"'\\][^\r\n\\]*""")
_QUOTED_HEADER_VALUE = _rule(r"""[^\r\n"'\\]+""")
_HARMLESS: Final = _words(
    """none null true false str int bytes string required missing invalid expired undefined nil *** ****
    optional[str] yes no on off accepted denied incorrect wrong unknown empty malformed unchanged"""
)
# How a sentence goes on behind "Invalid password: ".
_PROSE: Final = _words(
    """see must should shall may might can cannot could would will was were is are has have had does did do
    not no too the a an this that these it its you your we at in on of for from to with without by
    if when please expected unexpected got use used using unknown contains contain only can't isn't
    doesn't wasn't wrong incorrect mismatch needs need requires failed failure error user account
    value field key minimum maximum length characters already be been"""
)
_COMPLAINTS: Final = _words(
    """invalid bad wrong missing incorrect unknown expired malformed unexpected weak no refused rejected
    insecure empty"""
)
_EXPECTED: Final = _words("expected unexpected missing got found")
_MARK_CHARS: Final = 3  # of a parser's token without letters: "==", "**="
_TWO_TEXTS: Final = _rule(r"""\(\s*[bu]?(["'])[^"']*\1\s*,\s*[bu]?(["'])[^"']*\2\s*\)""")
_WORD_AFTER: Final = _rule(r"[ ]+[^\W\d_]{1,20}(?![\w=:@])")
_WORD_BEFORE: Final = _rule(r"([^\W\d_]{1,20})[ ]\Z")
_WORDS_BEFORE: Final = _rule(
    r"(?:(?<=\s)|(?<=[\"',;(*#`&?])|\A)(?:([^\W\d_]{2,20})[ ])?([^\W\d_]{2,20})[ ]\Z"
)
_WORDS_REACH: Final = 44
_IDENTIFIER: Final = _rule(r"(?<![\w:])(?:arn|urn):(?:[^\s\"'=<>]*:)?\Z")
_IDENTIFIER_REACH: Final = 300
_AZURE = _rule(r"(?i)\b(?:AccountKey|SharedAccessKey|sig)=(?P<secret>[A-Za-z0-9+/%]{16,}=*)")
_SIGNATURE = _rule(r"(?i)(?<=[?&;])sig(?:nature)?=(?P<secret>[^&\s\"'<>]{8,})")

# Each has groups "name" and "secret".
_FLAG = _rule(
    r"(?<![\w-])--?(?P<name>[A-Za-z][\w-]{1,60})(?:[\"'],[ \t]*|[ \t]+)",
    r"""(?P<secret>"[^"\n]*"|'[^'\n]*'|[^\s"'-]\S*)""",
)
_PAIR = _rule(r"""[(\[]b?["'](?P<name>[\w-]{1,60})["'],\s?(?P<secret>b?(["'])(?:(?!\3)[^\n])*\3)[)\]]""")
_SQL = _rule(r"(?i)\b(?P<name>password|passwd|identified\s{1,5}by|secret)\s{1,5}(?P<secret>'[^'\n]*')")
_XML = _rule(
    r"<(?:[\w-]{1,40}:)?(?P<name>[A-Za-z][\w.-]{0,60})(?:\s[^<>]{0,200})?>",
    r"(?P<secret>\s*<!\[CDATA\[[\s\S]*?\]\]>\s*|[^<>]+)</",
)
_NAMED_ELEMENT = _rule(
    r"""<[\w:.-]{1,60}\s(?:[^<>]{0,200}\s)?(?:name|key)=["'](?P<name>[\w./-]{1,60})["'][^<>]{0,200}>""",
    r"""(?P<secret>[^<>]+)</""",
)
_PASSWORD_FIELD = _rule(
    r"""(?i)<input\b[^<>]{0,200}\btype=["']?(?P<name>password)\b[^<>]{0,200}?\bvalue=(?P<secret>["'][^"'<>]*)"""
)
_NAME_AND_VALUE = _rule(
    r"""(?i)\b(?:name|key|header)\\?["']?\s{0,3}[=:]\s{0,3}\\?["'](?P<name>[\w./-]{1,60})\\?["']""",
    r"""[^{}<>]{0,100}?\bvalue\\?["']?\s{0,3}[=:]\s{0,3}\[?(?P<secret>\\?["'][^"'<>]*)""",
)
_VALUE_AND_NAME = _rule(
    r"""(?i)\bvalue\\?["']?\s{0,3}[=:]\s{0,3}\[?(?P<secret>\\?(["'])(?:(?!\2)[^<>\\\n]){0,4000}\2?)""",
    r"""[^{}<>]{0,100}?\b(?:name|key|header)\\?["']?\s{0,3}[=:]\s{0,3}\\?["']""",
    r"""(?P<name>[\w./-]{1,60})\\?["']""",
)
_YAML_ENTRY = _rule(
    r"""\bname:[ \t]{0,3}["']?(?P<name>[\w./-]{1,60})["']?[ \t]*\r?\n[ \t]*value:[ \t]{0,3}""",
    r"""(?P<secret>[^\r\n]+)""",
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
    (("value",), _VALUE_AND_NAME),
    (("value",), _YAML_ENTRY),
    (("</",), _NAMED_ELEMENT),
    (("<input",), _PASSWORD_FIELD),
    (("form-data",), _FORM_PART),
)


def is_harmless(_: str, value: str) -> bool:
    """Whether a value says only that there is none, or has been replaced already."""
    bare = value.strip("\\\"' ")
    return not bare or bare.startswith(PLACEHOLDER[:-1]) or bare.lower() in _HARMLESS


def hide_assignments(
    text: str, lower: str, judge: Judge, keep: Keep = is_harmless, found: Found = _ignore
) -> str:
    """`text` without the values of what `judge` says is secret; `lower` is the same in lower case. `found` is
    told each value."""
    if "=" in lower or ":" in lower:
        if "key=" in lower or "sig=" in lower:
            text = _AZURE.sub(hide_group, text)
        if "sig=" in lower or "signature=" in lower:
            text = _SIGNATURE.sub(hide_group, text)
        text = _hide_named(text, judge, keep, found)
    for hints, pattern in _PHRASES:
        if hints[0] in lower or hints[-1] in lower:
            text = pattern.sub(lambda match: _hide_phrase(match, judge, keep, found), text)
    return text


def _hide_named(text: str, judge: Judge, keep: Keep, found: Found) -> str:
    parts: list[str] = []
    done = 0
    for match in _NAMED.finditer(text):
        strength = _judged(text, match, judge) if match.start() >= done else ""
        value = _value(text, match) if strength else None
        if value is None or not _counts(strength, match["sep"], value) or _is_prose(text, match, value):
            continue
        if not keep(match["sep"], value.group()):
            quote = _quote(value)
            hidden = PLACEHOLDER
            if match["name"].lower().endswith("cookie") and "quote" not in value.re.groupindex:
                hidden = hide_cookies(value.group(), PLACEHOLDER, found)
            else:
                found(value.group())
            parts += [text[done : value.start()], quote, hidden]
            done = value.end()
    return "".join([*parts, text[done:]]) if parts else text


def _counts(strength: str, separator: str, value: re.Match[str]) -> bool:
    """Whether a value is a secret under a name that is one for text only."""
    if strength == "path":
        return not is_path(value.group().strip("\\\"'"))
    if strength == "strong" or _quote(value):
        return True
    if value.group()[:1] == "(":
        return strength == "weak" and _TWO_TEXTS.fullmatch(value.group()) is not None
    if strength == "weak":
        return "=" in separator
    return value.group()[:1] == "[" and ('"' in value.group() or "'" in value.group())


def _is_prose(text: str, named: re.Match[str], value: re.Match[str]) -> bool:
    """Whether a sentence goes on behind a name: "Invalid password: must have a digit"."""
    word = value.group()
    if named["sep"].endswith(" ") and "=" not in named["sep"] and _is_of_a_parser(text, named, value):
        return True
    if not named["sep"].endswith(" ") or "=" in named["sep"] or not word.isalpha():
        return False
    if _WORD_AFTER.match(text, value.end()) is None:
        return False
    if word.lower() in _PROSE:
        return True
    before = _WORD_BEFORE.search(text[max(0, named.start() - _WORDS_REACH) : named.start()])
    return before is not None and before[1].lower() in _COMPLAINTS


def _is_of_a_parser(text: str, named: re.Match[str], value: re.Match[str]) -> bool:
    """Whether the token is one of a program's text: "invalid token: '('", "token: expected ';'"."""
    if not named["name"].lower().endswith("token"):
        return False
    bare = value.group().strip("\\\"'")
    if len(bare) <= _MARK_CHARS:
        return not any(map(str.isalnum, bare))
    return bare in _EXPECTED and text[value.end() : value.end() + 1] == " "


def _is_in_identifier(text: str, named: re.Match[str]) -> bool:
    """Whether the name is a part of an ARN or URN: of a function that is called `token`, say."""
    start = named.start()
    if named["sep"] != ":" or text[start - 1 : start] != ":":
        return False
    return _IDENTIFIER.search(text, max(0, start - _IDENTIFIER_REACH), start) is not None


def _judged(text: str, named: re.Match[str], judge: Judge) -> str:
    name = named["name"]
    strength = judge(name)
    if strength:
        return "" if _is_in_identifier(text, named) else strength
    start = named.start()
    before = text[start - 1 : start]
    if before == "\\" and name[0] in "nrt":
        return judge(name[1:])  # the end of a line, written out: "\\r\\nCookie: "
    is_scheme = named["sep"] == ":" and text.startswith("//", named.end())  # "the secret DSN https://..."
    if before == " " and not is_scheme:  # "API key: ", "mot de passe : "
        words = _WORDS_BEFORE.search(text[max(0, start - _WORDS_REACH) : start])
        if words is not None:
            first, second = words.groups()
            return judge(f"{second}_{name}") or (judge(f"{first}_{second}_{name}") if first else "")
    return ""


def _value(text: str, named: re.Match[str]) -> re.Match[str] | None:
    found = None
    if ":" in named["sep"] and named["name"].lower().endswith(_HEADER):
        is_quoted = text[named.start() - 1 : named.start()] in ("'", '"')
        found = (_QUOTED_HEADER_VALUE if is_quoted else _HEADER_VALUE).match(text, named.end())
    return found or _VALUE.match(text, named.end())


def _quote(value: re.Match[str]) -> str:
    return value.groupdict().get("quote") or ""


def _hide_phrase(match: re.Match[str], judge: Judge, keep: Keep, found: Found) -> str:
    value = match["secret"]
    strength = judge(match["name"])
    if strength in ("", "plural") or keep(" ", value):
        return match.group()
    if strength == "path" and is_path(value.strip("\"'")):
        return match.group()
    found(value)
    quote = value[0] if value[0] in "\"'" else ""
    closing = quote if quote and len(value) > 1 and value.endswith(quote) else ""
    start, end = match.span("secret")
    offset = match.start()
    whole = match.group()
    return whole[: start - offset] + quote + PLACEHOLDER + closing + whole[end - offset :]
