"""Secrets in program text: only literals and comments can hold one, and every line stays where it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from relive_base.secret_assignments import Judge, is_harmless
from relive_base.secret_values import PLACEHOLDER

__all__ = ["hide_literals", "is_no_literal"]

_PIECE: Final = re.compile(
    r"""(?P<comment>\#[^\n]*)"""
    r"""|(?P<open>(?:\b[rRbBuUfF]{1,2})?(?P<quote>"{3}|'{3}))"""
    r"""(?P<long>(?:[^\\"']++|\\[\s\S]|(?!(?P=quote))[\s\S])*)(?:(?P=quote)|\Z)"""
    r"""|(?P<begin>(?:\b[rRbBuUfF]{1,2})?(?P<mark>["']))"""
    r"""(?P<short>(?:[^\\"'\n]++|\\[\s\S]|(?!(?P=mark))[^\\\n])*)"""
    r"""(?:(?P=mark)|(?=\n|\Z))"""
)
_MAX_GAP: Final = 300
# `password = os.environ.get(`: what stands behind an `or` is the password, too
_ASSIGNED: Final = re.compile(r"(?P<name>[A-Za-z_]\w{0,80})\s{0,20}=\s{0,20}[\w.]{1,80}[\[(]\s{0,20}$")
_OR: Final = re.compile(r"\s{0,20}[\])]\s{0,20}or\s{1,20}\(?\s{0,20}")
# `password = `, `password: str = (`, `connect(password=`, `if password == `
_NAME_BEFORE: Final = re.compile(
    r"(?P<name>[A-Za-z_]\w{0,80})\s{0,20}(?::(?:[^=\n,()\[\]]|\[[^\]\n]{0,80}\]){1,80})?(?:==|!=|:=|=|:)"
    r"\s{0,20}(?:[\w.]{1,80}(?:\(\))?\s{1,3}or\s{1,3})?[(\[]?\s{0,200}$"
)
# `["password"] = "x"`, `{"password": "x"}`, `getenv("PASSWORD") or "x"`
_AFTER_KEY: Final = re.compile(r"\s{0,20}(?:\]?\s{0,20}(?:==|!=|=|:)\s{0,20}[\[(]?|\)\s{0,20}or)\s{0,200}")
_NEXT: Final = re.compile(r"\s{0,20},\s{0,200}(?:default\s?=\s?)?")
_GETTER: Final = re.compile(
    r"(?:get|getenv|setdefault|pop|set|setenv|putenv|add|add_header|putheader|header|append)\(\s{0,20}$"
)
_CONTINUES: Final = re.compile(r"[\s\\+(]{0,200}")
_CONTINUES_LIST: Final = re.compile(r"\s{0,20},\s{0,200}")
_NO_LITERAL: Final = re.compile(r"%[^\s]{0,40}|\{[^{}]*\}.*|\$.*|<.*", re.DOTALL)


def is_no_literal(separator: str, value: str) -> bool:
    """Whether what follows a secret's name in a string or a comment of a program is no secret itself: a place
    that is filled in later, or, behind a colon, the first word of a description."""
    bare = value.strip("\\\"'")
    if _NO_LITERAL.fullmatch(bare) or is_harmless(separator, value):
        return True
    return ":" in separator and bare == value and bare.strip(".").isalpha()


def hide_literals(text: str, judge: Judge, inner: Callable[[str], str]) -> str:
    """Program text with its secret literals replaced. `judge` says what names are secret; `inner` hides what
    is secret inside of strings and comments."""
    parts: list[str] = []
    done = 0
    before = _Literal()
    for match in _PIECE.finditer(text):
        body = _body(match)
        start, end = match.span(_group(match))
        if match["comment"] is None:
            gap = text[max(done, match.start() - _MAX_GAP) : match.start()]
            before = _Literal(gap, body, before, judge)
            clean = _hidden(match, body) if before.secret else inner(body)
        else:
            clean = inner(body)
        parts += [text[done:start], clean]
        if clean is not body:
            parts.append("\n" * (body.count("\n") - clean.count("\n")))
        done = end
        if match["comment"] is None:
            parts.append(text[end : match.end()])
            done = match.end()
    return "".join([*parts, text[done:]])


class _Literal:
    """A literal in its place. `secret`: "list" (one of several in brackets), "value", or ""."""

    __slots__ = ("assigned", "body", "is_key", "secret")

    def __init__(
        self, gap: str = "", body: str = "", before: _Literal | None = None, judge: Judge = lambda _: ""
    ) -> None:
        self.body = body
        # The last character spares most literals the searches, which take microseconds each.
        last = gap.rstrip()[-1:]
        called = last == "("
        self.is_key = len(body) <= 80 and (
            body.startswith("-") or (called and _GETTER.search(gap) is not None)
        )
        assigned = _ASSIGNED.search(gap) if called or last == "[" else None
        self.assigned = "" if assigned is None else assigned["name"]
        self.secret = "" if before is None else _why(gap, before, judge)


def _group(match: re.Match[str]) -> str:
    for name in ("comment", "long"):
        if match[name] is not None:
            return name
    return "short"


def _body(match: re.Match[str]) -> str:
    return match[_group(match)]


def _why(gap: str, before: _Literal, judge: Judge) -> str:
    if before.secret and (
        _CONTINUES.fullmatch(gap) or (before.secret == "list" and _CONTINUES_LIST.fullmatch(gap))
    ):
        return before.secret
    key = before.body if len(before.body) <= 80 else ""
    if key and (_AFTER_KEY.fullmatch(gap) or (before.is_key and _NEXT.fullmatch(gap))) and judge(key):
        return _reach(gap)
    if before.assigned and _OR.fullmatch(gap):
        return "value" if judge(before.assigned) else ""
    bare = gap.rstrip()
    if bare[-1:] not in ("=", ":", "(", "[") and not bare.endswith("or"):
        return ""
    named = _NAME_BEFORE.search(gap)
    if named is None or not judge(named["name"]):
        return ""
    return _reach(gap)


def _reach(gap: str) -> str:
    return "list" if gap.rstrip()[-1:] in ("[", "(") else "value"


def _hidden(match: re.Match[str], body: str) -> str:
    if is_harmless("=", body):
        return body
    opening = match["open"] or match["begin"]
    if "f" in opening.lower() and body.startswith("{") and body.endswith("}"):
        return body
    return PLACEHOLDER
