"""Whatever a function holds, raises or returns: no line of its code runs while its failure is captured."""

from __future__ import annotations

import array
import asyncio
import collections
import contextlib
import contextvars
import ctypes
import datetime
import decimal
import enum
import functools
import gc
import io
import itertools
import mmap
import sqlite3
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

import hostile
import msgspec
import multidict
import numpy
import pytest
from relive_base.wire.messages import FunctionSpec, Scene
from relive_capture.record import capture_exception
from relive_capture.record.capture import NO_RESULT

BASES: list[type] = [
    object, int, str, bytes, bytearray, float, complex, list, tuple, dict, set, frozenset, collections.deque,
    collections.OrderedDict, collections.Counter, collections.UserDict, collections.ChainMap, decimal.Decimal,
    datetime.datetime, datetime.date, datetime.timedelta, PurePosixPath, types.SimpleNamespace,
    types.ModuleType, threading.Thread, functools.partial, property, classmethod, array.array,
    weakref.WeakValueDictionary, ctypes.Structure, BaseException, io.BytesIO, io.StringIO, weakref.ref,
    asyncio.Future, ElementTree.Element, ctypes.c_int, ctypes.Union, mmap.mmap, numpy.ndarray,
    numpy.ma.MaskedArray, multidict.CIMultiDict, sqlite3.Row,
    itertools.count, map, enumerate, threading.local, contextvars.ContextVar,
]  # fmt: skip
ERRORS: list[type] = [
    Exception, KeyError, OSError, ImportError, SyntaxError, StopIteration, SystemExit, AttributeError,
    NameError, UnicodeDecodeError, ExceptionGroup, RecursionError, MemoryError,
]  # fmt: skip
_ARGUMENTS: dict[type, tuple[Any, ...]] = {
    datetime.datetime: (2026, 1, 1),
    datetime.date: (2026, 1, 1),
    functools.partial: (print,),
    classmethod: (print,),
    types.ModuleType: ("m",),
    array.array: ("i", [1, 2]),
    io.BytesIO: (b"content",),
    io.StringIO: ("content",),
    weakref.ref: (hostile.Hostile,),
    ElementTree.Element: ("tag", {"a": "b"}),
    mmap.mmap: (-1, 4096),
    numpy.ndarray: ((2, 2),),
    numpy.ma.MaskedArray: ([1, 2],),
    multidict.CIMultiDict: ([("a", "b")],),
    sqlite3.Row: (sqlite3.connect(":memory:").execute("SELECT 1 AS a"), (1,)),
    itertools.count: (3,),
    map: (str, [1, 2]),
    enumerate: ([1, 2],),
    UnicodeDecodeError: ("utf-8", b"\xff", 0, 1, "why"),
    ExceptionGroup: ("group", [ValueError("inner")]),
    OSError: (2, "no", "file"),
    dict: ({"a": 1},),
    list: ([1, 2],),
    tuple: ((1, 2),),
    str: ("text",),
    bytes: (b"text",),
    decimal.Decimal: ("1.5",),
}

_LOOP = asyncio.new_event_loop()  # not a thread's own one, which other tests may have taken away


def instance(base: type, metaclass: type = type) -> Any:
    """An instance of a hostile subclass of `base`, made while the traps were not armed."""
    cls = hostile.make_hostile(base, metaclass)
    arguments = _ARGUMENTS.get(base, ())
    made = base.__new__(cls, *arguments)
    init = base.__init__
    options = {"loop": _LOOP} if base is asyncio.Future else {}
    with contextlib.suppress(TypeError):
        init(made, *arguments, **options)
    return made


@contextlib.contextmanager
def traps() -> Iterator[None]:
    """Every call of hostile code counts meanwhile; none is expected."""
    gc.collect()  # what other tests have left goes now, and calls its __del__
    hostile.calls.clear()
    hostile.armed.append(True)
    try:
        yield
    finally:
        hostile.armed.clear()
    assert hostile.calls == []


def captured(spec: FunctionSpec, held: Any, error: BaseException, result: Any = NO_RESULT) -> Scene:
    """The scene of `error`, raised in a frame that holds `held` in several ways."""

    def fail(local: Any) -> None:
        inside = [local, (local,), {"key": local, 1: [local]}, {1: {2: {3: local}}}]
        closed = lambda: inside  # noqa: E731
        closed()
        raise error

    try:
        fail(held)
    except BaseException as raised:
        kept = raised
    with traps():
        return capture_exception(kept, kind="exception", spec=spec, invocation_id="i", result=result)


