"""How a part got into an object: by which step, and out of what that step read."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from relive_capture.record.inspection import plain_name
from relive_runtime.travel.causes.evaluation import Evaluation
from relive_runtime.travel.causes.journal import Version
from relive_runtime.travel.causes.places import Hop, Made, Read, parts_read
from relive_runtime.travel.causes.statements import within
from relive_runtime.travel.causes.values import (
    MISSING,
    defined,
    exactly,
    has_contents,
    interned,
    own_dict,
    parts,
    same,
)
from relive_runtime.travel.trail import NOBODY

__all__ = ["Contents"]

_ADDS: Final = frozenset(
    ("append", "add", "appendleft", "put", "put_nowait", "push", "heappush", "setattr", "__setitem__")
)
_REARRANGES: Final = frozenset(("reverse", "sort", "pop", "popleft", "remove", "rotate", "shuffle", "insert"))
_CONTAINERS: Final = (list, dict, set, tuple, deque)
_MERGES: Final = frozenset(("update", "extend", "extendleft"))


Given = Callable[[ast.stmt, str, int, int, Any], Read | Made]


class Contents:
    """Over one journal."""

    def __init__(self, evaluation: Evaluation, given: Given) -> None:
        """`given`: what a statement gives to a target of its."""
        self._journal = evaluation.journal
        self._evaluation = evaluation
        self._given = given

    def given(self, holder: Any, key: Any, read: Read) -> Hop:
        """The step that put a part where `read` found it."""
        if type(key) is str and issubclass(type(holder), tuple) and key in _fields(type(holder)):
            key = _fields(type(holder)).index(key)
        if not issubclass(type(holder), dict) and type(key) is int and key < 0:
            key = self._from_the_front(holder, key, read.step)
        if type(key) is str and issubclass(type(holder), _CONTAINERS):
            own = own_dict(holder)
            holder = holder if own is None or isinstance(read.node, ast.Subscript) else own
        version, number = self._putting(holder, key, read)
        if version is None:
            kind = "computed" if not has_contents(holder) else "before"
            return Hop(read.step, "", self._older(kind, holder, None, read))
        if version.step < self._journal.start or version.step == NOBODY:
            return Hop(read.step, "", self._older("before", holder, version, read))
        again = self._put_again(holder, key, version.step, read.step)
        step = version.step if again is None else again
        frame = self._journal.frame(step)
        if number == 0 and again is None:
            return Hop(step, "given", self._born(holder, key, read.value, frame, step))
        how = "overwritten" if self._was_better(holder, key, read.value, step) else "given"
        return Hop(step, how, self._put(holder, key, read.value, frame, step))

    def _older(self, kind: str, holder: Any, version: Version | None, read: Read) -> Made:
        unknown = self._evaluation.beginnings.of_part(holder, version, read.value) if kind == "before" else ""
        return Made(kind, read.value, read.frame, read.step, read.node, unknown=unknown)

    def _put_again(self, holder: Any, key: Any, since: int, until: int) -> int | None:
        """A later step that has put the very same value there."""
        journal = self._journal
        name = key if type(key) is str else ""
        for step in range(until - 1, since, -1):
            stores = journal.plan(step).stores
            if stores and (name in stores or "[]" in stores):
                statement = journal.plan(step).statement
                if statement is not None and self._target(statement, holder, key, journal.frame(step), step):
                    return step
        return None

    def _was_better(self, holder: Any, key: Any, value: Any, step: int) -> bool:
        """It took the place of something, and is nothing."""
        before = self._journal.part(holder, key, step)
        return value is None and before is not MISSING and before is not None

    def _from_the_front(self, holder: Any, key: int, step: int) -> int:
        found = self._journal.version(holder, step)
        return key + len(found) if type(found) is tuple else key

    def _putting(self, holder: Any, key: Any, read: Read) -> tuple[Version | None, int]:
        """The version of the holder that the part came with, and its number."""
        versions = self._journal.versions(holder, self._over(read))
        best: tuple[Version | None, int] = (None, 0)
        by_place = interned(read.value) or not issubclass(type(holder), list)
        for number in range(len(versions) - 1, -1, -1):
            found = versions[number].contents
            if by_place:
                there = any(
                    (name is key or same(name, key)) and same(part, read.value) for name, part in parts(found)
                )
            else:
                there = any(part is read.value for _, part in parts(found))
            if not there:
                if best[0] is not None:
                    break
                continue
            best = versions[number], number
        return best

    def _over(self, read: Read) -> int:
        """The step at which what it is read by is over."""
        return self._journal.next_in(read.frame, read.step)

    # ------------------------------------------------------------ a step that changed it

    def _put(self, holder: Any, key: Any, value: Any, frame: int, step: int) -> Read | Made:
        statement = self._journal.plan(step).statement
        if statement is None:
            return Made("changed", value, frame, step)
        if isinstance(statement, ast.AugAssign) and issubclass(type(holder), list):
            return self._extended(statement.value, value, frame, step) or Made("changed", value, frame, step)
        target = self._target(statement, holder, key, frame, step)
        if target:
            return self._given(statement, target, frame, step, value)
        for node in within(statement):
            if isinstance(node, ast.Call):
                found = self._by_call(node, holder, value, frame, step)
                if found is not None:
                    return found
        for part in parts_read(statement):
            if not interned(value) and self._evaluation.value_of(part, frame, step) is value:
                return Read(part, frame, step, value)
        version = next((one for one in self._journal.versions(holder, step + 1)[::-1]), None)
        unknown = "" if version is None else self._evaluation.beginnings.of_change(version)
        return Made("changed", value, frame, step, unknown=unknown)

    def _extended(self, node: ast.expr, value: Any, frame: int, step: int) -> Read | None:
        """The element of what was added to a list."""
        held = self._evaluation.value_of(node, frame, step)
        found = (
            self._journal.version(held, self._journal.next_in(frame, step))
            if held is not MISSING
            else MISSING
        )
        if found is MISSING:
            return None
        at = next((name for name, part in parts(found) if same(part, value)), MISSING)
        return None if at is MISSING else Read(node, frame, step, value, (at,))

    def _target(self, statement: ast.stmt, holder: Any, key: Any, frame: int, step: int) -> str:
        """The target of a statement that is this part of the holder."""
        for node in within(statement):
            if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
                base = self._evaluation.value_of(node.value, frame, step)
                if base is not holder and (base is MISSING or own_dict(base) is not holder):
                    continue
                if isinstance(node, ast.Attribute):
                    named = node.attr == key
                else:
                    found = self._evaluation.value_of(node.slice, frame, step)
                    named = found is MISSING or same(found, key) or found is key or type(found) is tuple
                if named:
                    return ast.unparse(node)
        return ""

    def _by_call(self, call: ast.Call, holder: Any, value: Any, frame: int, step: int) -> Read | Made | None:
        evaluation = self._evaluation
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        on = (
            evaluation.value_of(call.func.value, frame, step)
            if isinstance(call.func, ast.Attribute)
            else MISSING
        )
        holds = on is holder or any(evaluation.value_of(one, frame, step) is holder for one in arguments)
        if not holds or not (arguments or name in _REARRANGES):
            return None
        if name in _ADDS:
            return Read(arguments[-1], frame, step, value)
        if name == "insert" and same(evaluation.value_of(arguments[-1], frame, step), value):
            return Read(arguments[-1], frame, step, value)
        if name == "setdefault" and len(arguments) > 1:
            return Read(arguments[1], frame, step, value)
        if name == "extend":
            return self._extended(arguments[0], value, frame, step)
        if name in _MERGES:
            return Made("merged", value, frame, step, call)
        if name in _REARRANGES:
            before = self._journal.version(holder, step)
            at = (
                next((key for key, part in parts(before) if same(part, value)), MISSING)
                if before is not MISSING
                else MISSING
            )
            receiver = call.func.value if isinstance(call.func, ast.Attribute) else arguments[0]
            return None if at is MISSING else Read(receiver, frame, step, value, (at,))
        return None

    # ------------------------------------------------------------ a step that made it

    def _born(self, holder: Any, key: Any, value: Any, frame: int, step: int) -> Read | Made:
        statement = self._journal.plan(step).statement
        if statement is None:
            return Made("computed", value, frame, step)
        best: Read | Made | None = None
        for node in within(statement):
            found = self._in_display(node, holder, key, value, frame, step)
            if found is not None:
                best = best or found
        return (
            best
            or self._copied(statement, key, value, frame, step)
            or Made("computed", value, frame, step, _whole(statement))
        )

    def _in_display(
        self, node: ast.AST, holder: Any, key: Any, value: Any, frame: int, step: int
    ) -> Read | Made | None:
        if isinstance(node, ast.Dict) and issubclass(type(holder), dict):
            return self._in_dict(node, key, value, frame, step)
        if isinstance(node, ast.List | ast.Tuple) and issubclass(type(holder), (list, tuple)):
            size = (list if issubclass(type(holder), list) else tuple).__len__(holder)
            fits = type(key) is int and len(node.elts) == size and key < size
            loads = isinstance(node.ctx, ast.Load)
            return self._fits(node.elts[key], value, frame, step) if fits and loads else None
        if isinstance(node, ast.Call):
            return self._of_fields(node, holder, key, value, frame, step)
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            return self._fits(node.elt, value, frame, step, certain=True)
        if isinstance(node, ast.DictComp) and issubclass(type(holder), dict):
            return self._fits(node.value, value, frame, step, certain=True)
        return None

    def _fits(
        self, node: ast.expr, value: Any, frame: int, step: int, *, certain: bool = False
    ) -> Read | Made | None:
        """An expression that may have given the value: not if it is known to have given another one."""
        found = self._evaluation.value_of(node, frame, step)
        other = found is not MISSING and not same(found, value)
        if other and not (certain and isinstance(node, ast.Call)):
            return None
        return Read(node, frame, step, value)

    def _in_dict(self, node: ast.Dict, key: Any, value: Any, frame: int, step: int) -> Read | Made | None:
        """The last one counts. What a `**` brings over a value that was there is merged here."""
        found: Read | Made | None = None
        there = False
        for name, item in zip(node.keys, node.values, strict=True):
            if name is None:
                held = self._evaluation.value_of(item, frame, step)
                part = MISSING if held is MISSING else self._journal.part(held, key, step + 1)
                if part is not MISSING and same(part, value):
                    inner = Read(item, frame, step, value, (key,))
                    found = Made("merged", value, frame, step, node) if there else inner
                there = there or part is not MISSING
            else:
                known = self._evaluation.value_of(name, frame, step)
                if same(known, key) or known is key:
                    there = True
                    found = self._fits(item, value, frame, step) or found
        return found

    def _of_fields(
        self, call: ast.Call, holder: Any, key: Any, value: Any, frame: int, step: int
    ) -> Read | Made | None:
        """A dataclass's, a named tuple's, or keywords of any other."""
        for keyword in call.keywords:
            if keyword.arg is not None and same(keyword.arg, key):
                return self._fits(keyword.value, value, frame, step)
        kind = type(holder)
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name not in (plain_name(kind), "cls"):
            return None
        fields = _fields(kind)
        index = key if type(key) is int else fields.index(key) if type(key) is str and key in fields else -1
        if index < 0 or any(isinstance(item, ast.Starred) for item in call.args):
            return None
        if index < len(call.args):
            return Read(call.args[index], frame, step, value)
        if any(keyword.arg is None for keyword in call.keywords):
            return None
        return Made("default", value, frame, step, call, str(key))

    def _copied(self, statement: ast.stmt, key: Any, value: Any, frame: int, step: int) -> Read | Made | None:
        """Out of another container that the statement reads."""
        for node in parts_read(statement):
            held = self._evaluation.value_of(node, frame, step)
            if held is MISSING or not has_contents(held):
                continue
            if issubclass(type(held), dict) and same(self._journal.part(held, key, step + 1), value):
                return Read(node, frame, step, value, (key,))
            if not interned(value):
                found = self.element_of(held, (), Read(node, frame, step, value))
                if found is not None:
                    return found
        return None

    # ------------------------------------------------------------ elements

    def element_of(
        self, held: Any, path: tuple[Any, ...], read: Read, until: int | None = None
    ) -> Read | Made | None:
        """The element of a container that is the value, or has it at `path`. `until`: as it was before that
        step."""
        over = self._over(read) if until is None else until
        if path[:1] == ("values",):
            path = path[1:]
        elif issubclass(type(held), dict) and not path:
            return self.key_of(held, read)
        found = self._journal.version(held, over)
        if found is MISSING:
            return None
        number = self._round(read) if not path and interned(read.value) else None
        same_ones: list[Read] = []
        for index, (key, part) in enumerate(parts(found)):
            inner = part
            for name in path:
                inner = self._journal.part(inner, name, over)
            if inner is not MISSING and same(inner, read.value):
                same_ones.append(Read(read.node, read.frame, read.step, read.value, (key, *path)))
                if number in (None, index):
                    return same_ones[-1]
        return same_ones[0] if len(same_ones) == 1 else None

    def _round(self, read: Read) -> int | None:
        """How often a loop has begun before, since it was entered: which element it is at."""
        journal = self._journal
        statement = journal.plan(read.step).statement
        if not isinstance(statement, ast.For):
            return None
        count = 0
        for step in journal.steps_before(read.frame, read.step):
            earlier = journal.plan(step).statement
            if earlier is statement:
                count += 1
            elif earlier is not None and not (
                statement.lineno < earlier.lineno <= (statement.end_lineno or statement.lineno)
            ):
                break
        return count

    def key_of(self, held: Any, read: Read) -> Read | Made | None:
        """How a key got into a dict: the step that put it there."""
        for version in self._journal.versions(held, self._over(read)):
            if any(name is read.value or same(name, read.value) for name, _ in parts(version.contents)):
                if version.step < self._journal.start or version.step == NOBODY:
                    return self._older("before", held, version, read)
                return self._key_put(held, read.value, version.step)
        return None

    def _is_set(self, node: ast.Subscript, held: Any, frame: int, step: int) -> bool:
        """An element of just this container gets a value."""
        return isinstance(node.ctx, ast.Store) and self._evaluation.value_of(node.value, frame, step) is held

    def _key_put(self, held: Any, value: Any, step: int) -> Read | Made:
        frame = self._journal.frame(step)
        statement = self._journal.plan(step).statement
        for node in within(statement) if statement is not None else ():
            if isinstance(node, ast.Subscript) and self._is_set(node, held, frame, step):
                return Read(node.slice, frame, step, value)
            if isinstance(node, ast.Dict):
                for name in node.keys:
                    if name is not None and same(self._evaluation.value_of(name, frame, step), value):
                        return Read(name, frame, step, value)
            if isinstance(node, ast.DictComp):
                return Read(node.key, frame, step, value)
        return Made("computed", value, frame, step, _whole(statement))


def _fields(kind: type) -> tuple[str, ...]:
    """The names of a dataclass's or a named tuple's fields. Anybody may have something else of that name."""
    found = defined(kind, "_fields") if issubclass(kind, tuple) else defined(kind, "__dataclass_fields__")
    if not exactly(found, tuple, dict) or not all(type(name) is str for name in found):
        return ()
    return tuple(found)


def _whole(statement: ast.stmt | None) -> ast.expr | None:
    """The expression that a statement is about."""
    found = getattr(statement, "value", None) or getattr(statement, "iter", None)
    return found if isinstance(found, ast.expr) else None
