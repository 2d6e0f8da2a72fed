"""Whether loops, iterators and errors took the turn that they are said to have taken, by their steps."""

from __future__ import annotations

import ast
import contextlib
import csv
import io
import itertools
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, GeneratorType
from typing import Any, Final

from relive_capture.record.inspection import mro
from relive_runtime.travel.causes.arms import head_of, lines_of, statements_in
from relive_runtime.travel.causes.badness import is_empty
from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.iterating import ends_a_loop
from relive_runtime.travel.causes.running import Run, Running
from relive_runtime.travel.causes.statements import within
from relive_runtime.travel.causes.values import CODE, MISSING, exactly, parts, same
from relive_runtime.travel.trail import NOBODY

__all__ = ["SWALLOWED", "TURNS", "leaves_in_the_first_round", "takes_the_place"]

SWALLOWED: Final = "seen: an error was swallowed in it"
_LOOPS: Final = (ast.For, ast.AsyncFor, ast.While)
_CHANGED: Final = (list, dict, set, deque)
_CONSUMERS: Final = (
    list,
    tuple,
    set,
    frozenset,
    dict,
    sorted,
    sum,
    max,
    min,
    Counter,
    deque,
    math.fsum,
    math.prod,
)
_STATISTICS: Final = frozenset(("mean", "fmean", "median", "mode", "stdev", "pstdev", "variance"))
_FILLING: Final = frozenset(("extend", "update"))
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp)
_ITERATED: Final[tuple[Any, ...]] = ([], (), {}, {}.values(), {}.items(), set(), "", range(0))
_ONCE: Final[tuple[type, ...]] = (
    *(GeneratorType, map, filter, zip, enumerate, reversed, csv.DictReader, type(csv.reader(io.StringIO()))),
    *(itertools.chain, itertools.islice, itertools.takewhile, itertools.dropwhile, itertools.filterfalse),
    *(itertools.starmap, itertools.accumulate, itertools.groupby, itertools.pairwise, itertools.product),
    *(itertools.permutations, itertools.combinations, itertools.compress, itertools.zip_longest),
    *(type(iter(one)) for one in _ITERATED),
)
"""Iterators that never start again."""


# ------------------------------------------------------------ errors


def _swallowed(running: Running, run: Run) -> bool:
    """`contextlib.suppress` with the class of an error that the last step inside has raised."""
    journal, kinds = running.journal, list[type]()
    for item in getattr(run.statement, "items", ()):
        call = item.context_expr
        if isinstance(call, ast.Call) and running.is_builtin(call, contextlib.suppress, run):
            for one in call.args:
                kinds += running.classes(one, run) or []
    inside = _lines(run.statement)[1:]
    last = None
    for step in _steps_after(running, run):
        if journal.line(step) not in inside:
            return last is not None and _is_raised(running, last, kinds)
        last = step
    return False


def _is_raised(running: Running, step: int, kinds: list[type]) -> bool:
    error = running.journal.raised.get(step)
    if error is None or ends_a_loop(running.journal, step):
        return False
    return any(one is kind for one in mro(type(error)) for kind in kinds)


def takes_the_place(running: Running, statement: ast.stmt) -> bool:
    """In a handler: it returns, or gives a value to what the error has kept from getting one."""
    runs = running.runs(statement)
    if not runs or isinstance(statement, ast.Return):
        return bool(runs)
    targets = {ast.unparse(one) for one in _targets(statement)}
    for one in ast.walk(_around(running, runs[-1])):
        if isinstance(one, ast.Try) and any(statement in statements_in(each.body) for each in one.handlers):
            stored = {ast.unparse(target) for part in statements_in(one.body) for target in _targets(part)}
            if targets & stored:
                return True
    return False


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AnnAssign) else []


# ------------------------------------------------------------ iterators


def _is_gone_through_twice(running: Running, run: Run) -> bool:
    """By lines that each go on to its end."""
    value, journal, readers = running.gave(run), running.journal, set[int]()
    if not exactly(value, *_ONCE):
        return False
    for step in range(run.last + 1, running.failing + 1):
        statement = journal.plan(step).statement
        if statement is None or id(statement) in readers:
            continue
        for text, _ in journal.plan(step).reads:
            if journal.read(step, text) is value and _goes_through(running, statement, step, text):
                readers.add(id(statement))
        if len(readers) > 1:
            return True
    return False


