"""Objects of C types: what is in them is shown, and a full one never reads like an empty one."""

from __future__ import annotations

import array
import asyncio
import collections
import contextvars
import csv
import ctypes
import datetime
import functools
import hashlib
import importlib
import io
import itertools
import mmap
import operator
import queue
import re
import sqlite3
import struct
import traceback
import types
import weakref
import zlib
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import hostile
import msgspec
import numpy
import pandas
import pytest
from relive_base.redaction.redactor import Redactor
from relive_base.values import ValueNode, encode_value
from relive_capture.record.budget import Budget, Meter
from relive_capture.record.values import Walker


def walk(value: object, **limits: Any) -> ValueNode:
    budget = Budget(**{"cpu_ns": 10_000_000_000, **limits})
    nodes, _ = Walker(budget, Meter(budget), Redactor(), []).frame_locals([("x", value)], "f")
    return nodes[0][1]


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_double)]


class Line(ctypes.Structure):
    _fields_ = [("start", Point), ("name", ctypes.c_char_p), ("next", ctypes.POINTER(Point))]


def row() -> sqlite3.Row:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    found: sqlite3.Row = connection.execute("SELECT 1 AS a, 'x' AS b").fetchone()
    return found


def cell(value: object) -> object:
    closure = (lambda: value).__closure__
    assert closure is not None
    return closure[0]


def advanced(stream: Any) -> Any:
    stream.read(2)
    return stream


KEPT = collections.UserList([1])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: array.array("d", [9.9, 1.5]), "array.array('d', [9.9, 1.5])"),
        (lambda: types.MappingProxyType({"max": 3}), "mappingproxy({'max': 3})"),
        (lambda: slice(2, 9), "slice(2, 9, None)"),
        (lambda: memoryview(b"abc"), "memoryview(bytes=b'abc', size=3)"),
        (lambda: memoryview(array.array("i", [1, 2])), "memoryview([1, 2])"),
        (lambda: Point(1, 2.5), "Point(x=1, y=2.5)"),
        (lambda: (Point * 1)(Point(1, 2)), "Point_Array_1([Point(x=1, y=2.0)])"),
        (lambda: (ctypes.c_int * 3)(1, 2, 3), "c_int_Array_3([1, 2, 3])"),
        (lambda: ctypes.c_int(7), "ctypes.c_int(7)"),
        (lambda: ctypes.create_string_buffer(b"hello", 5), "ctypes.c_char_Array_5(value=b'hello', length=5)"),
        (
            lambda: re.match("a(b)", "abc"),
            "re.Match(span=(0, 2), match='ab', string='abc', re=re.compile('a(b)'), pos=0, …)",
        ),
        (lambda: io.BytesIO(b"hello"), "_io.BytesIO(value=b'hello', position=0)"),
        (lambda: advanced(io.StringIO("hello")), "_io.StringIO(value='hello', position=2)"),
        (row, "sqlite3.Row(a=1, b='x')"),
        (lambda: weakref.ref(KEPT), "weakref.ReferenceType(collections.UserList(data=[1]))"),
        (lambda: iter([1, 2]), "list_iterator(of=[1, 2], left=2)"),
        (lambda: {"a": 1}.keys(), "dict_keys(['a'])"),
        (lambda: {"a": 1}.values(), "dict_values([1])"),
        (lambda: collections.OrderedDict(a=1).items(), "odict_items([('a', 1)])"),
        (lambda: itertools.count(5), "itertools.count(5)"),
        (lambda: operator.itemgetter("a", 2), "operator.itemgetter('a', 2)"),
        (
            lambda: functools.partial(int, base=3),
            "functools.partial(func=<class int>, args=(), keywords={'base': 3})",
        ),
        (lambda: cell(5), "cell(5)"),
        (lambda: struct.Struct("<iq"), "_struct.Struct(format='<iq', size=12)"),
        (lambda: hashlib.sha256(b"a"), "_hashlib.HASH(name='sha256', digest_size=32)"),
        (lambda: contextvars.ContextVar("request"), "_contextvars.ContextVar(name='request')"),
        (lambda: mmap.mmap(-1, 4096), "mmap.mmap(… 4096 bytes)"),
        (lambda: msgspec.Raw(b"abc"), "msgspec.Raw(bytes=b'abc', size=3)"),
        (
            lambda: ElementTree.fromstring('<a x="1"/>'),
            "xml.etree.ElementTree.Element(tag='a', attrib={'x': '1'}, text=None)",
        ),
        (lambda: numpy.array(["ab", "c"]), "ndarray shape=(2,) dtype=<U2 ['ab', 'c']"),
        (lambda: numpy.ma.array([1, 2], mask=[0, 1]), "ndarray shape=(2,) dtype=<i8 [1, --]"),
        (lambda: numpy.array([{"a": 1}], dtype=object), "ndarray shape=(1,) dtype=|O [{'a': 1}]"),
        (lambda: numpy.array([(1, 2.0)], dtype="i4,f8"), "ndarray shape=(1,) dtype=|V12 [(1, 2.0)]"),
        (lambda: numpy.datetime64("2024-05-01"), "numpy.datetime64('2024-05-01')"),
        (
            lambda: numpy.array(["2024-05-01"], dtype="M8[D]"),
            "ndarray shape=(1,) dtype=<M8[D] [numpy.datetime64('2024-05-01')]",
        ),
        (lambda: numpy.str_("x"), "numpy.str_('x')"),
        (lambda: pandas.Series([1, 2]), "Series of 2 (ndarray shape=(2,) dtype=<i8 [1, 2])"),
        (lambda: pandas.NaT, "NaT"),
        (lambda: str.upper, "<method 'upper' of 'str' objects>"),
    ],
)  # fmt: skip
def test_content_is_shown(make: Callable[[], object], text: str) -> None:
    value = make()

    assert walk(value).text.replace(f"{__name__}.", "").replace("test_opaque.", "") == text


