"""Where reachability begins: the frames of the failure, the other threads', the modules."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from relive_capture.heap_format import INTERNAL, LOCAL
from relive_capture.record.frames import InApp, RawFrame, frame_locals, raw_stack
from relive_capture.record.inspection import dict_items
from relive_capture.record.surroundings import thread_names

__all__ = ["Root", "find_roots"]

_MAX_FRAMES: Final = 1_000
_MAX_LOCALS: Final = 10_000
_MAX_MODULES: Final = 20_000
_MAX_THREADS: Final = 100
_MAX_THREAD_FRAMES: Final = 200


@dataclass(slots=True)
class Root:
    """A HeapRoot in the making: its targets are still objects, (kind of label, name, object)."""

    kind: str
    name: str
    targets: list[tuple[int, str, Any]] = field(default_factory=list)
    file: str = ""
    line: int = 0
    function: str = ""
    in_app: bool = False


def find_roots(frames: list[RawFrame], error: BaseException | None, in_app: InApp) -> list[Root]:
    """`frames` are the failure's, outermost first. The user's own frames are the first to be walked, so that
    a limit costs the rest of the process rather than them."""
    own = [_frame_root("frame", raw, in_app) for raw in _both_ends(frames)]
    roots = [root for root in own if root.in_app] + [root for root in own if not root.in_app]
    if error is not None:
        roots.append(Root("interpreter", "the exception", [(INTERNAL, "exception", error)]))
    roots += _thread_roots(in_app)
    for name, module in dict_items(sys.modules, _MAX_MODULES):
        if type(name) is str and module is not None:
            roots.append(Root("module", name[:200], [(INTERNAL, "", module)]))
    return roots


def _both_ends(frames: list[RawFrame]) -> list[RawFrame]:
    half = _MAX_FRAMES // 2
    return frames if len(frames) <= _MAX_FRAMES else frames[:half] + frames[-half:]


def _frame_root(kind: str, raw: RawFrame, in_app: InApp) -> Root:
    code = raw.frame.f_code
    own, shown = in_app.frame(raw.frame)
    name = code.co_qualname[:200]
    targets = [(LOCAL, key, value) for key, value in frame_locals(raw.frame, _MAX_LOCALS)]
    return Root(kind, name, targets, shown[-300:], raw.line, name, own)


def _thread_roots(in_app: InApp) -> Iterator[Root]:
    own = threading.get_ident()
    stacks = [(ident, frame) for ident, frame in sys._current_frames().items() if ident != own]
    names = thread_names()
    for ident, frame in stacks[:_MAX_THREADS]:
        for raw in raw_stack(frame, _MAX_THREAD_FRAMES):
            root = _frame_root("thread", raw, in_app)
            root.name = (names.get(ident) or f"thread {ident}")[:200]
            yield root
