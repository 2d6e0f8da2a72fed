from typing import Any

from relive_capture.record.heap.native import Heap

def walk(
    roots: list[Any],
    others: list[Any],
    skip: tuple[Any, ...],
    deque: type,
    max_objects: int,
    max_bytes: int,
    cpu_s: float,
    held_bytes: int = ...,
    /,
) -> Heap: ...