def test_a_pointer_says_where_to() -> None:
    assert walk(ctypes.POINTER(ctypes.c_int)()).text.endswith("LP_c_int(NULL)")
    assert "LP_c_int(to 0x" in walk(ctypes.pointer(ctypes.c_int(5))).text


def test_a_table_of_the_users_own_class_is_not_asked() -> None:
    asked: list[str] = []

    def trap(*_: object, **__: object) -> str:
        asked.append("\n".join(traceback.format_stack()) if armed else "")
        return ""

    armed = False

    names = ("columns", "__len__", "__iter__", "items", "__getattr__", "__getitem__", "__repr__", "axes")
    table = pandas.DataFrame({"a": [1, 2]})
    mine = type("Mine", (pandas.DataFrame,), dict.fromkeys(names, trap))
    object.__setattr__(table, "__class__", mine)

    asked.clear()
    armed = True
    text = walk(table).text

    assert asked == []
    assert "2 rows x 1 columns {'a': ndarray shape=(2,) dtype=<i8 [1, 2]" in text


def test_names_of_what_the_system_tells_are_shown() -> None:
    import os
    import time

    assert walk(os.stat("/")).text.startswith("os.stat_result(st_mode=")
    assert walk(time.localtime(0)).text.startswith("time.struct_time(tm_year=19")


def protobuf() -> Any:
    struct_pb2: Any = importlib.import_module("google.protobuf.struct_pb2")
    message = struct_pb2.Struct()
    message.update({"sku": "mug", "password": "hunter2"})
    return message


def test_a_protobuf_message_has_its_fields_and_its_secrets_are_hidden() -> None:
    node = walk(protobuf(), depth=6)

    fields = dict(node.children)["fields"]
    assert [name for name, _ in fields.children] in (["sku", "password"], ["password", "sku"])
    assert "string_value='mug'" in dict(fields.children)["sku"].text
    assert b"hunter2" not in encode_value(node)
    assert walk(type(protobuf())()).text == "google.protobuf.struct_pb2.Struct()"


@pytest.mark.parametrize(
    ("module", "make", "texts"),
    [
        ("polars", lambda m: m.DataFrame({"a": [1, 2]}), ["1 columns", "2 rows", "[1, 2]"]),
        ("polars", lambda m: m.Series([1, 2]), ["[1, 2]"]),
        ("pyarrow", lambda m: m.table({"a": [1, 2]}), ["1 columns", "2 rows"]),
        ("pyarrow", lambda m: m.array(["x"]), ['["x"]']),
        ("pyarrow", lambda m: m.scalar(5), ["(5)"]),
        ("pyarrow", lambda m: m.schema([("a", m.int64())]), ["a: int64"]),
        ("lxml.etree", lambda m: m.fromstring('<a x="1"><b/></a>'), ["tag='a'", "{'x': '1'}", "children=1"]),
        ("multidict", lambda m: m.CIMultiDict(a="1"), ["{'a': '1'}"]),
    ],
)
def test_content_of_data_libraries_is_shown(
    module: str, make: Callable[[Any], object], texts: list[str]
) -> None:
    found = walk(make(pytest.importorskip(module))).text

    assert all(text in found for text in texts), found


