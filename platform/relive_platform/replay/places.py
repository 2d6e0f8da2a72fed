"""Where the frames of a recorded failure stood, in the code that a replay runs. Pure but for reading it."""

from __future__ import annotations

import ast
import difflib
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from relive_capture.explore.scene import SceneFile
from relive_capture.model import FrameView
from relive_capture.recording_format import WatchedPlace

__all__ = ["Standing", "recorded_places", "standing", "watched_places"]

_FRAMES: Final = 20
_BYTES: Final = 1_048_576
_LINES: Final = 20_000
_LOOP_TYPES = ast.For | ast.AsyncFor | ast.While
_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)
_INNER_LOOPS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Standing:
    """`place`; `changed`: other lines than the recorded ones stand there now."""

    place: WatchedPlace
    changed: bool


def recorded_places(scene: SceneFile, source: Path) -> list[Standing]:
    """In the code that failed."""
    return watched_places(scene, source, same=True)


def watched_places(scene: SceneFile, source: Path, *, same: bool = False) -> list[Standing]:
    """Of the failure's own frames, outermost first, each function once (its innermost frame), as far as they
    are known in the code below `source`. `same`: it is what failed."""
    found: dict[tuple[str, str], Standing] = {}
    for frame in [frame for frame in scene.exceptions[0].frames if frame.in_app][-_FRAMES:]:
        text = _read(source, frame.file)
        if text is None:
            continue
        old = text if same else _recorded_text(scene, frame.file)
        place = standing(frame, old, text) if old is not None else None
        if place is not None:
            found.pop((frame.file, frame.function), None)
            found[frame.file, frame.function] = place
    return list(found.values())


def standing(frame: FrameView, old: str, new: str) -> Standing | None:
    """Where a frame that stood in `old` stands in `new`; None if its function is not there, or cannot be
    read."""
    before, after = _parsed(old), _parsed(new)
    if before is None or after is None:
        return None
    was = _function(before, frame.function)
    now = _function(after, frame.function)
    if was is None or now is None:
        return None
    first, last, once = _statement(was, frame.line)
    changed = False
    if old != new:
        first, last, changed = _moved(old.splitlines(), new.splitlines(), first, last)
        start, end = _span(now)
        first, last = max(first, start), min(last, end)
    place = WatchedPlace(
        file=frame.file,
        function=frame.function,
        first=first,
        last=last,
        once=once,
        after=_after(now, first, last),
    )
    return Standing(place, changed)


def _read(source: Path, file: str) -> str | None:
    """A file of the function's. What the scene says of its name may be anybody's."""
    name = PurePosixPath(file)
    if name.is_absolute() or ".." in name.parts or not file.endswith(".py"):
        return None
    path = source / file
    try:
        if not path.resolve().is_relative_to(source.resolve()) or os.path.getsize(path) > _BYTES:
            return None
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _recorded_text(scene: SceneFile, file: str) -> str | None:
    return scene.source(file) if file in scene.sources else None


def _parsed(text: str) -> ast.Module | None:
    if text.count("\n") > _LINES:
        return None
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _function(tree: ast.Module, qualname: str) -> _Scope | None:
    """By its `__qualname__`; code that a module, a class, a lambda or a comprehension runs is that of what
    is around it."""
    scope: _Scope = tree
    for name in qualname.replace(".<locals>", "").split("."):
        if name.startswith("<"):
            break
        inner = [node for node in _scopes(scope) if node.name == name]
        if not inner:
            return None
        scope = inner[-1]  # the last one counts
    return scope


def _scopes(scope: _Scope) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """The functions and classes directly in it, also those in its ifs and loops."""
    found = []
    waiting: list[ast.AST] = list(scope.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(node)
        elif isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            waiting += ast.iter_child_nodes(node)
    return found


def _span(scope: _Scope) -> tuple[int, int]:
    return (1, _LINES * 2) if isinstance(scope, ast.Module) else (scope.lineno, scope.end_lineno or 0)


def _statement(scope: _Scope, line: int) -> tuple[int, int, bool]:
    """(first, last line of the innermost statement at `line`, whether it is in no loop); of one that has
    others in it only its head."""
    found: tuple[int, int, bool] = (line, line, False)
    waiting: list[tuple[ast.AST, bool]] = [(scope, True)]
    while waiting:
        node, once = waiting.pop()
        for child in ast.iter_child_nodes(node):
            first, last = getattr(child, "lineno", 0), getattr(child, "end_lineno", 0)
            if first and not first <= line <= last:
                continue
            inner = once and not isinstance(child, (*_LOOPS, *_INNER_LOOPS))
            if isinstance(child, ast.stmt):
                body = getattr(child, "body", None)
                head = max(body[0].lineno - 1, first) if body else last
                if line <= head:
                    found = (first, head, once and not isinstance(child, ast.While))
            waiting.append((child, inner))
    return found


def _after(scope: _Scope, first: int, last: int) -> int:
    """The last line of the outermost statement around lines that branches: not each way leads through all of
    it."""
    body: list[ast.stmt] = scope.body
    while True:
        around = next((one for one in body if one.lineno <= first and last <= (one.end_lineno or 0)), None)
        if not isinstance(around, ast.With | ast.AsyncWith):
            branches = isinstance(around, ast.If | ast.Try | ast.TryStar | ast.Match | _LOOP_TYPES)
            return (around.end_lineno or last) if around is not None and branches else last
        body = around.body


def _differing(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    """As difflib's opcodes. What is alike at both ends is not compared again: scenes come from anybody, and
    it takes its time."""
    most = min(len(old), len(new))
    head = next((n for n in range(most) if old[n] != new[n]), most)
    most -= head
    tail = next((n for n in range(most) if old[-1 - n] != new[-1 - n]), most)
    inner = difflib.SequenceMatcher(None, old[head : len(old) - tail], new[head : len(new) - tail])
    middle = [
        (tag, i1 + head, i2 + head, j1 + head, j2 + head) for tag, i1, i2, j1, j2 in inner.get_opcodes()
    ]
    ends = ("equal", len(old) - tail, len(old), len(new) - tail, len(new))
    return [("equal", 0, head, 0, head), *middle, ends]


def _moved(old: list[str], new: list[str], first: int, last: int) -> tuple[int, int, bool]:
    """Lines of `old` as lines of `new`, and whether they were changed."""
    firsts, lasts, changed = [], [], False
    for tag, i1, i2, j1, j2 in _differing(old, new):
        start, end = max(i1, first - 1), min(i2, last)
        if start >= end:
            continue
        if tag == "equal":
            firsts.append(j1 + start - i1 + 1)
            lasts.append(j1 + end - i1)
        else:
            changed = True
            firsts.append(j1 + 1)
            lasts.append(j2)
    return (min(firsts), max(lasts), changed) if firsts else (first, last, False)