def check(scene: Scene) -> None:
    assert scene.parts["exception"].state in ("ok", "partial"), scene.parts["exception"]
    assert "itself failed" not in str(msgspec.to_builtins(scene.parts))
    assert b'"local"' in scene.members["exception.json"]


@pytest.mark.parametrize("metaclass", [type, hostile.EverythingMeta], ids=["type", "hostile metaclass"])
@pytest.mark.parametrize("base", BASES, ids=lambda base: base.__name__)
def test_instances_as_locals_and_results(spec: FunctionSpec, base: type, metaclass: type) -> None:
    try:
        value = instance(base, metaclass)
    except TypeError:
        pytest.skip("there can be no such class")

    check(captured(spec, value, ValueError("why"), result={"inside": [value]}))
    check(captured(spec, type(value), ValueError("why"), result=[type(value)]))


@pytest.mark.parametrize("metaclass", [type, hostile.EverythingMeta], ids=["type", "hostile metaclass"])
@pytest.mark.parametrize("base", ERRORS, ids=lambda base: base.__name__)
def test_exceptions(spec: FunctionSpec, base: type, metaclass: type) -> None:
    error = instance(base, metaclass)
    argument = instance(object)

    check(captured(spec, error, error))
    check(captured(spec, error, ValueError(argument, [argument], {argument: 1})))
    caused = ValueError("outer")
    BaseException.__setattr__(caused, "__cause__", error)
    check(captured(spec, error, caused))
    check(captured(spec, error, BaseExceptionGroup("group", [error, ValueError(argument)])))


def _with_slots() -> Any:
    class Slots:
        __slots__ = ("a", "b")

    made = Slots()
    made.a = 1
    Slots.b = property(hostile._armed("slot"))  # type: ignore[assignment]
    return made


def _weak() -> Any:
    held = hostile.make_hostile(object)()
    return [held, weakref.ref(held, hostile._armed("weakref callback")), weakref.proxy(held)]


def _keys() -> Any:
    key = instance(str)
    return {key: 1, instance(object): key, instance(int): 2, (key,): 3}


def _generators() -> Any:
    def endless() -> Iterator[int]:
        hostile._armed("generator")()
        yield 1

    async def coroutine() -> None:
        hostile._armed("coroutine")()

    waiting = coroutine()
    waiting.close()
    return [endless(), waiting, map(hostile._armed("map"), [1]), iter(hostile._armed("iter"), 1)]


def _enum() -> Any:
    class Colour(enum.Enum):
        RED = 1

        def __repr__(self) -> str:
            return str(hostile._armed("enum")())

    return [Colour.RED, Colour]


def _mappings() -> Any:
    inside = collections.UserDict(a=1)
    made: Any = types.MappingProxyType(inside)
    type.__setattr__(collections.UserDict, "copy", collections.UserDict.copy)
    return [made, types.MappingProxyType(instance(dict))]


def _numpy() -> Any:
    numpy = pytest.importorskip("numpy")
    made = numpy.empty(2, dtype=object)
    made[0] = instance(object)
    return [made, made.view(hostile.make_hostile(numpy.ndarray))]


def _pointers() -> Any:
    callback = ctypes.CFUNCTYPE(None)(hostile._armed("callback"))
    return [callback, ctypes.py_object(instance(object)), ctypes.pointer(ctypes.c_int(3))]


def _lying() -> Any:
    cls = hostile.make_hostile(object)
    type.__setattr__(cls, "__qualname__", "x" * 100_000 + "\x1b[2J")
    type.__setattr__(cls, "__module__", instance(str))
    return cls()


def _deleted() -> Any:
    made = hostile.make_hostile(object)()
    object.__setattr__(made, "me", made)  # only a collection ends it, and would call __del__
    return [made]


@pytest.mark.parametrize(
    "make",
    [_with_slots, _weak, _keys, _generators, _enum, _mappings, _numpy, _pointers, _lying, _deleted],
    ids=lambda make: make.__name__.strip("_"),
)
def test_the_strange_ones(spec: FunctionSpec, make: Callable[[], Any]) -> None:
    value = make()

    check(captured(spec, value, ValueError("why"), result=value))


@pytest.mark.parametrize("name", ["__notes__", "message", "detail"])
def test_a_key_that_pretends_to_be_another(spec: FunctionSpec, name: str) -> None:
    class Pretends:
        def __hash__(self) -> int:
            return hash(name)

        __eq__ = hostile._armed("key.__eq__", False)

    error = ValueError()
    error.__dict__[Pretends()] = "x"  # type: ignore[index]

    check(captured(spec, {Pretends(): 1}, error))