def _goes_through(running: Running, statement: ast.stmt, step: int, text: str) -> bool:
    journal = running.journal
    run = Run(statement, journal.frame(step), *journal.execution(journal.frame(step), step))
    if journal.frames[run.frame].code.co_name.startswith("<"):
        return False
    if isinstance(statement, ast.For | ast.AsyncFor) and ast.unparse(statement.iter) == text:
        return _comes_to_its_end(running, run)
    for node in running.nodes(run):
        if isinstance(node, _COMPREHENSIONS) and ast.unparse(node.generators[0].iter) == text:
            return True
        if isinstance(node, ast.Call) and any(ast.unparse(_gone_over(one)) == text for one in node.args):
            first = step not in journal.raised or _is_first(statement, node)
            if first and _consumes(running, node, run):
                return True
    return False


def _comes_to_its_end(running: Running, run: Run) -> bool:
    """A loop is left from its head, and not by what its body does."""
    journal, loop, head = running.journal, run.statement, True
    assert isinstance(loop, ast.For | ast.AsyncFor)
    for step in _steps_after(running, run):
        if journal.plan(step).statement is loop:
            head = step not in journal.raised or ends_a_loop(journal, step)
        elif journal.line(step) in lines_of(loop.body):
            head = False
        else:
            return head
    return head and journal.frames[run.frame].returned != NOBODY


def _gone_over(node: ast.expr) -> ast.expr:
    return node.generators[0].iter if isinstance(node, ast.GeneratorExp) else node


def _is_first(statement: ast.stmt, call: ast.Call) -> bool:
    """Of the calls of a statement, whichever of them has failed; those in it are of its rounds."""
    inside = {id(one) for one in ast.walk(call)}
    calls = [one for one in within(statement) if isinstance(one, ast.Call) and id(one) not in inside]
    return all(any(one is call for one in ast.walk(other)) for other in calls)


def _consumes(running: Running, call: ast.Call, run: Run) -> bool:
    """To the end."""
    held, name = running.receiver(call, run), name_of(call)
    joins = type(held) is str and name == "join"
    fills = exactly(held, *_CHANGED) and name in _FILLING
    counts = name in _STATISTICS and _is_of(running.named(call.func, run), "statistics")
    return joins or fills or counts or any(running.is_builtin(call, one, run) for one in _CONSUMERS)


def _is_of(function: Any, module: str) -> bool:
    name = function.__module__ if type(function) is FunctionType else None
    return type(name) is str and name == module


# ------------------------------------------------------------ loops


def _changes_what_it_goes_over(running: Running, run: Run) -> bool:
    """By a line in the loop, before it was left."""
    if not isinstance(run.statement, ast.For | ast.AsyncFor):
        return False
    held = running.value(run.statement.iter, run)
    if not exactly(held, *_CHANGED):
        return False
    versions = running.journal.versions(held, running.failing + 1)[1:]
    changed = {one.step for one in versions if one.seen is not None and one.seen >= run.first}
    for step in _steps_after(running, run):
        if running.journal.line(step) not in _lines(run.statement):
            return False
        if step in changed:
            return True
    return False


def _overwrites(running: Running, run: Run) -> bool:
    """A value that is not nothing, with another one."""
    new, journal = running.gave(run), running.journal
    names = journal.plan(run.first).binds
    for step in journal.steps_before(run.frame, run.first):
        if names & journal.plan(step).binds and step not in journal.raised:
            old = next(journal.bound(step, name) for name in names & journal.plan(step).binds)
            nothing = old is MISSING or old is None or is_empty(old) or (exactly(old, int, float) and not old)
            return new is not MISSING and not nothing and not same(old, new)
    return False


def leaves_in_the_first_round(running: Running, statement: ast.stmt) -> bool:
    """Whenever it ran."""
    runs = running.runs(statement)
    return bool(runs) and all(_is_in_first_round(running, run) for run in runs)


