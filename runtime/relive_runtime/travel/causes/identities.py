"""Whether things are the same object that are said to be: by their identities, when they were changed."""

from __future__ import annotations

import ast
import copy
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from relive_runtime.travel.causes.arguments import argument_of
from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.idioms import fills_a_default
from relive_runtime.travel.causes.journal import Version
from relive_runtime.travel.causes.running import Run, Running
from relive_runtime.travel.causes.sharing import handed_on
from relive_runtime.travel.causes.values import MISSING, Keyed, exactly, has_contents, parts

__all__ = ["IDENTITIES", "ONE_FOR_ALL", "has_one_default", "was_one_for_all"]

ONE_FOR_ALL: Final = "way: one object for all"
_CONTAINERS: Final = (list, dict, set, deque, bytearray)
_COPIED: Final = (list, dict, set, tuple, deque)
_FIRST_STEPS: Final = 8


def _shares_what_changes(running: Running, run: Run) -> bool:
    """What it gives a second name or place has got that, and was changed after it."""
    ran = {id(node) for node in running.nodes(run)}
    for node in handed_on(run.statement):
        value = running.value(node, run) if id(node) in ran else MISSING
        if any(_changes(running, value, run)) and _is_placed(running, run, node, value):
            return True
    return False


def _changes(running: Running, value: Any, run: Run) -> Iterator[Version]:
    """Those of a container that came after a run for certain."""
    if exactly(value, *_CONTAINERS):
        for one in running.journal.versions(value, running.failing + 1)[1:]:
            if one.step > run.last and one.seen is not None and one.seen >= run.first:
                yield one


def _is_placed(running: Running, run: Run, node: ast.expr, value: Any) -> bool:
    journal = running.journal
    holders = list[Any]()
    for name in journal.plan(run.first).binds:
        bound = journal.bound(run.last, name)
        bound = journal.bound(run.first, name) if bound is MISSING else bound
        if bound is value and name != ast.unparse(node):
            return True
        holders.append(bound)
    for target in _targets(run.statement):
        if isinstance(target, ast.Attribute | ast.Subscript):
            holders.append(running.value(target.value, run))
    call = getattr(run.statement, "value", None)
    if isinstance(call, ast.Call):
        holders.append(running.receiver(call, run))
    after = journal.next_in(run.frame, run.first)
    return any(
        one is not value and _count(running, one, value, after) > _count(running, one, value, run.first)
        for one in holders
        if one is not MISSING
    )


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AnnAssign) else []


def _count(running: Running, holder: Any, value: Any, step: int, depth: int = 2) -> int:
    """How often an object has another one in it, before a step."""
    found = running.journal.version(holder, step) if has_contents(holder) else MISSING
    if found is MISSING:
        return 0
    inside = [part for _, part in parts(found)]
    count = sum(part is value for part in inside)
    if depth > 1:
        count += sum(_count(running, part, value, step, depth - 1) for part in inside if part is not value)
    return count


# ------------------------------------------------------------ copies


def _copy_shares(running: Running, run: Run) -> bool:
    """A part was changed when it was both in the copy and in what that is of."""
    for node in running.nodes(run):
        for of in _copied(running, node, run):
            for made in running.born(run):
                if made is not running.journal.history.get(id(of)) and _share(running, of, made, run):
                    return True
    return False


def _copied(running: Running, node: ast.AST, run: Run) -> Iterator[Any]:
    """What an expression makes a new container of, with the same parts."""
    found: list[Any] = []
    if isinstance(node, ast.Call):
        if any(running.is_builtin(node, one, run) for one in (dict, list, set, tuple, copy.copy)):
            found += [running.value(one, run) for one in node.args[:1]]
        elif name_of(node) == "copy" and not node.args:
            found.append(running.receiver(node, run))
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        if isinstance(node.slice, ast.Slice):
            found.append(running.value(node.value, run))
    elif isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        found += [running.value(one, run) for key, one in pairs if key is None]
    return (one for one in found if exactly(one, *_COPIED))


def _share(running: Running, of: Any, made: list[Version], run: Run) -> bool:
    for _, part in parts(made[0].contents):
        for change in _changes(running, part, run):
            now = next((one.contents for one in reversed(made) if one.step < change.step), ())
            both = now, running.journal.version(of, change.step)
            if all(one is not MISSING and any(item is part for _, item in parts(one)) for one in both):
                return True
    return False


# ------------------------------------------------------------ one for all


def _one_for_all(running: Running, run: Run) -> bool:
    """A list or dict was made in which all are one container."""
    kinds = set[type]()
    for node in running.nodes(run):
        if isinstance(node, ast.ListComp) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
            kinds.add(tuple)
        elif isinstance(node, ast.Call) and name_of(node) == "fromkeys":
            kinds.add(Keyed)
    made = (versions[0].contents for versions in running.born(run)) if kinds else ()
    return any(type(one) in kinds and _is_one(one) for one in made)


def _is_one(found: Any) -> bool:
    """Of contents."""
    items = [part for _, part in parts(found)]
    first = items[0] if len(items) > 1 else None
    return has_contents(first) and type(first) is not tuple and all(one is first for one in items)


def was_one_for_all(running: Running, statement: ast.stmt) -> bool:
    """It ran before the handler, and has given a name of the module such a list or dict."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if not isinstance(target, ast.Name):
        return False
    journal = running.journal
    for entry in journal.frames:
        if journal.source(entry.code).definitions().get(target.id) is statement:
            value = entry.names.get(target.id, MISSING)
            versions = journal.versions(value, running.failing + 1) if exactly(value, list, dict) else []
            return bool(versions) and _is_one(versions[0].contents)
    return False


def has_one_default(running: Running, function: ast.stmt) -> bool:
    """Several calls that left an argument out have had one container for it, and the run has changed it."""
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    journal, calls = running.journal, dict[int, set[int]]()
    for number, entry in enumerate(journal.frames):
        if entry.code.co_name != function.name:
            continue
        if journal.source(entry.code).function(entry.code.co_firstlineno, function.name) is not function:
            continue
        call = running.following.frames.call_of(number)
        if call is None or any(one.arg is None for one in call.keywords):
            continue
        if any(isinstance(one, ast.Starred) for one in call.args):
            continue
        for name in fills_a_default(function):
            value = _first_value(running, entry.steps, name)
            changed = exactly(value, *_CONTAINERS) and len(journal.versions(value, running.failing + 1)) > 1
            if changed and argument_of(call, function, name) is None:
                calls.setdefault(id(value), set()).add(number)
    return any(len(numbers) > 1 for numbers in calls.values())


def _first_value(running: Running, steps: list[int], name: str) -> Any:
    """Of a parameter, before it gets another one."""
    for step in steps[:_FIRST_STEPS]:
        found = running.journal.read(step, name)
        if found is not MISSING or name in running.journal.plan(step).binds:
            return found
    return MISSING


IDENTITIES: Final[dict[str, Callable[[Running, Run], bool]]] = {
    "seen: copies, but shares parts that are changed later": _copy_shares,
    "seen: shares a global that is changed later": _shares_what_changes,
    "seen: shares a local that is changed later": _shares_what_changes,
    "seen: shares a part that is changed later": _shares_what_changes,
    "seen: shares an argument that is changed later": _shares_what_changes,
    ONE_FOR_ALL: _one_for_all,
}
"""By feature: whether the sentence about it is true of a run of the statement."""
