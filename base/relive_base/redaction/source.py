"""Secrets in program text: only literals and comments can hold one, and every line stays where it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Final

from relive_base.patterns import LazyPattern
from relive_base.redaction.assignments import Judge, is_harmless
from relive_base.redaction.values import PLACEHOLDER

__all__ = ["hide_literals", "is_no_literal"]

# Each alternative begins with a character of its own, so that the search leaps from one to the next.
_PIECE: Final = LazyPattern(
    r"""\#(?P<comment>[^\n]*)"""
    r'''|"""(?P<long>(?:[^\\"]++|\\[\s\S]|"(?!"")|\\\Z)*+)(?:"""|\Z)'''
    r"""|'''(?P<long_single>(?:[^\\']++|\\[\s\S]|'(?!'')|\\\Z)*+)(?:'''|\Z)"""
    r"""|"(?P<short>(?:[^\\"\n]++|\\[\s\S])*)(?:"|(?=\n|\Z))"""
    r"""|'(?P<short_single>(?:[^\\'\n]++|\\[\s\S])*)(?:'|(?=\n|\Z))"""
)
_PREFIX: Final = LazyPattern(r"\b[rRbBuUfF]{1,2}\Z")
_PREFIX_CHARS: Final = 2
_MAX_GAP: Final = 300
_REACH: Final = _MAX_GAP + _PREFIX_CHARS
# `password = os.environ.get(`: what stands behind an `or` is the password, too
_ASSIGNED: Final = LazyPattern(r"(?P<name>[A-Za-z_]\w{0,80})\s{0,20}=\s{0,20}[\w.]{1,80}[\[(]\s{0,20}$")
_OR: Final = LazyPattern(r"\s{0,20}[\])]\s{0,20}or\s{1,20}\(?\s{0,20}")
# `password = `, `password: str = (`, `connect(password=`, `if password == `
_NAME_BEFORE: Final = LazyPattern(
    r"(?P<name>[A-Za-z_]\w{0,80})\s{0,20}(?::(?:[^=\n,()\[\]]|\[[^\]\n]{0,80}\]){1,80})?(?:==|!=|:=|=|:)"
    r"\s{0,20}(?:[\w.]{1,80}(?:\(\))?\s{1,3}or\s{1,3})?[(\[]?\s{0,200}$"
)
# `["password"] = "x"`, `{"password": "x"}`, `getenv("PASSWORD") or "x"`
_AFTER_KEY: Final = LazyPattern(r"\s{0,20}(?:\]?\s{0,20}(?:==|!=|=|:)\s{0,20}[\[(]?|\)\s{0,20}or)\s{0,200}")
_NEXT: Final = LazyPattern(r"\s{0,20},\s{0,200}(?:default\s?=\s?)?")
_GETTER: Final = LazyPattern(
    r"(?:get|getenv|setdefault|pop|set|setenv|putenv|add|add_header|putheader|header|append)\(\s{0,20}$"
)
_CONTINUES: Final = LazyPattern(r"[\s\\+(]{0,200}")
_CONTINUES_LIST: Final = LazyPattern(r"\s{0,20},\s{0,200}")
_NO_LITERAL: Final = LazyPattern(r"%[^\s]{0,40}|\{[^{}]*\}.*|\$.*|<.*", flags=re.DOTALL)


def is_no_literal(separator: str, value: str) -> bool:
    """Whether what follows a secret's name in a string or a comment of a program is no secret itself: a place
    that is filled in later, or, behind a colon, the first word of a description."""
    bare = value.strip("\\\"'")
    if _NO_LITERAL.fullmatch(bare) or is_harmless(separator, value):
        return True
    return ":" in separator and bare == value and bare.strip(".").isalpha()


def hide_literals(text: str, judge: Judge, inner: Callable[[str], str], places: Iterable[int]) -> str:
    """Program text with its secret literals replaced. `judge` says what names are secret; `inner` hides what
    is secret inside of strings and comments. `places`: where in the text there may be such a name, in order;
    what is far from all of them is passed over."""
    parts: list[str] = []
    done = ended = 0
    last = 0, 0, 0, 0  # the literal before, as _Place has it
    before: _Literal | None = None  # what `last` says; None: it is no secret
    following = chain(places, (len(text) + 1,))
    place = next(following)
    for match in _PIECE.finditer(text):
        kind = match.lastgroup or ""
        start, end = match.span(kind)
        opening = match.start()
        nearby = last[0] if last[0] > last[1] - _REACH else last[1] - _REACH
        while place < nearby:
            place = next(following)
        clean = None
        if kind == "comment":
            start -= 1
            if place < end:
                clean = inner(text[start:end])
        else:
            # a secret has its name before it: within the gap, the literal before, or the gap before that
            if place < end or (before is not None and before.secret):
                here = _Place(text, ended, opening, start, end)
                before = _Literal(here, before or _Literal(_Place(text, *last)), judge)
                clean = _hidden(here) if before.secret else inner(here.body)
            else:
                before = None
            last = ended, opening, start, end
        ended = match.end()
        if clean is not None and clean != text[start:end]:
            lines = text.count("\n", start, end) - clean.count("\n")
            parts += [text[done:start], clean, "\n" * lines]
            done = end
    return "".join([*parts, text[done:]])


class _Place:
    """Where a literal stands: after the piece that ended at `after`, its quotes at `opening`, its body from
    `start` to `end`."""

    __slots__ = ("_after", "_end", "_opening", "_start", "_text")

    def __init__(self, text: str, after: int, opening: int, start: int, end: int) -> None:
        self._text = text
        self._after = after
        self._opening = opening
        self._start = start
        self._end = end

    @property
    def body(self) -> str:
        return self._text[self._start : self._end]

    @property
    def prefix(self) -> str:
        """What says of what kind it is: `f`, `rb`, or nothing."""
        first = max(self._after, self._opening - _PREFIX_CHARS)
        found = _PREFIX.search(self._text, first, self._opening)
        return "" if found is None else found.group()

    @property
    def gap(self) -> str:
        """What stands before it, up to the piece before."""
        end = self._opening - len(self.prefix)
        return self._text[max(self._after, end - _MAX_GAP) : end]


class _Literal:
    """A literal in its place. `secret`: "list" (one of several in brackets), "value", or ""."""

    __slots__ = ("assigned", "body", "is_key", "secret")

    def __init__(self, place: _Place, before: _Literal | None = None, judge: Judge = lambda _: "") -> None:
        gap = place.gap
        self.body = body = place.body
        # The last character spares most literals the searches, which take microseconds each.
        last = gap.rstrip()[-1:]
        called = last == "("
        self.is_key = len(body) <= 80 and (
            body.startswith("-") or (called and _GETTER.search(gap) is not None)
        )
        assigned = _ASSIGNED.search(gap) if called or last == "[" else None
        self.assigned = "" if assigned is None else assigned["name"]
        self.secret = "" if before is None else _why(gap, before, judge)


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


def _hidden(place: _Place) -> str:
    body = place.body
    if is_harmless("=", body):
        return body
    if body.startswith("{") and body.endswith("}") and "f" in place.prefix.lower():
        return body
    return PLACEHOLDER
