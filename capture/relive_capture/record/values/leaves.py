"""Short texts for values that have no children worth walking. None of these calls the user's code."""

from __future__ import annotations

import enum
import io
import sys
import types
from collections.abc import Callable
from typing import Any, Final

from relive_base.code_lines import frame_line, traceback_line

from relive_capture.record.inspection import instance_dict, mro, type_name
from relive_capture.record.values.library_types import LATE_TYPES, int_text

__all__ = ["Leaves", "Text", "bytes_text", "int_text", "str_text"]


def str_text(value: str, limit: int, clean: Callable[[str], str]) -> tuple[str, int]:
    """(repr of the first `limit` characters after redaction, whole length)."""
    length = str.__len__(value)
    # More than is shown is looked at, so that a secret across the cut is still recognised.
    part = str.__getitem__(value, slice(0, limit * 3))
    text = clean(part)
    cut = length > limit
    return repr(text[:limit]) + ("…" if cut else ""), length


def bytes_text(value: bytes | bytearray, limit: int, clean: Callable[[str], str]) -> tuple[str, int]:
    """(repr of the first `limit` bytes after redaction, whole length)."""
    cls = bytes if issubclass(type(value), bytes) else bytearray
    length = cls.__len__(value)  # type: ignore[arg-type]
    part = bytes(cls.__getitem__(value, slice(0, limit * 3)))  # type: ignore[index]
    text = part.decode("latin-1")
    hidden = clean(text)
    shown = repr(hidden[:limit].encode("latin-1", "replace"))
    shown = shown if cls is bytes else f"bytearray({shown})"
    return shown + ("…" if length > limit else ""), length


def _module(value: types.ModuleType) -> str:
    name = (instance_dict(value) or {}).get("__name__")
    return f"<module {name[:100]}>" if type(name) is str else "<module>"


def _code_text(kind: str, code: types.CodeType, line: int = 0) -> str:
    return f"<{kind} {code.co_qualname[:120]} at {code.co_filename[-120:]}:{line or code.co_firstlineno}>"


def _function(value: types.FunctionType) -> str:
    return _code_text("function", value.__code__)


def _method(value: types.MethodType) -> str:
    function = value.__func__
    owner = type_name(type(value.__self__))
    if type(function) is types.FunctionType:
        return f"<method {function.__code__.co_qualname[:120]} of {owner}>"
    return f"<method of {owner}>"


def _builtin(value: types.BuiltinFunctionType) -> str:
    return f"<built-in {value.__name__[:100]}>"


def _running(kind: str, code: types.CodeType, frame: types.FrameType | None) -> str:
    if frame is None:
        return _code_text(kind, code) + " (finished)"
    return _code_text(kind, code, frame_line(frame))


def _generator(value: types.GeneratorType[Any, Any, Any]) -> str:
    return _running("generator", value.gi_code, value.gi_frame)


def _coroutine(value: types.CoroutineType[Any, Any, Any]) -> str:
    return _running("coroutine", value.cr_code, value.cr_frame)


def _async_generator(value: types.AsyncGeneratorType[Any, Any]) -> str:
    return _running("async generator", value.ag_code, value.ag_frame)


def _frame(value: types.FrameType) -> str:
    return _code_text("frame", value.f_code, frame_line(value))


def _file_io(value: io.FileIO) -> str:
    name = (instance_dict(value) or {}).get("name")
    shown = name[:200] if type(name) is str else (str(name) if type(name) is int else "?")
    state = " closed" if io.FileIO.closed.__get__(value) else ""
    return f"<file {shown!r} {value.mode}{state}>"


def _buffered(value: Any) -> str:
    raw = type(value).raw.__get__(value)
    return _file_io(raw) if type(raw) is io.FileIO else f"<file of {type_name(type(raw))}>"


def _text_io(value: Any) -> str:
    buffer = io.TextIOWrapper.buffer.__get__(value)
    if type(buffer) in (io.BufferedReader, io.BufferedWriter, io.BufferedRandom):
        return _buffered(buffer)
    return f"<text file of {type_name(type(buffer))}>"


def _range(value: range) -> str:
    step = f", {int_text(value.step)}" if value.step != 1 else ""
    return f"range({int_text(value.start)}, {int_text(value.stop)}{step})"


Text = Callable[[Any], str]

_EXACT: Final[dict[int, Text]] = {
    id(cls): text
    for cls, text in (
        (type(None), lambda _: "None"),
        (bool, lambda value: "True" if value else "False"),
        (float, float.__repr__),
        (complex, complex.__repr__),
        (type(...), lambda _: "..."),
        (type(NotImplemented), lambda _: "NotImplemented"),
        (range, _range),
        (types.ModuleType, _module),
        (types.FunctionType, _function),
        (types.MethodType, _method),
        (types.BuiltinFunctionType, _builtin),
        (types.GeneratorType, _generator),
        (types.CoroutineType, _coroutine),
        (types.AsyncGeneratorType, _async_generator),
        (types.FrameType, _frame),
        (types.CodeType, lambda value: _code_text("code", value)),
        (types.TracebackType, lambda value: f"<traceback at line {traceback_line(value)}>"),
        (io.FileIO, _file_io),
        (io.BufferedReader, _buffered),
        (io.BufferedWriter, _buffered),
        (io.BufferedRandom, _buffered),
        (io.TextIOWrapper, _text_io),
        (types.WrapperDescriptorType, repr),
        (types.MethodDescriptorType, repr),
        (types.ClassMethodDescriptorType, repr),
        (types.GetSetDescriptorType, repr),
        (types.MemberDescriptorType, repr),
    )
}
_BASES: Final[dict[int, Text]] = {id(cls): _EXACT[id(cls)] for cls in (float, complex, types.ModuleType)}


class Leaves:
    """Texts by type: of built-in types, and of those of modules that the function has loaded by now. Holds
    these, so that their ids stay their own."""

    __slots__ = ("_bases", "_exact", "_held")

    def __init__(self) -> None:
        self._exact = dict(_EXACT)
        self._bases = dict(_BASES)
        self._held: list[Any] = []
        for module, name, text, with_subclasses in LATE_TYPES:
            loaded = sys.modules.get(module)
            cls = None if loaded is None else (instance_dict(loaded) or {}).get(name)
            if issubclass(type(cls), type):
                self._exact[id(cls)] = text
                self._held.append(cls)
                if with_subclasses:
                    self._bases[id(cls)] = text

    def finder(self, cls: type) -> Text | None:
        """What makes the text of values of type `cls`, or None if they are to be looked into."""
        exact = self._exact.get(id(cls))
        if exact is not None:
            return exact
        for base in mro(cls):
            if base is enum.Enum:
                return _enum_member
            if base is type:
                return _class
            text = self._bases.get(id(base))
            if text is not None:
                return text
        return None

    def text(self, obj: object, cls: type) -> str | None:
        """A text for `obj` if its type has one, else None."""
        finder = self.finder(cls)
        return None if finder is None else finder(obj)


def _enum_member(value: Any) -> str:
    name = (instance_dict(value) or {}).get("_name_")
    return f"{type_name(type(value))}.{name}" if type(name) is str else type_name(type(value))


def _class(value: Any) -> str:
    return f"<class {type_name(value)}>"
