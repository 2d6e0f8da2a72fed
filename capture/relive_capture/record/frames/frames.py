"""Frames of a traceback or of a running thread, as the scene keeps them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import Any

import msgspec
from relive_base.code_lines import frame_line, traceback_line
from relive_base.frame_locals import locals_of
from relive_base.own_code import own_folders
from relive_base.parts import Reason, Why

from relive_capture.model import FrameView
from relive_capture.record.budget import Budget, Meter
from relive_capture.record.frames.sources import InApp, SourceFiles
from relive_capture.record.inspection import dict_items, is_heap_type, type_name
from relive_capture.record.values import Begun, Walker

__all__ = [
    "FrameRecorder",
    "RawFrame",
    "Stack",
    "code_position",
    "frame_locals",
    "raw_frames",
    "raw_stack",
    "without_outer",
]

_MAX_RAW = 20_000
_RECORD = os.path.dirname(os.path.dirname(__file__)) + os.sep
_STANDS = (f"{_RECORD}recording{os.sep}", f"{_RECORD}playback{os.sep}")
_IMPORTLIB = os.path.dirname(importlib.__file__) + os.sep
_MAX_INSTRUCTIONS = 20_000
_MAX_SEARCHED = 100  # locals of a frame that is not shown, for secrets
_MAX_LOCALS = 5_000  # of a frame that are looked at
_Position = tuple[int | None, int | None, int | None, int | None]


class RawFrame(msgspec.Struct):
    """A frame with the instruction and the line where it stood."""

    frame: FrameType
    lasti: int
    line: int


class Stack:
    """Frames and what will be shown of them. `path` begins names of redacted places."""

    __slots__ = ("frames", "path", "views")

    def __init__(self, views: list[FrameView], frames: list[RawFrame], path: str) -> None:
        self.views = views
        self.frames = frames
        self.path = path

    def numbers(self, *, own: bool) -> list[int]:
        """The places of the user's own frames, or of the others, innermost first."""
        return [number for number in range(len(self.views) - 1, -1, -1) if self.views[number].in_app is own]


def raw_frames(traceback: TracebackType | None) -> list[RawFrame]:
    """Frames of a traceback, outermost first."""
    found: list[RawFrame] = []
    while traceback is not None and len(found) < _MAX_RAW:
        frame = traceback.tb_frame
        if not _between(frame):
            found.append(RawFrame(frame, traceback.tb_lasti, traceback_line(traceback)))
        traceback = traceback.tb_next
    return found


def raw_stack(frame: FrameType | None, limit: int = _MAX_RAW) -> list[RawFrame]:
    """Frames of a running stack from its innermost `frame`, outermost first."""
    found: list[RawFrame] = []
    while frame is not None and len(found) < limit:
        if not _between(frame):
            found.append(RawFrame(frame, frame.f_lasti, frame_line(frame)))
        frame = frame.f_back
    found.reverse()
    return found


def raw_chain(frames: Sequence[FrameType], limit: int = _MAX_RAW) -> list[RawFrame]:
    """The same of frames that do not hang together, innermost first: coroutines that wait for each other."""
    found = [RawFrame(one, one.f_lasti, frame_line(one)) for one in frames[:limit] if not _between(one)]
    found.reverse()
    return found


def _between(frame: FrameType) -> bool:
    """Whether it is where Relive stands between a function and a library that it calls."""
    return frame.f_code.co_filename.startswith(_STANDS)


def without_outer(frames: list[RawFrame], skip: tuple[str, ...], in_app: InApp) -> list[RawFrame]:
    """`frames` without what called the user's code: everything up to the last frame of Relive's own or
    of one of the files in `skip`, and the import machinery behind it, but nothing from the first of the
    user's own frames on."""
    start = 0
    own = own_folders()
    for index, raw in enumerate(frames[:64]):
        file = raw.frame.f_code.co_filename
        if in_app.frame(raw.frame)[0]:
            break
        importing = start == index and file.startswith(("<frozen importlib", _IMPORTLIB))
        if importing or file.startswith(own) or file in skip:
            start = index + 1
    return frames[start:]


