"""What tells bugs apart beside type and place: the failing expression, and the message without its data."""

from __future__ import annotations

import opcode
import re
from collections.abc import Iterable
from functools import lru_cache
from types import CodeType
from typing import Final

from relive_base.patterns import LazyPattern

from relive_capture.model import ExceptionView
from relive_capture.record.exceptions.suggestions import without_suggestion
from relive_capture.record.frames import InApp, RawFrame, SourceFiles, code_position

__all__ = ["Signatures", "message_shape"]

_MAX_MESSAGE: Final = 500
_MAX_EXPRESSION: Final = 600
_MAX_LINES: Final = 20
_FRAMES: Final = 8  # of the program's, whose texts may be parts of a message
_MAX_CONSTANTS: Final = 2_000
_RAISE: Final = opcode.opmap["RAISE_VARARGS"]
_WORDS: Final = LazyPattern(r"[^\W\d_]{2,}")
_DATA: Final = LazyPattern(
    r"\b[a-z][a-z0-9+.-]*://\S+|\S+@\S+|\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|input_value=.*?(?=, input_type=)|(?<![\w/])/[\w./-]+|\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b"
)
_QUOTED: Final = LazyPattern(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_NUMBER: Final = LazyPattern(r"[-+]?\d[\d,._]*")
_NAME: Final = LazyPattern(r"[A-Za-z_][\w.]{0,80}")
_NAMED: Final = LazyPattern(
    r"\b(?:attribute|argument|keyword|name|named|module|column|table|field|key|property|parameter|variable|type"
    r"|types?|method|function|class|codec|operand)s?(?:\(s\))?[^\w'\"]{1,12}$|\band $"
)
_NAMES: Final = LazyPattern(r" (?:is (?:undefined|required|not defined)|object\b|codec\b|instance\b|and ')")
_RESULT_PATH: Final = LazyPattern(r"\bresult(?:\[[^\]]*\]|\.\w+)+")
_NEAR: Final = 40
_GAP: Final = "…"


class Signatures:
    """For one capture."""

    def __init__(self, in_app: InApp, sources: SourceFiles) -> None:
        self._in_app = in_app
        self._sources = sources

    def of(self, view: ExceptionView, frames: list[RawFrame]) -> list[str]:
        """[failing expression, message's shape] of an exception that stands in `frames`, outermost first."""
        own = [raw for raw in frames if self._in_app.frame(raw.frame)[0]]
        expression = self._expression(own[-1]) if own else ""
        by_program = bool(own) and own[-1] is frames[-1] and _raises(own[-1])
        words = _constants(raw.frame.f_code for raw in own[-_FRAMES:]) if by_program else None
        text = without_suggestion(view.message[:_MAX_MESSAGE])
        if view.type.endswith("KeyError"):
            named = text[:1] in ("'", '"') and self._of_program(text[1:-1], own)
            return [expression, f"key {text[1:-1]}" if named else "key"]
        return [expression, message_shape(text, words)]

    def of_result(self, message: str, handler_file: str) -> list[str]:
        """Of a result that cannot be sent: why, and which of the program's names lead to the place."""
        names = [match[1] or match[2] or "" for match in _QUOTED.finditer(message[:_MAX_MESSAGE])]
        known = [name for name in names if name and self._sources.names(handler_file, name)]
        return [message_shape(_RESULT_PATH.sub("result", message[:_MAX_MESSAGE])), *known]

    def _expression(self, raw: RawFrame) -> str:
        """The source text of the instruction, without spaces and with one sort of quotes: formatters change
        these."""
        code = raw.frame.f_code
        line, end_line, column, end_column = code_position(code, raw.lasti)
        first, last = line or raw.line, end_line or line or raw.line
        count = min(last - first, _MAX_LINES)
        lines, start = self._sources.excerpt(code.co_filename, first, max(count, 0), whole=True)
        lines = lines[max(first - start, 0) :][: count + 1]
        if not lines:
            return ""
        if column is not None and end_column is not None and len(lines) == last - first + 1:
            lines[-1] = lines[-1].encode("utf-8", "replace")[:end_column].decode("utf-8", "replace")
            lines[0] = lines[0].encode("utf-8", "replace")[column:].decode("utf-8", "replace")
        text = "".join("".join(lines).split()).replace("'", '"')
        # No template: C code would look `re` up for it, which may be the function's own.
        return re.sub(r",([)\]}])", lambda match: match[1], text)[:_MAX_EXPRESSION]

    def _of_program(self, key: str, own: list[RawFrame]) -> bool:
        """Whether a missing key is one that the program names, and not one that came with the data."""
        files = {raw.frame.f_code.co_filename for raw in own}
        return bool(key) and any(self._sources.names(file, key) for file in files)


def _raises(raw: RawFrame) -> bool:
    """Whether a `raise` statement stands there."""
    code = raw.frame.f_code.co_code
    return 0 <= raw.lasti < len(code) and code[raw.lasti] == _RAISE


def _constants(codes: Iterable[CodeType]) -> frozenset[str]:
    """The words in the texts of these functions: what a message has of them is no data."""
    found: set[str] = set()
    for code in {id(code): code for code in codes}.values():  # by id: to compare code takes its time
        for constant in code.co_consts[:_MAX_CONSTANTS]:
            if type(constant) is str:
                found |= _words(constant[:_MAX_MESSAGE])
    return frozenset(found)


@lru_cache(maxsize=1024)
def _words(text: str) -> frozenset[str]:
    """The words of a text of the program."""
    return frozenset(match.group() for match in _WORDS.finditer(text))


def message_shape(text: str, words: frozenset[str] | None = None) -> str:
    """`text` without what differs from one occurrence to the next: numbers, addresses, paths, quoted values.
    Names stay that say which attribute, argument or column. With `words`, only these stay of all others."""
    text = _DATA.sub(_GAP, text)
    parts: list[str] = []
    at = 0
    for match in _QUOTED.finditer(text):
        before = text[at : match.start()]
        parts.append(_plain(before, words))
        content = match[1] if match[1] is not None else match[2]
        named = _NAME.fullmatch(content) is not None and _says_what(
            before[-_NEAR:], text[match.end() : match.end() + _NEAR]
        )
        parts.append(f"'{_NUMBER.sub('#', content)}'" if named else _GAP)
        at = match.end()
    parts.append(_plain(text[at:], words))
    return re.sub(r"…(?:\s*…)+", _GAP, " ".join("".join(parts).split()))


def _says_what(before: str, after: str) -> bool:
    """Whether the words around a quoted name say that it is one of the program's."""
    return _NAMED.search(before) is not None or _NAMES.match(after) is not None


def _plain(text: str, words: frozenset[str] | None) -> str:
    text = _NUMBER.sub("#", text)
    if words is None:
        return text
    return _WORDS.sub(lambda match: match.group() if match.group() in words else _GAP, text)
