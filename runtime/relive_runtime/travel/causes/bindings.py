"""Which step has given a name the value that was read: of all functions that share the variable."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator
from heapq import merge
from types import CellType, CodeType, FunctionType
from typing import Any

from relive_runtime.travel.causes.frames import Frames
from relive_runtime.travel.causes.journal import Journal
from relive_runtime.travel.causes.statements import Plan
from relive_runtime.travel.causes.values import MISSING, Large, contents, exactly, parts, same

__all__ = ["Bindings", "agree"]


class Bindings:
    """Of one journal."""

    def __init__(self, journal: Journal, frames: Frames) -> None:
        self._journal = journal
        self._frames = frames
        self._binding: dict[str, list[int]] = {}
        self._storing: dict[str, list[int]] = {}
        self._owners: dict[tuple[str, int], int | None] = {}
        self._cells: dict[tuple[str, int], CellType | None] = {}
        self._outer: dict[str, list[int]] = {}
        self._nested: dict[tuple[int, int], bool] = {}  # by identity of codes, which their frames keep

    # ------------------------------------------------------------ whose variable it is

    def owner(self, name: str, frame: int) -> int | None:
        """The frame whose local it is; None: a global."""
        key = name, frame
        if key not in self._owners:
            self._owners[key] = self._owner(name, frame)
        return self._owners[key]

    def _owner(self, name: str, frame: int) -> int | None:
        frames = self._journal.frames
        code = frames[frame].code
        if name in code.co_varnames or name in code.co_cellvars:
            return frame
        if name not in code.co_freevars:
            return None
        having = self._having(name)
        outer = [
            number
            for number in having[: bisect.bisect_left(having, frame)]
            if self._is_in(code, frames[number].code)
        ]
        cell = self._cell(name, frame) if len(outer) > 1 else None
        if cell is not None:
            mine = [number for number in outer if self._made(name, number) is cell]
            outer = mine or outer
        for above in self._journal.ancestors(frame) if len(outer) > 1 else ():
            if above in outer:
                return above
        return outer[-1] if outer else None

    def _having(self, name: str) -> list[int]:
        """The frames that have a variable which functions in them share."""
        found = self._outer.get(name)
        if found is None:
            frames = enumerate(self._journal.frames)
            found = self._outer[name] = [number for number, one in frames if name in one.code.co_cellvars]
        return found

    def _is_in(self, inner: CodeType, outer: CodeType) -> bool:
        key = id(inner), id(outer)
        if key not in self._nested:
            self._nested[key] = _makes(outer, inner)
        return self._nested[key]

    def _cell(self, name: str, frame: int) -> CellType | None:
        """What holds a variable of an outer function, by the function that its caller has called."""
        entry, journal = self._journal.frames[frame], self._journal
        if entry.called < journal.start:
            return None
        call = self._frames.call_of(frame)
        function = self._frames.function_of(call.func, entry.called) if call is not None else None
        values = [journal.read(entry.called, text) for text, _ in journal.plan(entry.called).reads]
        cells = [
            cell
            for one in (function, *values)
            if exactly(one, FunctionType) and one.__code__ is entry.code
            for cell in _held(one, name)
        ]
        return cells[0] if cells and all(one is cells[0] for one in cells) else None

    def _made(self, name: str, frame: int) -> CellType | None:
        """The same of a frame that has the variable, by a function that it has made."""
        key = name, frame
        if key not in self._cells:
            entry, journal = self._journal.frames[frame], self._journal
            values = [
                value
                for step in entry.steps
                for bound in journal.plan(step).binds
                if (value := journal.bound(step, bound)) is not MISSING
            ]
            values.append(entry.result)
            if exactly(entry.result, tuple, list, dict):
                values += [value for _, value in parts(contents(entry.result))]
            cells = (
                cell
                for one in values
                if exactly(one, FunctionType) and self._is_in(one.__code__, entry.code)
                for cell in _held(one, name)
            )
            self._cells[key] = next(cells, None)
        return self._cells[key]

    # ------------------------------------------------------------ what has bound it

    def of_local(self, name: str, owner: int, frame: int, until: int) -> Iterator[int]:
        """The steps before one of a frame that may have bound a local of `owner`, the newest first: those of
        its own, and of the functions in it that have it as `nonlocal`."""
        journal = self._journal
        if name not in journal.frames[owner].code.co_cellvars:
            return self._own(name, owner, frame, until)
        others = (
            step
            for step in self._all(name, until)
            if name in journal.frames[journal.frame(step)].code.co_freevars
            and self.owner(name, journal.frame(step)) == owner
        )
        own = self._own(name, owner, frame, until)
        return (step for step in merge(own, others, reverse=True) if self._is_over(name, frame, step, until))

    def _own(self, name: str, owner: int, frame: int, until: int) -> Iterator[int]:
        journal = self._journal
        limit = until if owner == frame else len(journal)
        yield from journal.steps_before(owner, limit)

    def of_global(self, name: str, frame: int, until: int) -> Iterator[int]:
        """The same of a global of a frame's module."""
        journal = self._journal
        names = journal.frames[frame].names
        for step in self._all(name, until):
            entry = journal.frames[journal.frame(step)]
            code = entry.code
            own = name in code.co_varnames or name in code.co_cellvars or name in code.co_freevars
            if not own and entry.names is names and self._is_over(name, frame, step, until):
                yield step

    def _all(self, name: str, until: int) -> Iterator[int]:
        """The steps that bind a name, in whatever frame, the newest first."""
        return self._newest(self._binding, name, until, lambda plan: plan.binds)

    def storing(self, name: str, until: int) -> Iterator[int]:
        """The steps before one that set an attribute of that name, the newest first."""
        return self._newest(self._storing, name, until, lambda plan: plan.stores)

    def _newest(
        self,
        known: dict[str, list[int]],
        name: str,
        until: int,
        names: Callable[[Plan], frozenset[str]],
    ) -> Iterator[int]:
        """The steps before one whose lines have a name among those of a kind, the newest first."""
        journal, found = self._journal, known.get(name)
        if found is None:
            steps = range(journal.start, len(journal))
            found = known[name] = [step for step in steps if name in names(journal.plan(step))]
        return (step for step in reversed(found) if step < until)

    def _is_over(self, name: str, frame: int, step: int, until: int) -> bool:
        """Whether a step had bound it before another one: not one that still waits for that."""
        journal = self._journal
        mine = journal.frame(step)
        waits = mine != frame and journal.next_in(mine, step) > until and mine in journal.ancestors(frame)
        return not waits or not agree(journal.read(step, name), journal.bound(step, name))


def agree(one: Any, other: Any) -> bool:
    """Whether one may be the other, as far as they can be compared."""
    if one is MISSING or other is MISSING:
        return True
    if type(one) is Large and type(other) is Large:
        return (one.size, one.type, one.head) == (other.size, other.type, other.head)
    return same(one, other)


def _makes(outer: CodeType, inner: CodeType) -> bool:
    """Whether a code is in another one."""
    pending, seen = [outer], set[int]()
    while pending:
        for one in pending.pop().co_consts:
            if type(one) is CodeType and id(one) not in seen:
                if one is inner:
                    return True
                seen.add(id(one))
                pending.append(one)
    return False


def _held(function: Any, name: str) -> list[CellType]:
    names = function.__code__.co_freevars
    return [function.__closure__[names.index(name)]] if name in names else []
