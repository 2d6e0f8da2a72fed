"""What is shown of a value says what Python's own repr says: nothing is lost, nothing is another value's."""

from __future__ import annotations

import array
import collections
import functools
import itertools
import operator
import re
import types
import uuid
from typing import Any

import pytest
from relive_base.redaction.redactor import Redactor
from relive_base.values import render
from relive_capture.record.budget import Budget, Meter
from relive_capture.record.inspection import slot_readers
from relive_capture.record.values import Walker


def shown(value: object) -> str:
    budget = Budget(cpu_ns=10_000_000_000)
    nodes, _ = Walker(budget, Meter(budget), Redactor(), []).frame_locals([("x", value)], "f")
    return render(nodes[0][1], 200)


class Row(tuple):
    __slots__ = ()


class Tags(set):
    pass


class Names(frozenset):
    pass


class Last(collections.deque):
    pass


class Buffer(bytearray):
    pass


def text(value: object) -> Any:
    return pytest.param(value, id=repr(value)[:60])


@pytest.mark.parametrize(
    "value",
    [
        text(value)
        for value in (
            (), ("7",), (1, 2), [("7",)], {"a": (1,)}, {(1,): 2}, {("a", "b"): 2}, [], {}, {1: 2}, set(), {1},
            frozenset(), frozenset({1}), [set(), {}], b"ab", bytearray(b"ab"), bytearray(), range(3),
            range(1, 9), range(1, 9, 2),
            collections.deque([1, 2]), collections.deque([1], maxlen=5), collections.deque(maxlen=0),
            re.compile("a"), re.compile("a", re.IGNORECASE | re.MULTILINE), re.compile(b"a", re.DOTALL),
            re.compile("a", re.ASCII), re.compile(b"a"), types.MappingProxyType({"a": 1}), slice(1, None, 2),
            operator.attrgetter("a"), operator.attrgetter("a", "b.c"), operator.itemgetter(1),
            operator.itemgetter(1, "x"), operator.methodcaller("f"), operator.methodcaller("f", 1),
            1.5, float("nan"), -0.0, 1 + 2j, True, None, "it's", 10**100,
        )
    ],
)  # fmt: skip
def test_a_value_reads_as_pythons_repr_of_it(value: object) -> None:
    assert shown(value) == repr(value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Row((1,)), "Row(1,)"),
        (Row(), "Row()"),
        (Tags(), "Tags()"),
        (Tags({1}), "Tags{1}"),
        (Names({1}), "Names({1})"),
        (Names(), "Names()"),
        (Last([1], 3), "Last([1], maxlen=3)"),
        (Buffer(b"a"), "bytearray(b'a')"),
        (collections.defaultdict(list, {1: [2]}), "collections.defaultdict(list, {1: [2]})"),
        (collections.defaultdict(None), "collections.defaultdict(None, {})"),
        (itertools.repeat(7), "itertools.repeat(7)"),
        (itertools.repeat(7, 3), "itertools.repeat(7, 3)"),
        (itertools.count(3, 2), "itertools.count(3, 2)"),
        (itertools.islice([1], 2), "itertools.islice(list_iterator(of=[1], left=1), …)"),
        (itertools.combinations([1, 2], 1), "itertools.combinations((1, 2), …)"),
        (enumerate([1], 5), "enumerate(list_iterator(of=[1], left=1), 5)"),
        (filter(None, ()), "filter(None, tuple_iterator(of=(), left=0))"),
        (map(str, ()), "map(<class str>, tuple_iterator(of=(), left=0))"),
        (
            functools.partial(int, base=2),
            "functools.partial(func=<class int>, args=(), keywords={'base': 2})",
        ),
        (operator.methodcaller("f", 1, k=2), "operator.methodcaller([0]='f', [1]=1, k=2)"),
        (array.array("i", [1]), "array.array('i', [1])"),
        (types.CellType(1), "cell(1)"),
        (types.CellType(), "cell(empty)"),
        (ValueError("a"), "ValueError(args=('a',))"),
    ],
)
def test_where_it_reads_otherwise_it_says_as_much(value: object, said: str) -> None:
    assert shown(value).removeprefix(f"{__name__}.") == said


def test_values_of_pandas_say_what_they_are_made_of() -> None:
    pandas = pytest.importorskip("pandas")

    assert shown(pandas.Period("2026-01")) == "pandas.Period('2026-01')"
    assert shown(pandas.Interval(1, 2, closed="both")) == "pandas.Interval(left=1, right=2, closed='both')"
    assert shown(pandas.Timestamp(1_700_000_000_000_000_005)) == "2023-11-14T22:13:20 + 5 ns"
    assert shown(pandas.Timedelta(5)) == "timedelta(0:00:00 + 5 ns)"
    assert shown(pandas.NA) == "<NA>"
    assert shown(pandas.offsets.Day(2)).endswith("Day(n=2, normalize=False)")


def test_a_struct_of_protobuf_shows_its_fields() -> None:
    structs = pytest.importorskip("google.protobuf.struct_pb2")
    found = structs.Struct()
    found.update({"a": [1, "x"]})

    assert shown(found.fields["a"].list_value.values[1]).endswith("Value(string_value='x')")
    assert shown(found).startswith("google.protobuf.struct_pb2.Struct(fields=map {'a': ")
    assert shown(found.fields["a"].list_value).startswith(
        "google.protobuf.struct_pb2.ListValue(values=repeated ["
    )


def test_nothing_of_a_hostile_factory_is_called() -> None:
    class Factory:
        def __repr__(self) -> str:
            raise AssertionError("called")

        __call__ = __str__ = __repr__

    assert "Factory" in shown(collections.defaultdict(Factory(), {1: 2}))
    assert shown(operator.methodcaller("f", Factory())).startswith("operator.methodcaller('f', ")


def test_members_of_a_class_that_has_no_memory_in_the_object_are_not_read() -> None:
    # asyncpg puts uuid.UUID into the bases of its own, in C: its slots would be read past the object
    from asyncpg.pgproto.pgproto import UUID

    value = UUID("c4d4bf36-0000-0000-0000-000000000001")

    assert uuid.UUID in UUID.__mro__
    assert [name for name, _, base in slot_readers(UUID) if base is uuid.UUID] == []
    assert shown(value)