class FrameRecorder:
    """Turns raw frames into FrameViews: heads first (cheap), then locals, the user's own frames first."""

    def __init__(
        self,
        budget: Budget,
        meter: Meter,
        walker: Walker,
        in_app: InApp,
        sources: SourceFiles,
    ) -> None:
        self._budget = budget
        self._meter = meter
        self._walker = walker
        self._in_app = in_app
        self._sources = sources
        self._positions: dict[tuple[int, int], _Position] = {}
        self.app_files: dict[str, str] = {}  # path -> shown name, of the frames seen so far
        self.values = True  # False: no locals
        self.locals_cut = 0  # locals that the limits left with less than would have been shown
        self.locals_unnamed = 0  # locals that are not there at all
        self.frames_cut = 0  # libraries' frames that got no locals

    def heads(self, frames: list[RawFrame]) -> tuple[list[FrameView], list[RawFrame], int, int]:
        """(views without locals, their raw frames, how many were cut, after which number)."""
        limit = self._budget.frames
        cut, at = 0, 0
        if len(frames) > limit:
            at = limit // 2
            cut = len(frames) - limit
            frames = frames[:at] + frames[len(frames) - (limit - at) :]
        return [self.head(raw) for raw in frames], frames, cut, at

    def head(self, raw: RawFrame) -> FrameView:
        """One frame without its locals."""
        code = raw.frame.f_code
        in_app, shown = self._in_app.frame(raw.frame)
        view = FrameView(file=shown[-300:], line=raw.line, function=code.co_qualname[:200], in_app=in_app)
        view.module = _module(raw.frame)
        _, end_line, column, end_column = self._position(code, raw.lasti)
        view.end_line = -1 if end_line is None else end_line
        view.column = -1 if column is None else column
        view.end_column = -1 if end_column is None else end_column
        if in_app and self._in_app.place(code.co_filename)[0]:
            self.app_files.setdefault(code.co_filename, shown)
        return view

    def fill_own(self, stacks: list[Stack]) -> None:
        """Locals and source lines of the user's own frames: every local of every frame is named before the
        first one is looked into, the innermost frames first. One frame takes at most half of the time that
        is left, as long as another waits."""
        chosen = [
            (stack, number, near < self._budget.near_frames)
            for stack in stacks
            for near, number in enumerate(stack.numbers(own=True))
        ]
        begun = [self._begin(stack, number, near) for stack, number, near in chosen]
        for stack, number, _ in chosen:
            self._add_source(stack.views[number], stack.frames[number])
        if not self.values:
            return
        for index, one in enumerate(begun):
            self._walker.look_into(one, 1 if index == len(begun) - 1 else 0.5)
        for (stack, number, _), one in zip(chosen, begun, strict=True):
            self._finish(stack.views[number], one)

    def fill_others(self, stacks: list[Stack]) -> None:
        """Locals and source lines of libraries' frames, as far as the budget goes."""
        for stack in stacks:
            alone = not stack.numbers(own=True)
            for near, number in enumerate(stack.numbers(own=False)):
                if self._meter.out_of_time():
                    self.frames_cut += 1
                    if self.values:
                        self._walker.search(frame_locals(stack.frames[number].frame, _MAX_SEARCHED))
                    continue
                view = stack.views[number]
                self._add_source(view, stack.frames[number])
                if self.values:
                    one = self._begin(stack, number, alone and near < self._budget.near_frames)
                    self._walker.look_into(one)
                    self._finish(view, one)

    def _begin(self, stack: Stack, number: int, near: bool) -> Begun:
        items = frame_locals(stack.frames[number].frame, _MAX_LOCALS) if self.values else ()
        return self._walker.begin(items, f"{stack.path}.frames[{number}].locals", near=near)

    def _finish(self, view: FrameView, begun: Begun) -> None:
        view.locals, view.locals_more = self._walker.finish(begun)
        self.locals_cut += begun.cut
        self.locals_unnamed += begun.unnamed

    def cut_reasons(self) -> list[Reason]:
        """What the limits cut since this was asked last."""
        cut: list[Reason] = []
        if self.locals_cut:
            cut.append(Reason(Why.VALUES_CUT, (self.locals_cut,)))
        if self.frames_cut:
            cut.append(Reason(Why.LIBRARIES_CUT, (self.frames_cut,)))
        found = [self._meter.over or Reason(Why.SHARE_LIMIT), *cut] if cut else []
        if self.locals_unnamed:
            found.append(Reason(Why.LOCALS_LEFT_OUT, (self.locals_unnamed,)))
        self.locals_cut = self.frames_cut = self.locals_unnamed = 0
        return found

    def _position(self, code: CodeType, lasti: int) -> _Position:
        """Finding it takes time with the length of the function, so recursion must not repeat it."""
        key = (id(code), lasti)
        known = self._positions.get(key)
        if known is None:
            known = self._positions[key] = code_position(code, lasti)
        return known

    def _add_source(self, view: FrameView, raw: RawFrame) -> None:
        around = self._budget.source_lines if view.in_app else 1
        lines, first = self._sources.excerpt(
            raw.frame.f_code.co_filename, view.line, around, whole=view.in_app
        )
        view.source, view.source_first_line = lines, first
        self._meter.spend(sum(map(len, lines)) + 4 * len(lines))


def _module(frame: FrameType) -> str:
    name = dict.get(frame.f_globals, "__name__") if issubclass(type(frame.f_globals), dict) else None
    return name[:200] if type(name) is str else ""


def code_position(code: CodeType, lasti: int) -> _Position:
    """(line, end line, column, end column) of the instruction at `lasti`; None if unknown."""
    index = lasti // 2
    if not 0 <= index <= _MAX_INSTRUCTIONS:
        return None, None, None, None
    return next(islice(code.co_positions(), index, None), (None, None, None, None))


def frame_locals(frame: FrameType, limit: int) -> list[tuple[str, Any]]:
    """Locals by name; those of a module or class body too, without dunder names."""
    namespace: Any = locals_of(frame)
    cls = type(namespace)
    if issubclass(cls, dict):
        items = dict_items(namespace, limit)
    elif not is_heap_type(cls) and type_name(cls) == "FrameLocalsProxy":
        items = list(islice(namespace.items(), limit))  # Python 3.13; C code throughout
    else:
        return []  # a namespace of the user's own class, as a metaclass's __prepare__ may give
    return [
        item for item in items if type(item[0]) is str and (item[0][:2] != "__" or not item[0].endswith("__"))
    ]
