"""Objects whose code must not run: the walk calls none of it, and tells the truth about them."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
from fresh_process import in_a_fresh_process
from relive_base.wire.messages import FunctionSpec, TakeHeap
from relive_capture.record.heap import PURE_VARIABLE, native_walk, take_heap

from tests.support.heap_files import HeapFiles

OBJECTS = 5_000
"""The failure's own come first; the whole of this process takes the walker in Python seconds."""
ARMED: list[bool] = []
CALLED: list[str] = []


def trap(name: str) -> Any:
    def called(*_: object, **__: object) -> Any:
        if ARMED:
            CALLED.append(name)
            raise RuntimeError(name)

    return called


ALL = (
    "__repr__", "__str__", "__len__", "__eq__", "__hash__", "__bool__", "__iter__", "__getattribute__",
    "__getattr__", "__sizeof__", "__reduce_ex__", "__dir__", "__contains__", "__getitem__", "__format__",
    "__instancecheck__", "__subclasscheck__",
)  # fmt: skip


class HostileMeta(type):
    pass


def hostile(base: type, metaclass: type = type) -> type:
    # Set after the class is made: making it may look at some of them.
    cls = metaclass("Hostile", (base,), {"__class__": property(trap("__class__"))})
    for name in ALL:
        setattr(cls, name, trap(name))
    return cls


@pytest.fixture(params=["c", "python"], autouse=True)
def _walker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "c" and native_walk() is None:
        pytest.skip("the extension is not built here")
    monkeypatch.setenv(PURE_VARIABLE, "1" if request.param == "python" else "0")
    CALLED.clear()


def take(folder: Path, local: Any) -> HeapFiles:
    def fail(held: Any) -> None:
        raise ValueError

    try:
        fail(local)
    except ValueError as error:
        spec = FunctionSpec(name="f", version=1, handler="m:h", source=str(Path(__file__).parent))
        ARMED.append(True)
        taken = take_heap(
            TakeHeap(invocation_id="i", folder=str(folder / "heap"), max_objects=OBJECTS), spec, error
        )
        ARMED.clear()
    assert "the limit of 5000 objects" in taken.part.reason
    assert CALLED == []
    heap = HeapFiles.read(folder / "heap")
    heap.check()
    return heap


@pytest.mark.parametrize("base", [object, dict, list, set, tuple, str, int, Exception, bytearray])
def test_instances(base: type, tmp_path: Path) -> None:
    cls = hostile(base)
    value = base.__new__(cls)

    heap = take(tmp_path, value)

    local = next(heap.local(root["name"], "held") for root in heap.roots if root["name"].endswith("fail"))
    assert heap.columns["address"][local] == id(value)
    assert heap.type_of(local).endswith("Hostile")


def test_metaclasses(tmp_path: Path) -> None:
    cls = hostile(object, HostileMeta)
    value = object.__new__(cls)
    for name in ("__eq__", "__hash__", "__repr__", "__getattribute__", "__instancecheck__", "__sizeof__"):
        setattr(HostileMeta, name, trap(f"meta {name}"))
    try:
        heap = take(tmp_path, value)
    finally:
        for name in ("__eq__", "__hash__", "__repr__", "__getattribute__", "__instancecheck__", "__sizeof__"):
            type.__delattr__(HostileMeta, name)

    assert heap.meta["objects"] == OBJECTS


def test_keys_that_lie(tmp_path: Path) -> None:
    class Key(str):
        def __eq__(self, other: object) -> bool:
            return str.__eq__(self, other)

        def __hash__(self) -> int:
            return str.__hash__(self)

    value = {Key("password"): "x" * 10}
    Key.__eq__ = trap("__eq__")  # type: ignore[method-assign]
    Key.__hash__ = trap("__hash__")  # type: ignore[method-assign]
    Key.__repr__ = trap("__repr__")  # type: ignore[method-assign]

    take(tmp_path, value)


@in_a_fresh_process  # what is at the second step from the failure's own comes after all roots
def test_finalizers_and_weak_references(tmp_path: Path) -> None:
    # Given: objects that run code once they are collected, in a ring, and weak references with callbacks
    class Loud:
        pass

    Loud.__del__ = trap("__del__")  # type: ignore[attr-defined]
    gc.collect()
    gc.disable()
    try:
        ring: list[Any] = [Loud()]
        ring.append(ring)
        target = Loud()
        references: list[Any] = [
            weakref.ref(ring[0], trap("callback")),
            weakref.ref(target, trap("callback")),
        ]

        # When: the walk goes through it
        heap = take(tmp_path, [ring, target, references])

        # Then: it was seen, and is still there
        assert any(name.endswith("Loud") for _, name in heap.types)
    finally:
        type.__delattr__(Loud, "__del__")
        gc.enable()


@in_a_fresh_process
def test_a_weak_reference_is_no_edge(tmp_path: Path) -> None:
    class Target:
        pass

    target = Target()
    heap = take(tmp_path, [weakref.ref(target)])

    local = next(heap.local(root["name"], "held") for root in heap.roots if root["name"].endswith("fail"))
    reference = heap.follow(local, 0)
    addresses = {heap.columns["address"][number] for number in heap.held(reference).values()}
    assert id(target) not in addresses
