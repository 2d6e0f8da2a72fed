"""The JSON half of CloudWatch's filter patterns: `{ $.level = "error" && ($.ms > 100 || $.user IS NULL)
}`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Final

from relive_platform.subscriptions.errors import BadFilter

__all__ = ["parse_json_filter"]

_Test = Callable[[Any], bool]
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<end>\})|(?P<and>&&)|(?P<or>\|\|)|(?P<open>\()|(?P<close>\))
    |(?P<selector>\$(?:\.[A-Za-z0-9_-]+|\.?\["[^"]*"\]|\[[0-9]+\])+)
    |(?P<compare>!=|<=|>=|=|<|>)
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<word>[^\s(){}=<>!&|"]+))""",
    re.VERBOSE,
)
_STEP: Final = re.compile(r'\.?\["([^"]*)"\]|\.([A-Za-z0-9_-]+)|\[([0-9]+)\]')
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_MISSING: Final = object()
_DEPTH: Final = 32


def parse_json_filter(text: str) -> _Test:
    """Whether a document fits. Raises BadFilter."""
    parser = _Parser(text)
    parser.at = 1
    test = parser.either(0)
    parser.take("end", "it should end with }")
    if parser.text[parser.at :].strip():
        raise parser.error("something stands after }")
    return test


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def error(self, why: str) -> BadFilter:
        shown = self.text[self.at : self.at + 20]
        hint = 'write as in { $.level = "error" && $.ms > 100 }'
        return BadFilter(f"the filter cannot be read at {shown!r}: {why}", hint=hint)

    def peek(self) -> tuple[str, str, int]:
        match = _TOKEN.match(self.text, self.at)
        if match is None or match.lastgroup is None:
            return "", "", self.at
        return match.lastgroup, match[match.lastgroup], match.end()

    def take(self, kind: str, why: str) -> str:
        found, value, end = self.peek()
        if found != kind:
            raise self.error(why)
        self.at = end
        return value

    def accept(self, kind: str) -> bool:
        found, _, end = self.peek()
        if found == kind:
            self.at = end
        return found == kind

    def either(self, depth: int) -> _Test:
        tests = [self.both(depth)]
        while self.accept("or"):
            tests.append(self.both(depth))
        return tests[0] if len(tests) == 1 else lambda document: any(test(document) for test in tests)

    def both(self, depth: int) -> _Test:
        tests = [self.one(depth)]
        while self.accept("and"):
            tests.append(self.one(depth))
        return tests[0] if len(tests) == 1 else lambda document: all(test(document) for test in tests)

    def one(self, depth: int) -> _Test:
        if depth > _DEPTH:
            raise self.error(f"over {_DEPTH} levels of parentheses")
        if self.accept("open"):
            test = self.either(depth + 1)
            self.take("close", "a parenthesis is not closed")
            return test
        path = _path(self.take("selector", "a selector such as $.level should stand here"))
        kind, value, end = self.peek()
        if kind == "word":
            self.at = end
            return self.state(path, value.upper())
        sign = self.take("compare", "a comparison should stand here")
        return self.comparison(path, sign)

    def state(self, path: list[str | int], word: str) -> _Test:
        second = self.take("word", "IS NULL, IS TRUE, IS FALSE or NOT EXISTS").upper()
        if (word, second) == ("NOT", "EXISTS"):
            return lambda document: _at(document, path) is _MISSING
        known = {"NULL": None, "TRUE": True, "FALSE": False}
        if word != "IS" or second not in known:
            raise self.error("write IS NULL, IS TRUE, IS FALSE or NOT EXISTS")
        wanted = known[second]
        return lambda document: _at(document, path) is wanted

    def comparison(self, path: list[str | int], sign: str) -> _Test:
        kind, value, end = self.peek()
        if kind not in ("text", "word"):
            raise self.error("a value should stand here")
        self.at = end
        if sign in _ORDER:
            if not _NUMBER.fullmatch(value):
                raise self.error(f"{sign} wants a number")
            compare, number = _ORDER[sign], float(value)
            return lambda document: _is_number(found := _at(document, path)) and compare(found, number)
        same = _number_test(value) if kind == "word" and _NUMBER.fullmatch(value) else _text_test(value, kind)
        if sign == "=":
            return lambda document: same(_at(document, path))
        return lambda document: (found := _at(document, path)) is not _MISSING and not same(found)


def _path(text: str) -> list[str | int]:
    steps: list[str | int] = []
    for quoted, name, index in _STEP.findall(text[1:]):
        steps.append(int(index) if index else quoted or name)
    return steps


def _at(document: Any, path: list[str | int]) -> Any:
    for step in path:
        if isinstance(step, int):
            if not isinstance(document, list) or step >= len(document):
                return _MISSING
        elif not isinstance(document, dict) or step not in document:
            return _MISSING
        document = document[step]
    return document


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number_test(value: str) -> _Test:
    number = float(value)
    return lambda found: _is_number(found) and found == number


def _text_test(value: str, kind: str) -> _Test:
    """A star at the beginning or the end, or both, stands for anything."""
    text = re.sub(r"\\(.)", r"\1", value[1:-1]) if kind == "text" else value
    first, last = text.startswith("*"), text.endswith("*") and len(text) > 1
    core = text[1 if first else 0 : len(text) - 1 if last else len(text)]
    if first and last:
        return lambda found: isinstance(found, str) and core in found
    if first:
        return lambda found: isinstance(found, str) and found.endswith(core)
    if last:
        return lambda found: isinstance(found, str) and found.startswith(core)
    return lambda found: isinstance(found, str) and found == text