def _is_in_first_round(running: Running, run: Run) -> bool:
    journal = running.journal
    loop = next(iter(_loops(running, run)), None)
    if not isinstance(loop, _LOOPS):
        return False
    counted: ast.stmt = loop
    if isinstance(loop, ast.While) and isinstance(loop.test, ast.Constant):
        counted = loop.body[0]  # nothing is tested
        if isinstance(counted, (*_LOOPS, ast.With, ast.AsyncWith, ast.Try)):
            return False
    rounds = set[int]()
    for step in (run.first, *journal.steps_before(run.frame, run.first)):
        if journal.line(step) not in _lines(loop):
            break
        if journal.plan(step).statement is counted:
            rounds.add(journal.execution(run.frame, step)[0])
        if len(rounds) > 1:
            return False
    return len(rounds) == 1


def _loops(running: Running, run: Run) -> list[ast.stmt]:
    """Those around it in its function, the innermost first."""
    source = running.journal.source(running.journal.frames[run.frame].code)
    around = getattr(_around(running, run), "lineno", 0)
    found = source.enclosing(run.statement.lineno, _LOOPS)
    return [one for one in found if one.lineno > around and one is not run.statement]


def _around(running: Running, run: Run) -> ast.AST:
    source = running.journal.source(running.journal.frames[run.frame].code)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [one for one in source.enclosing(run.statement.lineno, kinds) if one is not run.statement]
    return found[0] if found else source.tree


# ------------------------------------------------------------ functions that a loop makes


def _reads_what_the_loop_changes(running: Running, run: Run) -> bool:
    """A name that is free in the function, and that got another value in a later round."""
    journal = running.journal
    free = {name for code in _made(journal.frames[run.frame].code, run) for name in code.co_freevars}
    if _comprehends(run.statement, free) and _is_of_several(running, run):
        return True
    loops = _loops(running, run)
    for name in free & {name for loop in loops for name in _stored(loop)}:
        old = next(_values_of(running, name, journal.steps_before(run.frame, run.first)), MISSING)
        after = itertools.takewhile(
            lambda step: journal.line(step) in _lines(loops[-1]), _steps_after(running, run)
        )
        if any(old is not MISSING and not same(old, new) for new in _values_of(running, name, after)):
            return True
    return False


def _values_of(running: Running, name: str, steps: Iterator[int]) -> Iterator[Any]:
    for step in steps:
        found = running.journal.bound(step, name)
        if found is not MISSING:
            yield found


def _made(code: CodeType, run: Run) -> Iterator[CodeType]:
    """The functions that a statement makes."""
    statement = run.statement
    defines = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
    wanted = statement.name if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) else "<lambda>"
    last = statement.lineno if defines else max(getattr(one, "lineno", 0) for one in within(statement))
    first = min([statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", ()))])
    for one in code.co_consts:
        if type(one) is CodeType and first <= one.co_firstlineno <= last:
            if one.co_name == wanted:
                yield one
            elif one.co_name.startswith("<"):
                yield from _made(one, run)


def _comprehends(statement: ast.stmt, free: set[str]) -> bool:
    return any(
        isinstance(node, ast.ListComp | ast.DictComp)
        and free & _stored(*(one.target for one in node.generators))
        for node in head_of(statement)
    )


def _is_of_several(running: Running, run: Run) -> bool:
    """It gave several functions."""
    value = running.gave(run)
    over = running.journal.next_in(run.frame, run.first)
    found = running.journal.version(value, over) if exactly(value, list, dict) else MISSING
    return found is not MISSING and sum(_has_code(part) for _, part in parts(found)) > 1


def _has_code(value: Any) -> bool:
    return any(issubclass(type(one), CODE) for one in (value if type(value) is tuple else (value,)))


def _stored(*nodes: ast.AST) -> set[str]:
    walked = (one for node in nodes for one in ast.walk(node))
    return {one.id for one in walked if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def _lines(statement: ast.stmt) -> range:
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def _steps_after(running: Running, run: Run) -> Iterator[int]:
    """Of its frame, up to the failing one."""
    steps = running.journal.frames[run.frame].steps
    return (step for step in steps if run.last < step <= running.failing)


TURNS: Final[dict[str, Callable[[Running, Run], bool]]] = {
    SWALLOWED: _swallowed,
    "seen: gave an iterator that is read twice": _is_gone_through_twice,
    "smells: overwrites what was added up": _overwrites,
    "way: closure of a loop": _reads_what_the_loop_changes,
    "way: goes over what it changes": _changes_what_it_goes_over,
}
"""By feature: whether the sentence about it is true of a run of the statement."""
