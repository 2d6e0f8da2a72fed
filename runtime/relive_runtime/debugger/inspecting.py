"""Answers about real objects, for a debugger whose face is an editor. No code of the user's runs for it, but
what `Evaluate` asks for."""

from __future__ import annotations

import linecache
from binascii import Error as NoBase64
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from types import FrameType, ModuleType
from typing import Any, Final, Protocol

import msgspec
from relive_base.frame_locals import locals_of
from relive_base.wire.inspection import (
    ASK,
    FRAMES_OF_A_STACK,
    PAGE,
    Answer,
    Ask,
    Children,
    Cut,
    ErrorAt,
    Errors,
    Evaluate,
    FrameAt,
    FrameList,
    Frames,
    Problem,
    Raised,
    Scope,
    ScopeList,
    Scopes,
    Select,
    Source,
    StackList,
    Stacks,
    Text,
    Value,
    Values,
    page,
)
from relive_capture.record.inspection import dict_items, type_name

from relive_runtime.debugger.previews import fields, is_mapping, items, keyed, preview, size

__all__ = ["Held", "Inspector", "Moment", "is_question", "reply"]

_HELD: Final = 100_000
_WHOLE_CHARS: Final = 65_536
_SOURCE_CHARS: Final = 400_000
_NAMES: Final = 20_000
_OURS: Final = frozenset(("__exception__", "__pdb_convenience_variables"))
_ask: msgspec.json.Decoder[Ask] = msgspec.json.Decoder(Ask)


class Moment(Protocol):
    """What a debugger knows of where it stands."""

    @property
    def stack_names(self) -> list[str]: ...
    @property
    def stack_shown(self) -> int: ...
    @property
    def moment(self) -> str: ...
    def stack_of(self, number: int) -> Sequence[tuple[FrameType, int]]:
        """Outermost first. Raises IndexError."""
        ...

    def error_of(self, number: int) -> BaseException | None: ...
    def place(self, file: str) -> tuple[bool, str]:
        """Whether it is of the application, and how frames name it."""
        ...

    def select(self, stack: int, index: int) -> None: ...
    def evaluated(self, text: str) -> Any:
        """In the frame that is selected. Raises whatever the code does."""
        ...

    def described(self, error: BaseException) -> list[ErrorAt]: ...


class Held:
    """Values that have been shown, by their numbers; bounded."""

    def __init__(self) -> None:
        self._values: list[tuple[Any, str]] = []

    def add(self, value: Any, path: str) -> int:
        """Its number; 0 if there is no room for more."""
        if len(self._values) >= _HELD:
            return 0
        self._values.append((value, path))
        return len(self._values)

    def get(self, number: int) -> tuple[Any, str]:
        """(value, expression). Raises LookupError."""
        if not 1 <= number <= len(self._values):
            raise LookupError
        return self._values[number - 1]


class _Names:
    """The names of a frame, locals or globals, as they are now."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self.read = read


def is_question(line: str) -> bool:
    """Whether a debugger's line is one of these, and no command."""
    return line.startswith(ASK.strip())


def reply(line: str, inspector: Inspector) -> str:
    """The line that answers a question: `ASK`, its nonce, and the answer."""
    _, nonce, text = (*line.split(), "", "", "")[:3]
    try:
        asked = _ask.decode(a2b_base64(text))
    except (msgspec.DecodeError, NoBase64, ValueError):
        answer: Answer = Problem("this question is not known here: the function's process has another Relive")
    else:
        answer = inspector.answer(asked)
    return f"{ASK}{nonce} {b2a_base64(msgspec.json.encode(answer), newline=False).decode()}\n"


