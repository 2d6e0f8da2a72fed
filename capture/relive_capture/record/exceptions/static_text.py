"""The message of an exception as far as `args` and C fields have it, if its `__str__` cannot be asked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import GetSetDescriptorType, MethodDescriptorType
from typing import Any

from relive_capture.record.inspection import (
    class_dict,
    instance_dict,
    is_heap_type,
    mro,
    named_entry,
    static_lookup,
    type_name,
)
from relive_capture.record.values import Leaves, bytes_text, int_text

__all__ = ["StaticText"]

_args: Callable[[BaseException], tuple[Any, ...]] = class_dict(BaseException)["args"].__get__
_MAX_MESSAGE = 2000
_MAX_ARGS = 8
_ARG_TEXT = 300
_MAX_INNER = 3
_ATTRIBUTES = ("message", "msg", "detail", "description", "reason", "title")
_PLAIN_IDS = frozenset(map(id, (str, int, float, bool, type(None))))
_UNICODE_ERRORS = (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)


class StaticText:
    """Messages that run no code of the user's, at most 4,000 characters."""

    def __init__(self, leaves: Leaves, clean: Callable[[str], str]) -> None:
        self._leaves = leaves
        self._clean = clean

    def text(self, error: BaseException) -> str:
        """What Python would print behind the type, as far as that can be known."""
        text = self._special(error)
        if text is None:
            text = self._from_args(error)
        return text[: _MAX_MESSAGE * 2]

    def _special(self, error: Any) -> str | None:
        """Built-in classes whose text is more than their args."""
        base: Any
        if type(error) is _pydantic_error():
            return _validation_error(error)
        for base in mro(type(error)):
            if is_heap_type(base):
                continue
            if base is KeyError:
                args = _args(error)
                return self._brief(args[0], quoted=True) if len(args) == 1 else None
            if base is OSError:
                return self._os_error(error)
            if base is SyntaxError or base is ImportError:
                text = class_dict(base)["msg"].__get__(error)
                return text if type(text) is str else None
            if base in _UNICODE_ERRORS:
                return self._unicode_error(base, error)
            if base is BaseExceptionGroup:
                members = BaseExceptionGroup.exceptions.__get__(error)
                text = BaseExceptionGroup.message.__get__(error)
                shown = text if type(text) is str else "?"
                return f"{shown} ({len(members)} sub-exception{'s' if len(members) != 1 else ''})"
        return None

    def _os_error(self, error: Any) -> str | None:
        number, text = (class_dict(OSError)[name].__get__(error) for name in ("errno", "strerror"))
        if type(number) is not int or type(text) is not str:
            return None
        fields = class_dict(OSError)
        names = [fields[name].__get__(error) for name in ("filename", "filename2")]
        shown = " -> ".join(self._brief(name, quoted=True) for name in names if name is not None)
        return f"[Errno {number}] {text}" + (f": {shown}" if shown else "")

    def _unicode_error(self, base: Any, error: Any) -> str | None:
        reason = base.reason.__get__(error)
        start, end = base.start.__get__(error), base.end.__get__(error)
        encoding = base.encoding.__get__(error) if base is not UnicodeTranslateError else "unicode"
        if type(reason) is not str or type(encoding) is not str:
            return None
        verb = "decode" if base is UnicodeDecodeError else "encode"
        return f"'{encoding[:40]}' codec can't {verb} position {start}-{max(end - 1, start)}: {reason}"

    def _from_args(self, error: BaseException) -> str:
        args = _args(error)
        if len(args) == 1:
            return self._brief(args[0], quoted=False)
        if args:
            parts = [self._brief(arg, quoted=True) for arg in args[:_MAX_ARGS]]
            return f"({', '.join(parts)}{', …' if len(args) > _MAX_ARGS else ''})"
        return self._from_attributes(error)

    def _from_attributes(self, error: BaseException) -> str:
        own = instance_dict(error)
        for name in _ATTRIBUTES:
            text = named_entry(own, name)
            if text is None:
                text = static_lookup(type(error), name)[1]
            if type(text) is str and text:
                return text
        return ""

    def _brief(self, value: Any, *, quoted: bool, depth: int = 0) -> str:
        """A short text for one argument. An exception in an exception shows its own message."""
        cls = type(value)
        if issubclass(cls, BaseException) and depth < _MAX_INNER:
            args = _args(value)
            inner = self._brief(args[0], quoted=quoted, depth=depth + 1) if len(args) == 1 else ""
            return f"{type_name(cls)}({inner})" if quoted else inner or f"<{type_name(cls)}>"
        if issubclass(cls, str):
            part = str.__getitem__(value, slice(0, _MAX_MESSAGE * 2))
            # what is cut is cleaned before: a part of a secret is not recognised
            return repr(self._clean(part)[:_ARG_TEXT]) if quoted else part
        if cls is int:
            return int_text(value)
        if issubclass(cls, bytes):
            return bytes_text(value, _ARG_TEXT, self._clean)[0]
        text = self._leaves.text(value, cls)
        if text is not None:
            return self._clean(text)[:_ARG_TEXT]
        for base in mro(cls):
            if base in (tuple, list, dict, set, frozenset):
                return self._container(value, base)
        return f"<{type_name(cls)}>"

    def _container(self, value: Any, base: Any) -> str:
        length = base.__len__(value)
        if base in (tuple, list) and length <= _MAX_ARGS:
            items = base.__getitem__(value, slice(0, _MAX_ARGS))
            simple = [item for item in items if id(type(item)) in _PLAIN_IDS]
            if len(simple) == length:
                parts = ", ".join(self._brief(item, quoted=True) for item in simple)
                return f"[{parts}]" if base is list else f"({parts}{',' if length == 1 else ''})"
        return f"<{type_name(type(value))} of {length}>"


def _pydantic_error() -> object:
    """pydantic's exception, which is written in Rust and has no args, if the function has loaded it."""
    module = sys.modules.get("pydantic_core._pydantic_core")
    found = None if module is None else (instance_dict(module) or {}).get("ValidationError")
    return NotImplemented if found is None else found


def _validation_error(error: Any) -> str | None:
    """ "2 validation errors for Order". Not its `errors()`: to give the details, that calls `__str__` of
    exceptions which the user's validators raised."""
    fields = class_dict(type(error))
    title, count = fields.get("title"), fields.get("error_count")
    if type(title) is not GetSetDescriptorType or type(count) is not MethodDescriptorType:
        return None
    name, number = title.__get__(error), count.__get__(error)()
    if type(name) is not str or type(number) is not int:
        return None
    return f"{number} validation error{'s' if number != 1 else ''} for {name[:200]}"
