"""A sandwich: one function, wherever it was called, with its callers above it and what it called below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relive_views.profiles.trees import FlameTree

from relive_tui.models.profile.flame import FlameModel

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SandwichModel", "sandwich"]

MAX_CALLERS: Final = 24
"""Callers of callers that are shown above a function."""


class _Frame:
    """A frame with those that are further away from the function in the middle."""

    __slots__ = ("below", "file", "line", "name", "value")

    def __init__(self, name: str, file: str, line: int) -> None:
        self.name, self.file, self.line = name, file, line
        self.value = 0
        self.below: dict[tuple[str, str], _Frame] = {}

    def next(self, flame: FlameTree, node: int) -> _Frame:
        key = (flame.name[node], flame.file[node])
        found = self.below.get(key)
        if found is None:
            found = self.below[key] = _Frame(*key, flame.line[node])
        return found


class SandwichModel(FlameModel):
    """`toward`: of each frame the next one towards the middle; -1 of the middle itself."""

    def __init__(self, flame: FlameTree, toward: list[int], middle: int, whole: int) -> None:
        super().__init__(flame)
        self.toward, self.middle = toward, middle
        self.total = max(flame.value[middle], 1) if len(flame) else 0.0
        self.whole = float(whole)
        self.selected = middle
        self.base = 0

    @property
    def window(self) -> tuple[float, float]:
        if self.zoomed:
            return super().window
        return 0.0, max(self.total, 1e-9)

    def _up(self) -> int:
        below_middle = self.flame.depth[self.selected] > self.flame.depth[self.middle]
        return self.toward[self.selected] if below_middle else self._widest(-1)

    def _down(self) -> int:
        above_middle = self.flame.depth[self.selected] < self.flame.depth[self.middle]
        return self.toward[self.selected] if above_middle else self._widest(1)

    def _widest(self, step: int) -> int:
        depth = self.flame.depth[self.selected] + step
        level = self.levels[depth] if 0 <= depth < len(self.levels) else []
        further = [node for node in level if self.toward[node] == self.selected]
        return max(further, key=lambda node: self.flame.value[node], default=-1)


def sandwich(flame: FlameTree, node: int) -> SandwichModel:
    """Of the function of a frame. Where it calls itself, the outermost call counts."""
    name, file = flame.name[node], flame.file[node]
    callers, callees = _Frame(name, file, flame.line[node]), _Frame(name, file, flame.line[node])
    for place in _outermost(flame, name, file):
        value = flame.value[place]
        callers.value += value
        callees.value += value
        above, frame = flame.parent[place], callers
        for _ in range(MAX_CALLERS):
            if above < 0:
                break
            frame = frame.next(flame, above)
            frame.value += value
            above = flame.parent[above]
        _add_below(flame, place, callees)
    return _lay_out(callers, callees, flame)


def _outermost(flame: FlameTree, name: str, file: str) -> Iterator[int]:
    node = 0
    while node < len(flame):
        if flame.name[node] == name and flame.file[node] == file:
            yield node
            node = _end(flame, node)
        else:
            node += 1


def _end(flame: FlameTree, node: int) -> int:
    """The index after a node's subtree."""
    if flame.end:
        return flame.end[node]
    after = node + 1
    while after < len(flame) and flame.depth[after] > flame.depth[node]:
        after += 1
    return after


def _add_below(flame: FlameTree, place: int, into: _Frame) -> None:
    frames = {place: into}
    for node in range(place + 1, _end(flame, place)):
        frame = frames[flame.parent[node]].next(flame, node)
        frame.value += flame.value[node]
        frames[node] = frame


def _lay_out(callers: _Frame, callees: _Frame, flame: FlameTree) -> SandwichModel:
    found = FlameTree(weight=flame.weight, samples=flame.samples, aggregate=flame.aggregate, note=flame.note)
    toward: list[int] = []
    middle = _deepest(callers)

    def put(frame: _Frame, depth: int, start: int, nearer: int) -> int:
        at = len(found.name)
        found.name.append(frame.name)
        found.file.append(frame.file)
        found.line.append(frame.line)
        found.depth.append(depth)
        found.start.append(start)
        found.value.append(frame.value)
        found.self_value.append(frame.value - sum(each.value for each in frame.below.values()))
        found.parent.append(nearer)
        toward.append(nearer)
        return at

    centre = put(callees, middle, 0, -1)
    for root, step in ((callers, -1), (callees, 1)):
        todo = [(root, middle, 0, centre)]
        while todo:
            frame, depth, start, at = todo.pop()
            for each in sorted(frame.below.values(), key=lambda one: -one.value):
                placed = put(each, depth + step, start, at)
                todo.append((each, depth + step, start, placed))
                start += each.value
    whole = flame.value[0] if len(flame) else 0
    return SandwichModel(found, toward, centre, whole)


def _deepest(frame: _Frame) -> int:
    depth, level = 0, [frame]
    while level := [each for one in level for each in one.below.values()]:
        depth += 1
    return depth