FULL: list[Callable[[], object]] = [
    lambda: array.array("u", "text"),
    lambda: memoryview(bytearray(b"abc"))[1:],
    lambda: memoryview(mmap.mmap(-1, 10)),
    lambda: types.MappingProxyType(collections.UserDict(a=1)),
    lambda: iter({1}),
    lambda: iter("é"),
    lambda: zip([1], [2], strict=False),
    lambda: map(str, [1]),
    lambda: enumerate([1]),
    lambda: itertools.chain([1], [2]),
    lambda: itertools.cycle([1]),
    lambda: csv.reader(["a,b"]),
    lambda: zlib.compressobj(),
    lambda: property(len),
    lambda: list[int],
    lambda: int | str,
    lambda: asyncio.new_event_loop().create_future(),
    lambda: weakref.proxy(KEPT),
    lambda: super(collections.UserList, KEPT),
    lambda: Point.from_buffer(bytearray(16)),
    lambda: Line(Point(1, 2), b"name", None),
    lambda: ctypes.c_char_p(b"text"),
    lambda: ctypes.pointer(ctypes.c_int(5)),
    lambda: ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1),
    lambda: numpy.dtype("i4"),
    lambda: numpy.arange(3).flat,
    lambda: numpy.random.default_rng(1),
    lambda: pandas.DataFrame({"a": [1]}),
    lambda: pandas.Categorical(["a"]),
    lambda: pandas.Interval(0, 1),
    lambda: pandas.Period("2024-01"),
    protobuf,
    row,
    lambda: (lambda found: (found.put(1), found)[1])(queue.SimpleQueue()),
    lambda: io.BytesIO(bytes(2_000_000)),
    lambda: datetime.UTC,
    lambda: ElementTree.fromstring("<a><b/></a>"),
]


@pytest.mark.parametrize("number", range(len(FULL)))
@pytest.mark.parametrize(
    "limits", [{}, {"depth": 0}, {"cpu_ns": 0}, {"frame_nodes": 1}, {"breadth": 1}], ids=str
)
def test_a_full_object_never_reads_like_an_empty_one(number: int, limits: dict[str, int]) -> None:
    value = FULL[number]()

    for held in (value, [value], {"a": {"b": value}}):
        text = walk(held, **limits).text
        assert not re.search(r"[\w.]\((\[\]|{})?\)", text), text
        assert "not readable" not in text


def test_what_is_empty_reads_like_it() -> None:
    assert walk(object()).text == "object()"
    assert walk(array.array("i")).text == "array.array('i', [])"
    assert walk(type("Bare", (), {"__slots__": ()})()).text.endswith("Bare()")
    assert walk(types.MappingProxyType({})).text == "mappingproxy({})"


def test_memory_that_is_not_the_objects_own_is_not_read() -> None:
    gone = Point.from_address(8)  # reading there would end the process

    assert walk(gone).text.endswith("Point(… 16 bytes of memory that is not its own)")
    assert "not its own" in walk((ctypes.c_int * 4).from_address(8)).text
    assert walk(ctypes.c_char_p(8)).text == "ctypes.c_char_p(to 0x8)"
    dangling = Line(Point(1, 2))
    ctypes.memmove(ctypes.addressof(dangling) + Line.name.offset, (8).to_bytes(8, "little"), 8)
    assert dict(walk(dangling).children)["name"].text == "8"


def test_a_mapped_file_that_was_cut_short_is_not_read(tmp_path: Any) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(8192))
    mapped = numpy.memmap(path, dtype="i4", mode="r")
    path.write_bytes(b"")  # what is read now kills the process

    whole, part = walk(mapped), walk(mapped[4:])

    path.write_bytes(bytes(8192))
    assert whole.text == "ndarray shape=(2048,) dtype=<i4 [… 8192 bytes]"
    assert part.text.endswith("[… 8176 bytes]")


def test_what_a_proxy_of_the_users_mapping_holds_is_not_asked() -> None:
    proxy = types.MappingProxyType(hostile.HostileDict(a=1))
    hostile.calls.clear()

    assert "HostileDict{'a': 1}" in walk(proxy).text or "{'a': 1}" in walk(proxy).text
    assert hostile.calls == []
