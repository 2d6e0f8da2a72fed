"""The walker in C and the one in Python find the same: objects, types, sizes and edges."""

from __future__ import annotations

import asyncio
import collections
import functools
import gc
import sys
import tempfile
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relive_capture.record.heap import native_walk, walker

from tests.support.fresh_process import in_a_fresh_process
from tests.support.heap_files import columns_of

NATIVE = native_walk()
needs_native = pytest.mark.skipif(NATIVE is None, reason="the extension is not built here")


class Plain:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Inline:
    """Keeps its attributes without a dict."""

    def __init__(self, first: Any, second: Any = None) -> None:
        self.first = first
        if second is not None:
            self.second = second


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left: Any) -> None:
        self.left = left


class SlottedMore(Slotted):
    __slots__ = ("__dict__", "extra")


class OwnDict(dict[Any, Any]):
    pass


class OwnList(list[Any]):
    pass


class OwnTuple(tuple[Any, ...]):
    pass


class Meta(type):
    pass


class WithMeta(metaclass=Meta):
    shared: ClassVar[Any] = [1]


OWN_CLASSES = (
    Plain, Inline, Slotted, SlottedMore, OwnDict, OwnList, OwnTuple,
    collections.deque, collections.OrderedDict,
)  # fmt: skip
Pair = collections.namedtuple("Pair", "one two")


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def assert_same(
    roots: list[Any],
    others: list[Any],
    folder: Path,
    objects: int = 1 << 27,
    size: int = 1 << 40,
    skip: tuple[Any, ...] = (),
) -> int:
    """Python first: it gives dicts to instances that have none yet. How many objects there were."""
    assert NATIVE is not None
    limits = (collections.deque, objects, size, 100.0)
    python = walker.walk(roots, others, (others, *skip), *limits)
    columns = columns_of(python, folder)
    found = (
        python.objects,
        python.edges,
        python.bytes,
        python.truncated,
        python.rest(),
        list(python.types()),
    )
    kept = python._objects
    native = NATIVE(roots, others, (others, kept, *skip), *limits)
    assert found[:4] == (native.objects, native.edges, native.bytes, native.truncated)
    assert found[4] == native.rest()
    assert all(one is other for one, other in zip(found[5], native.types(), strict=True))
    others_columns = columns_of(native, folder)
    for name in ("address", "type", "size", "first_edge", "edge"):
        assert columns[name] == others_columns[name], name
    return python.objects


def _generator() -> Iterator[Any]:
    local = {"k": [1]}
    yield local


def _kinds() -> list[Any]:
    generator = _generator()
    next(generator)
    ordered = collections.OrderedDict(a=[1], b=[2])
    ordered.move_to_end("a")
    more = SlottedMore([1])
    more.extra, more.free = {}, "text"  # type: ignore[attr-defined]
    own_list = OwnList([1, 2, "x"])
    own_list.attribute = own_list  # type: ignore[attr-defined]
    own_dict = OwnDict(a=1, b=[2])
    own_dict.attribute = [3]  # type: ignore[attr-defined]
    try:
        try:
            raise ValueError("inner", [1])
        except ValueError as inner:
            raise KeyError("outer") from inner
    except KeyError as error:
        caught = error
    return [
        Plain(a=1, b=[2]), Inline(1), Inline([1], {}), Slotted([1]), more, own_list, own_dict,
        OwnTuple([1, [2]]), ordered, collections.defaultdict(list, {1: [1], (1, 2): [3]}), {1, 2, "a"},
        frozenset([(1,), (2,)]), collections.deque([1, [2]]), generator, _kinds, lambda a=(1,): generator,
        functools.partial(_kinds, 1), WithMeta, WithMeta(), Pair(1, [2]), caught, types.SimpleNamespace(a=1),
        property(_kinds), bytearray(10), memoryview(b"abc"), slice(1, 2), 1.5, 10**40, range(10), iter([1]),
        collections.Counter("aab"), _kinds.__code__, [].append, threading.Lock(), classmethod(_kinds),
        type("Late", (), {}), sys.modules[__name__], 10**4300, "ü" * 300,
    ]  # fmt: skip


@needs_native
@in_a_fresh_process
def test_every_kind_of_object(tmp_path: Path) -> None:
    assert_same([_kinds()], [], tmp_path)


