"""Tier T1: a snapshot of this process's heap, after the answer is on its way."""

from __future__ import annotations

import errno
import gc
import os
import resource
import sys
import time
from collections import deque
from types import FrameType
from typing import Final

from relive_base.parts import Argument, Code, PartState, Why, missing, ok, partial
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import FunctionSpec, HeapTaken, TakeHeap

from relive_capture.heap_format import LABEL_SHIFT, HeapMeta, HeapRoot, HeapType
from relive_capture.record.frames import InApp, RawFrame, raw_frames, raw_stack, without_outer
from relive_capture.record.heap.files import write_folder
from relive_capture.record.heap.names import Strings, key_text, name_text
from relive_capture.record.heap.native import Heap, chosen_walk
from relive_capture.record.heap.roots import Root, find_roots
from relive_capture.record.heap.texts import NearTexts
from relive_capture.record.inspection import class_dict, module_name, type_name

__all__ = ["take_heap"]

_OF_ITEM: Final = 2
_PAGE: Final[int] = os.sysconf("SC_PAGE_SIZE")
_traceback: Final = class_dict(BaseException)["__traceback__"].__get__
REST_NAME: Final = "held by the interpreter itself"


def take_heap(
    command: TakeHeap,
    spec: FunctionSpec,
    error: BaseException | None = None,
    frame: FrameType | None = None,
) -> HeapTaken:
    """Walk the heap and write it into `command.folder`; the failure is an `error` that was raised, or a stack
    that stands where it was stopped, by its innermost `frame`. Never raises."""
    collecting = gc.isenabled()
    gc.disable()  # it would run the user's finalizers
    limits = _more_memory()
    try:
        return _Snapshot(command, spec).take(error, frame)
    except MemoryError:
        return _missing(command, Why.WALK_NO_MEMORY)
    except OSError as problem:
        text = (
            "no space left on the disk" if problem.errno in _FULL else problem.strerror or str(problem.errno)
        )
        return _missing(command, Why.WALK_NOT_WRITTEN, text)
    except BaseException as problem:  # the walk of a strange heap must not end the process that is looked at
        return _missing(command, Why.WALK_FAILED, type(problem).__name__)
    finally:
        _set_limits(limits)
        if collecting:
            gc.enable()


_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _missing(command: TakeHeap, code: Code, *arguments: Argument) -> HeapTaken:
    return HeapTaken(invocation_id=command.invocation_id, part=missing(code, *arguments))


def _more_memory() -> tuple[int, int]:
    """What a function may use does not bind the walk: after a MemoryError there would be nothing left for it.
    The server has seen that the machine has enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    _set_limits((hard, hard))
    return soft, hard


def _set_limits(limits: tuple[int, int]) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_DATA, limits)
    except (OSError, ValueError):
        return  # as it was, then


class _Snapshot:
    """One snapshot, from its roots to its files."""

    def __init__(self, command: TakeHeap, spec: FunctionSpec) -> None:
        self._command = command
        self._spec = spec
        self._in_app = InApp.of(spec, here=True)
        self._redactor = Redactor(spec.redact_keys)
        self._began_ns = time.monotonic_ns()
        self._cpu_ns = time.thread_time_ns()

    def take(self, error: BaseException | None, frame: FrameType | None) -> HeapTaken:
        others = gc.get_objects()  # first: nothing that is made here is among them
        rss_bytes = _rss_bytes()
        roots = find_roots(self._frames(error, frame), error, self._in_app)
        near = NearTexts(self._redactor)
        near.look(roots)
        name, walk = chosen_walk()
        command = self._command
        targets = [value for root in roots for _, _, value in root.targets]
        limits = command.max_objects, command.max_bytes, command.cpu_s
        heap = walk(targets, others, (others,), deque, *limits, rss_bytes or sys.maxsize)
        strings = self._strings(heap, near)
        meta = HeapMeta(
            objects=heap.objects,
            edges=heap.edges,
            bytes=heap.bytes,
            taken_ns=time.time_ns(),
            python=".".join(map(str, sys.version_info[:3])),
            walker=name,
            truncated=heap.truncated,
            rss_bytes=rss_bytes,
            invocation_id=command.invocation_id,
            function=self._spec.name,
            version=self._spec.version,
        )
        found = [self._root(heap, root, strings) for root in roots]
        found.append(_rest(heap))
        return self._write(heap, meta, strings, found)

    def _frames(self, error: BaseException | None, frame: FrameType | None) -> list[RawFrame]:
        if frame is not None:
            raw = raw_stack(frame)
        else:
            raw = raw_frames(_traceback(error) if error is not None else None)
        return without_outer(raw, (), self._in_app)

    def _strings(self, heap: Heap, near: NearTexts) -> Strings:
        """Names first, as the labels number them; then the texts of values."""
        redactor = self._redactor
        strings = Strings(
            [
                key_text(name, near.shows_key, redactor) if kind == _OF_ITEM else name_text(name, redactor)
                for name, kind in zip(heap.names(), heap.name_kinds(), strict=True)
            ]
        )
        for value, text in near.values.values():
            index = heap.index(value)
            number = strings.number(text) if index >= 0 else 0
            if number:
                heap.set_value(index, 1 + number)
        return strings

    def _root(self, heap: Heap, root: Root, strings: Strings) -> HeapRoot:
        targets = []
        for kind, name, value in root.targets:
            index = heap.index(value)
            if index >= 0:
                label = kind << LABEL_SHIFT | strings.number(name_text(name, self._redactor))
                targets.append((label, index))
        return HeapRoot(
            kind=root.kind,
            name=root.name,
            targets=targets,
            file=root.file,
            line=root.line,
            function=root.function,
            in_app=root.in_app,
        )

    def _write(self, heap: Heap, meta: HeapMeta, strings: Strings, roots: list[HeapRoot]) -> HeapTaken:
        command = self._command
        types = [_type(cls) for cls in heap.types()]
        meta.cpu_ns = time.thread_time_ns() - self._cpu_ns
        meta.wall_ns = time.monotonic_ns() - self._began_ns
        size = write_folder(command.folder, heap, meta, types, strings.texts, roots)
        return HeapTaken(
            invocation_id=command.invocation_id,
            part=self._state(heap.truncated),
            folder=command.folder,
            objects=heap.objects,
            bytes=size,
        )

    def _state(self, truncated: str) -> PartState:
        """`truncated`: the limit that the walk came to, in the walkers' own word."""
        command = self._command
        limits = {
            "": ok(),
            "objects": partial(Why.WALK_OBJECTS, command.max_objects),
            "bytes": partial(Why.WALK_BYTES, command.max_bytes),
            "cpu": partial(Why.WALK_CPU, command.cpu_s),
            "memory": partial(Why.WALK_MEMORY),
        }
        return limits[truncated]


def _rest(heap: Heap) -> HeapRoot:
    return HeapRoot(kind="interpreter", name=REST_NAME, targets=[(0, index) for index in heap.rest()])


def _type(cls: type) -> HeapType:
    module = module_name(cls)
    name = type_name(cls)
    return HeapType(module, name.removeprefix(f"{module}.") if module else name)


def _rss_bytes() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
