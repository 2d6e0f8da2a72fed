"""The values of expressions while a run goes on: when each became another one."""

from __future__ import annotations

from collections import deque
from types import CodeType, FrameType
from typing import Any, Final

from relive_base.frame_locals import locals_of
from relive_capture.record.inspection import plain_name
from relive_runtime.travel.causes.values import exactly, is_plain, own_dict
from relive_runtime.travel.messages import Change, Seen

__all__ = ["Watch", "shown"]

_KEPT: Final = 500
_CHARS: Final = 200
_ITEMS: Final = 64
_CONTAINERS: Final = (list, dict, set, deque, bytearray)
_UNBOUND: Final = object()


class _Expression:
    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.name = text if text.isidentifier() else ""
        self._code: CodeType = compile(text, "<watch>", "eval")
        self.value: object = _UNBOUND
        self.print: object = None
        self.mutable = True

    def evaluate(self, frame: FrameType) -> object:
        names = locals_of(frame)
        if self.name:
            found = names.get(self.name, _UNBOUND)
            return frame.f_globals.get(self.name, _UNBOUND) if found is _UNBOUND else found
        try:
            return eval(self._code, frame.f_globals, names)
        except Exception:
            return _UNBOUND


class Watch:
    """Told of every event by `tracing.watching`. Runs the user's code as far as expressions do; in a process
    that
    nobody else needs."""

    def __init__(self, expressions: list[str], by_value: bool) -> None:
        """Raises SyntaxError."""
        self._expressions = [_Expression(number, text) for number, text in enumerate(expressions)]
        self._by_value = by_value
        self._changes: deque[Change] = deque(maxlen=_KEPT)
        self._seen = 0

    def look(self, frame: FrameType, own_event: bool, step: int) -> None:
        """Note what is another one than before the step that has just run."""
        for expression in self._expressions:
            if own_event or not expression.name or expression.mutable:
                self._look_at(expression, frame, step)

    def _look_at(self, expression: _Expression, frame: FrameType, step: int) -> None:
        before, value = expression.value, expression.evaluate(frame)
        same = before is value or (type(before) is type(value) and is_plain(value) and before == value)
        mark = fingerprint(value) if self._by_value else None
        if same and mark == expression.print:
            return
        expression.value, expression.print = value, mark
        expression.mutable = mark is not None
        bound = value is not _UNBOUND
        self._seen += 1
        self._changes.append(
            Change(
                expression.number, step, shown(value) if bound else "", plain_name(type(value)) if bound else
                "", bound,
                same, id(value) if bound else 0,
            )
        )  # fmt: skip

    def note(self, number: int, value: object, step: int) -> None:
        """A value that was seen, and when."""
        self._seen += 1
        self._changes.append(
            Change(number, step, shown(value), plain_name(type(value)), True, False, id(value))
        )

    def result(self) -> Seen:
        """What has been seen; the newest 500."""
        return Seen(list(self._changes), self._seen - len(self._changes))


def fingerprint(value: object) -> object:
    """Of what is inside of a container or of a plain object, one level deep; None of what has no inside. The
    first and the last 64 items count."""
    if is_plain(value) or value is _UNBOUND:
        return None
    inside: Any = value if exactly(value, *_CONTAINERS) else own_dict(value)
    if inside is None:
        return None
    try:
        if type(inside) is bytearray:
            return bytes(inside)
        items: list[Any] = list(inside.items()) if type(inside) is dict else list(inside)
    except RuntimeError:  # another thread changes it
        return None
    some = items if len(items) <= 2 * _ITEMS else items[:_ITEMS] + items[-_ITEMS:]
    if type(inside) is dict:
        return len(items), tuple((id(key), _token(item)) for key, item in some)
    return len(items), tuple(map(_token, some))


def _token(item: object) -> object:
    return (type(item), item) if is_plain(item) else id(item)


def shown(value: object) -> str:
    """As Python shows it, at most 200 characters."""
    try:
        text = str.__str__(repr(value)).encode("utf-8", "backslashreplace").decode()
    except BaseException as error:  # also one that ends a process: this is somebody who looks
        return f"({plain_name(type(value))}, whose repr raised {plain_name(type(error))})"
    return text if len(text) <= _CHARS else text[: _CHARS - 1] + "…"