@needs_native
@in_a_fresh_process
def test_a_view_holds_its_array(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    # Given: a view of an array that nothing else holds
    view = numpy.arange(100_000)[1:3]

    assert_same([view], [], tmp_path)

    assert NATIVE is not None
    heap = NATIVE([view], [], (), collections.deque, 1 << 27, 1 << 40, 100.0)
    assert heap.index(view.base) >= 0
    assert heap.bytes > 800_000


async def _waits() -> None:
    async def one() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future

    await asyncio.gather(*(one() for _ in range(20)))


@needs_native
@in_a_fresh_process
def test_dead_objects_that_a_module_keeps_stay_dead(tmp_path: Path) -> None:
    # Given: iterators of futures that have ended, which asyncio keeps for the next ones
    asyncio.run(_waits())

    assert_same([sys.modules["_asyncio"]], [], tmp_path)

    # Then: asyncio goes on, and a second walk comes to an end
    asyncio.run(_waits())
    assert_same([sys.modules["_asyncio"]], [], tmp_path)


@needs_native
@in_a_fresh_process
def test_the_whole_process(tmp_path: Path) -> None:
    # Given: what no module reaches, too, with a ring that holds itself
    ring: list[Any] = [1]
    ring.append(ring)
    others = gc.get_objects()
    del ring
    assert_same([sys.modules], others, tmp_path)


@needs_native
@pytest.mark.parametrize(("objects", "size"), [(1, 1 << 40), (5_000, 1 << 40), (1 << 27, 300_000)])
@in_a_fresh_process
def test_limits_cut_at_the_same_place(objects: int, size: int, tmp_path: Path) -> None:
    assert_same([_kinds(), sys.modules], gc.get_objects(), tmp_path, objects, size)


@st.composite
def graphs(draw: st.DrawFn) -> list[Any]:
    """Containers that hold each other in any way, rings included."""
    makers: list[Any] = [
        list, dict, set, Plain, OwnDict, OwnList, collections.deque, collections.OrderedDict,
        lambda: Slotted([]), lambda: Inline(()), lambda: SlottedMore(0),
    ]  # fmt: skip
    nodes = [make() for make in draw(st.lists(st.sampled_from(makers), min_size=1, max_size=12))]
    leaves = st.one_of(st.integers(), st.text(max_size=5), st.binary(max_size=5), st.floats(), st.none())
    for _ in range(draw(st.integers(0, 30))):
        holder = draw(st.sampled_from(nodes))
        child = draw(st.one_of(leaves, st.sampled_from(nodes), st.tuples(leaves, st.sampled_from(nodes))))
        _hold(holder, child, draw(st.one_of(st.text(max_size=3), st.integers(0, 5), st.tuples(leaves))))
    return nodes


def _hold(holder: Any, child: Any, key: Any) -> None:
    if isinstance(holder, dict):
        holder[key] = child
    elif isinstance(holder, list | collections.deque):
        holder.append(child)
    elif isinstance(holder, set):
        holder.add(key)
    elif isinstance(holder, Slotted):
        holder.right = child  # type: ignore[attr-defined]
    else:
        setattr(holder, f"a{key}" if isinstance(key, str | int) else "b", child)


@needs_native
@settings(max_examples=150, deadline=None)
@given(graphs())
def test_any_graph(nodes: list[Any]) -> None:
    # Given: the classes are left out, and with them the rest of the process
    classes = tuple(OWN_CLASSES)
    with tempfile.TemporaryDirectory() as folder:
        assert assert_same(nodes[:1], nodes, Path(folder), skip=classes) < 1_000


def sizes_of(walk: Any, values: list[Any], held_bytes: int, folder: Path) -> list[int]:
    heap = walk(list(values), [], (), collections.deque, 1_000_000, 1 << 30, 60.0, held_bytes)
    sizes = columns_of(heap, folder)["size"]
    return [sizes[heap.index(value)] for value in values]


@pytest.mark.parametrize("walk", [walker.walk, pytest.param(NATIVE, marks=needs_native)], ids=["python", "c"])
def test_no_object_is_larger_than_what_the_process_holds(walk: Any, tmp_path: Path) -> None:
    # Given an object whose type keeps a pointer where others count their items, and a large array
    raw = msgspec.Raw(b"abc")
    large = numpy.zeros(1_000_000, dtype="u1")
    values = [raw, large, (1, 2, 3), 10**40]
    # When a process of 500 KB is walked, and one of 1 GB
    small, whole = (sizes_of(walk, values, held, tmp_path) for held in (500_000, 1 << 30))
    # Then none claims more than that
    assert raw.__sizeof__() > 1 << 40
    assert small[0] == whole[0] < 200
    assert small[1] < 500
    assert whole[1] > 1_000_000
    assert small[2:] == whole[2:] == [sys.getsizeof(value) for value in values[2:]]
