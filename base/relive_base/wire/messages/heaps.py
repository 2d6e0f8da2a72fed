"""Heaps to be taken."""

from __future__ import annotations

from relive_base.parts import PartState
from relive_base.wire.messages.frame import Frame

__all__ = ["HeapTaken", "TakeHeap"]


class TakeHeap(Frame, tag="take_heap"):
    """To a worker that has failed and answered: write a snapshot of the heap into `folder`, then HeapTaken.

    The files are those of relive_capture.heap_format."""

    invocation_id: str
    folder: str  # inside the worker's scratch folder; the worker makes it
    max_objects: int = 2_000_000
    max_bytes: int = 268_435_456  # of the columns as they are written
    cpu_s: float = 10.0
    goes_on: bool = False  # a service: it serves on afterwards


class HeapTaken(Frame, tag="heap_taken"):
    """What became of a TakeHeap: the part `heap` of its scene; if that is missing there are no files."""

    invocation_id: str
    part: PartState
    folder: str = ""
    objects: int = 0
    bytes: int = 0  # of the files