class Inspector:
    """Of one moment."""

    def __init__(self, moment: Moment, held: Held) -> None:
        self._moment = moment
        self._held = held

    def answer(self, asked: Ask) -> Answer:
        """Never raises Exception."""
        try:
            found: Answer = _ANSWERS[type(asked)](self, asked)
            return found
        except LookupError:
            return Problem("this is no longer there: the debugger has moved on")
        except Exception as error:
            return Problem(f"it cannot be shown: {type(error).__name__}: {error}"[:500])

    def _stacks(self, _asked: Stacks) -> Answer:
        return StackList(self._moment.stack_names, self._moment.stack_shown, self._moment.moment)

    def _frames(self, asked: Frames) -> Answer:
        stack = self._moment.stack_of(asked.stack)
        total = len(stack)
        found = []
        for index in range(total - 1 - asked.start, max(-1, total - 1 - asked.start - page(asked.count)), -1):
            frame, line = stack[index]
            code = frame.f_code
            own, shown = self._moment.place(code.co_filename)
            number = asked.stack * FRAMES_OF_A_STACK + index
            found.append(FrameAt(number, code.co_qualname, code.co_filename, shown, line, own=own))
        return FrameList(found, total)

    def _frame(self, number: int) -> FrameType:
        stack, index = divmod(number, FRAMES_OF_A_STACK)
        return self._moment.stack_of(stack)[index][0]

    def _scopes(self, asked: Scopes) -> Answer:
        frame = self._frame(asked.frame)
        scopes = []
        if frame.f_locals is not frame.f_globals:  # else it is a module's own
            names = _Names(lambda: locals_of(frame))
            scopes.append(Scope("Locals", self._held.add(names, ""), len(_listed(names))))
        own = _Names(lambda: frame.f_globals)
        scopes.append(Scope("Globals", self._held.add(own, ""), len(_listed(own)), costly=True))
        error = self._moment.error_of(asked.frame // FRAMES_OF_A_STACK)
        if error is not None:
            scopes.append(
                Scope("Exception", self._held.add(error, "$_exception"), len(_inside_of(error)), costly=True)
            )
        return ScopeList(scopes)

    def _children(self, asked: Children) -> Answer:
        value, path = self._held.get(asked.reference)
        count = page(asked.count)
        if type(value) is _Names:
            named = _listed(value)
            rows = [] if asked.which == "indexed" else named[asked.start : asked.start + count]
            return self._rows(
                [(name, item, name) for name, item in rows], len(named) - asked.start - len(rows), asked
            )
        return self._inside(value, path, asked, count)

    def _inside(self, value: Any, path: str, asked: Children, count: int) -> Answer:
        inside = _inside_of(value)
        indexed = size(value)
        rows: list[tuple[str, Any, str]] = []
        start = asked.start
        if asked.which != "indexed":
            for name, item in inside[start : start + count]:
                rows.append((name, item, f"{path}.{name}" if path and name.isidentifier() else ""))
            start = max(start - len(inside), 0) if not asked.which else start
        if asked.which != "named":
            room = count - len(rows)
            if is_mapping(value):
                rows += [
                    (preview(key), item, _keyed_path(path, key)) for key, item in keyed(value, start, room)
                ]
            else:
                by_number = issubclass(type(value), (list, tuple))
                rows += [
                    (f"[{number}]", item, f"{path}[{number}]" if path and by_number else "")
                    for number, item in enumerate(items(value, start, room), start)
                ]
        of = {"named": len(inside), "indexed": indexed}.get(asked.which, len(inside) + indexed)
        return self._rows(rows, of - asked.start - len(rows), asked)

    def _rows(self, rows: list[tuple[str, Any, str]], left: int, asked: Children) -> Answer:
        values = [self._value(name, item, path) for name, item, path in rows]
        unasked = left > 0 and not asked.count  # who pages knows that there are more
        return Values(values, Cut(left, f"{PAGE:,} values at a time") if unasked else None)

    def _value(self, name: str, value: Any, path: str) -> Value:
        named, indexed = len(_inside_of(value)), size(value)
        reference = self._held.add(value, path) if named or indexed else 0
        return Value(
            name[:1_000], preview(value), type_name(type(value)), reference, named, indexed, path[:1_000]
        )

    def _evaluate(self, asked: Evaluate) -> Answer:
        try:
            compile(asked.text.strip(), "<expression>", "eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            return Problem(f"{type(error).__name__}: {error}"[:500], "syntax")
        self._frame(asked.frame)
        self._moment.select(*divmod(asked.frame, FRAMES_OF_A_STACK))
        try:
            value = self._moment.evaluated(asked.text.strip())
        except KeyboardInterrupt:
            return Problem("interrupted", "raised")
        except BaseException as error:  # `exit()`, too: it is what was asked for, and ends nothing
            unknown = type(error) is NameError and asked.text.strip().isidentifier()
            return Problem(_said(error), "name" if unknown else "raised")
        found = self._value(asked.text, value, asked.text.strip())
        if asked.whole:
            found.text = _whole(value)
        return Values([found])

    def _source(self, asked: Source) -> Answer:
        lines = linecache.getlines(asked.file)
        text = "".join(lines)
        if not text:
            return Problem("the process has no text of this file")
        return Text(text[:_SOURCE_CHARS], max(len(text) - _SOURCE_CHARS, 0))

    def _select(self, asked: Select) -> Answer:
        self._frame(asked.frame)
        self._moment.select(*divmod(asked.frame, FRAMES_OF_A_STACK))
        return Text()

    def _raised(self, asked: Raised) -> Answer:
        error = self._moment.error_of(asked.stack)
        return Errors(self._moment.described(error) if error is not None else [])


_ANSWERS: Final[dict[type, Callable[[Inspector, Any], Answer]]] = {
    Stacks: Inspector._stacks,
    Frames: Inspector._frames,
    Scopes: Inspector._scopes,
    Children: Inspector._children,
    Evaluate: Inspector._evaluate,
    Source: Inspector._source,
    Select: Inspector._select,
    Raised: Inspector._raised,
}


def _listed(names: _Names) -> list[tuple[str, Any]]:
    """Names of a frame; those of modules and of Python's own come last."""
    space = names.read()
    pairs = dict_items(space, _NAMES) if issubclass(type(space), dict) else list(space.items())[:_NAMES]
    own = [(name, value) for name, value in pairs if type(name) is str and name not in _OURS]
    return sorted(own, key=lambda pair: _late(*pair))  # the order of their birth otherwise


def _late(name: str, value: Any) -> int:
    return 2 if name.startswith("__") else int(type(value) is ModuleType)


def _inside_of(value: Any) -> list[tuple[str, Any]]:
    """Attributes to show; none of functions, modules and classes, which have no end."""
    kind = type(value)
    if issubclass(kind, type) or kind is ModuleType or _flags(kind) & _FUNCTION:
        return []
    found = fields(value)
    if issubclass(kind, BaseException):
        found.insert(0, ("args", _args(value)))
    return found


_FUNCTION: Final = 1 << 11
"""Py_TPFLAGS_HAVE_VECTORCALL: functions and methods, of Python and of C."""
_flags: Callable[[type], int] = type.__dict__["__flags__"].__get__
_args: Callable[[BaseException], Any] = BaseException.__dict__["args"].__get__


def _keyed_path(path: str, key: object) -> str:
    if not path or type(key) not in (str, int, bool, bytes):
        return ""
    text = repr(key)
    return f"{path}[{text}]" if len(text) <= 200 else ""


def _said(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type_name(type(error))}: {text}"[:2_000] if text else type_name(type(error))


def _whole(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:
        return f"({type_name(type(value))}, whose repr raised {type_name(type(error))})"
    return text if len(text) <= _WHOLE_CHARS else text[: _WHOLE_CHARS - 1] + "…"
