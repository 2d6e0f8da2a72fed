"""Other heaps of a function."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HeapRef"]


@dataclass(frozen=True, slots=True)
class HeapRef:
    """A heap that another one can be compared with; `file` is that of a healthy invocation's."""

    invocation_id: str
    attempt: int
    captured_ns: int
    title: str
    file: str = ""
