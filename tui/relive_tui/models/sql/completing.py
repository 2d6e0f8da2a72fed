"""What a word of a query can become: tables, columns, functions, keywords."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from relive_views.sql import Schema

__all__ = ["Completer", "word_before"]

KEYWORDS: Final = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "HAVING", "WITH", "AS", "AND", "OR", "NOT",
    "IN", "LIKE", "ILIKE", "BETWEEN", "IS NULL", "DESC", "ASC", "JOIN", "LEFT JOIN", "USING", "ON",
    "UNION ALL", "DISTINCT", "CASE", "WHEN", "THEN", "ELSE", "END", "INTERVAL", "FINAL", "ARRAY JOIN",
    "SHOW TABLES", "DESCRIBE", "EXPLAIN",
)  # fmt: skip
_WORD: Final = re.compile(r"[A-Za-z_]\w*$")
_TABLES_FOLLOW: Final = re.compile(r"\b(?:from|join|describe|table)\s+$", re.IGNORECASE)
_NAMES: Final = re.compile(r"[A-Za-z_]\w*")


def word_before(text: str) -> str:
    """The part of a word that stands at the end of `text`."""
    match = _WORD.search(text)
    return match[0] if match else ""


@dataclass(slots=True)
class Completer:
    """`complete` goes on to the next candidate if it is asked again right after."""

    schema: Schema | None = None
    _last: str = ""
    _options: list[str] = field(default_factory=list)
    _at: int = -1
    _begun: str = ""

    def candidates(self, before: str, whole: str) -> list[str]:
        """What the word at the end of `before` can become in the query `whole`, the likeliest first."""
        word = word_before(before)
        if _TABLES_FOLLOW.search(before.removesuffix(word)):
            return _fitting(word, self.schema.tables if self.schema else ())
        if not word:
            return []
        return _fitting(word, self._words(whole))

    def _words(self, whole: str) -> list[str]:
        schema = self.schema
        if schema is None:
            return list(KEYWORDS)
        named = [schema.tables[name] for name in _NAMES.findall(whole) if name in schema.tables]
        columns = [name for table in named for name, _kind in table]
        functions = [f"{name}(" for name in schema.functions]
        return [*columns, *KEYWORDS, *schema.tables, *functions]

    def complete(self, before: str, whole: str) -> tuple[str, str]:
        """(the part of `before` that is replaced, by what): as far as all candidates agree, then each of them
        in turn; nothing fits: two empty texts."""
        if self._at >= 0 and before == self._last and len(self._options) > 1:
            replaced = self._options[self._at]
            self._at = (self._at + 1) % len(self._options)
            return self._give(before, replaced, self._options[self._at])
        word = word_before(before)
        options = self.candidates(before, whole)
        if not options:
            return "", ""
        common = _common(options)
        self._options, self._at = options, -1
        if len(options) > 1 and len(common) > len(word):
            return self._give(before, word, options[0][: len(common)])
        self._at = 0
        return self._give(before, word, options[0])

    def _give(self, before: str, replaced: str, text: str) -> tuple[str, str]:
        self._last = before.removesuffix(replaced) + text
        return replaced, text


def _common(words: list[str]) -> str:
    """How far they agree, in lower case."""
    low = [word.lower() for word in words]
    least, most = min(low), max(low)
    same = 0
    while same < len(least) and least[same] == most[same]:
        same += 1
    return least[:same]


def _fitting(word: str, words: Iterable[str]) -> list[str]:
    """Those that begin with `word`, in whatever case; those in the same case first."""
    low = word.lower()
    found = list(dict.fromkeys(each for each in words if each.lower().startswith(low) and each != word))
    return sorted(found, key=lambda each: not each.startswith(word))
