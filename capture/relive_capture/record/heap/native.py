"""Which walker there is: the C extension if it was built, else the one in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from relive_capture.record.extensions import PURE_VARIABLE, is_pure
from relive_capture.record.heap import walker

__all__ = ["PURE_VARIABLE", "Heap", "Walk", "chosen_walk", "native_walk"]


class Heap(Protocol):
    """What a walk found; objects by number, in the order of their addresses."""

    @property
    def objects(self) -> int: ...
    @property
    def edges(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def truncated(self) -> str: ...
    @property
    def cpu_ns(self) -> int: ...
    def index(self, value: Any, /) -> int: ...
    def rest(self) -> list[int]: ...
    def types(self) -> list[type]: ...
    def names(self) -> list[Any]: ...
    def name_kinds(self) -> Any: ...
    def set_value(self, index: int, value: int, /) -> None: ...
    def write(self, column: str, descriptor: int, /) -> int: ...


Walk = Callable[[list[Any], list[Any], tuple[Any, ...], type, int, int, float, int], Heap]
"""(roots, others, skip, deque, max_objects, max_bytes, cpu_s, held_bytes): no object is larger than
`held_bytes`, what the process holds."""


def native_walk() -> Walk | None:
    """The extension's; None if it was not built, or for another interpreter."""
    try:
        from relive_capture.record.heap import _heapwalk
    except ImportError:
        return None
    return _heapwalk.walk


def chosen_walk() -> tuple[str, Walk]:
    """("c" or "python", the walk)."""
    native = None if is_pure() else native_walk()
    return ("python", walker.walk) if native is None else ("c", native)
