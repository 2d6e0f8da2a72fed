"""Whether what an operation of a line is said to do is what it did: with the values that it had."""

from __future__ import annotations

import ast
import datetime
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Final

from relive_capture.record.inspection import mro
from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.running import Run, Running, has
from relive_runtime.travel.causes.values import MISSING, exactly, parts

__all__ = ["OPERATIONS"]

_MAPPINGS: Final = (dict, OrderedDict, defaultdict)
_CHANGEABLE: Final = (list, dict, set, deque, bytearray)
_TESTED: Final = (ast.If, ast.While, ast.Assert)
_VALUES: Final = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)
_ITEMS: Final = 50
_LETTERS: Final = 3
"""Two are marks around a text, such as brackets."""


def _zero_is_nothing(running: Running, run: Run) -> bool:
    """A number that is zero was asked whether it is something."""
    for node in _tested(running, run):
        found = running.value(node, run) if isinstance(node, _VALUES) else MISSING
        if exactly(found, int, float) and found == 0:
            return True
    return False


def _tested(running: Running, run: Run) -> Iterator[ast.expr]:
    ran = list(running.nodes(run))
    ids = {id(node) for node in ran}
    tests: list[ast.expr] = [run.statement.test] if isinstance(run.statement, _TESTED) else []
    for node in ran:
        if isinstance(node, ast.IfExp):
            tests.append(node.test)
        elif isinstance(node, ast.BoolOp):
            tests += node.values[:-1]  # the last one is given as it is
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            tests.append(node.operand)
    while tests:
        node = tests.pop()
        if isinstance(node, ast.BoolOp):
            tests.append(node.values[-1])
        elif isinstance(node, ast.IfExp):
            tests += [node.body, node.orelse]
        elif id(node) in ids:
            yield node


def _counted_letters(running: Running, run: Run) -> bool:
    for call in running.calls(run):
        if running.is_builtin(call, len, run) and len(call.args) == 1:
            held = running.value(call.args[0], run)
            if type(held) is str and not held.isascii():
                return True
    return False


def _cut_letters(running: Running, run: Run) -> bool:
    """The bytes of a text in which letters have several."""
    for node in running.nodes(run):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            held = running.value(node.value, run) if isinstance(node.ctx, ast.Load) else MISSING
            if type(held) is bytes and not held.isascii() and _is_text(held):
                return True
    return False


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _found_nothing(running: Running, run: Run) -> bool:
    if running.calls_own(run):
        return False  # who knows what they have changed before
    calls = list(running.calls(run))
    for call in calls:
        if name_of(call) == "pop" and len(call.args) == 2:
            held = running.receiver(call, run)
            if sum(running.receiver(one, run) is held for one in calls) > 1:
                continue
            found = running.before(held, run) if exactly(held, *_MAPPINGS) else MISSING
            if has(found, running.value(call.args[0], run)) is False:
                return True
    return False


def _ordered_texts(running: Running, run: Run) -> bool:
    for call in running.calls(run):
        if len(call.args) != 1 or any(one.arg in ("key", None) for one in call.keywords):
            continue
        if not any(running.is_builtin(call, one, run) for one in (max, min, sorted)):
            continue
        found = running.given(call.args[0], run)
        if found is MISSING:
            continue
        pairs = [pair for pair, _ in zip(parts(found), range(_ITEMS), strict=False)]
        items = [part if type(found) is tuple else key for key, part in pairs]
        if len(items) > 1 and all(type(one) is str and any(map(str.isdigit, one)) for one in items):
            return True
    return False


def _counted_flag(running: Running, run: Run) -> bool:
    """What is asked whether it is a number is a flag, and nothing asks whether it is one."""
    calls = list(running.calls(run))
    for call in calls:
        if not running.is_builtin(call, isinstance, run) or len(call.args) != 2:
            continue
        kinds = running.classes(call.args[1], run) or []
        number = any(one is int for one in kinds) and not any(one is bool for one in kinds)
        if number and type(running.value(call.args[0], run)) is bool:
            return not any(
                isinstance(node, ast.Name) and node.id in ("bool", "type")
                for field in ("test", "value")
                for node in ast.walk(getattr(run.statement, field, None) or ast.Pass())
            )
    return False


def _time_without_zone(running: Running, run: Run) -> bool:
    value = running.gave(run)
    return type(value) is datetime.datetime and value.tzinfo is None


def _zone_alone(running: Running, run: Run) -> bool:
    """`replace` with a zone, and without the hour."""
    for call in running.calls(run):
        given = {one.arg: one.value for one in call.keywords}
        if name_of(call) != "replace" or call.args or None in given or "hour" in given:
            continue
        zone = given.get("tzinfo")
        if zone is not None and _is_zone(running, zone, run) and _is_time(running, call, run):
            return True
    return False


def _is_zone(running: Running, node: ast.expr, run: Run) -> bool:
    kind = running.named(node.func, run) if isinstance(node, ast.Call) else MISSING
    if issubclass(type(kind), type):
        return _is_made_of(kind, datetime.tzinfo)
    found = running.named(node, run)
    found = running.value(node, run) if found is MISSING else found
    return found is not MISSING and _is_made_of(type(found), datetime.tzinfo)


def _is_made_of(kind: Any, base: type) -> bool:
    return any(one is base for one in mro(kind))


def _is_time(running: Running, call: ast.Call, run: Run) -> bool:
    """A method of a time of day: of one that is known, or that the class has just given."""
    held = running.receiver(call, run)
    if exactly(held, datetime.datetime, datetime.time):
        return True
    made = call.func.value if isinstance(call.func, ast.Attribute) else None
    if held is not MISSING or not isinstance(made, ast.Call):
        return False
    kind = running.receiver(made, run)
    return kind is datetime.datetime or kind is datetime.time


def _left_letters_out(running: Running, run: Run) -> bool:
    """A text's or bytes' own method, with what to do about letters that do not fit."""
    for call in running.calls(run):
        name = name_of(call)
        if name not in ("encode", "decode") or any(one.arg is None for one in call.keywords):
            continue
        given = next((one.value for one in call.keywords if one.arg == "errors"), None)
        given = call.args[1] if len(call.args) == 2 else given
        how = MISSING if given is None else running.value(given, run)
        if type(how) is not str or how not in ("ignore", "replace"):
            continue
        held = running.receiver(call, run)
        if exactly(held, str, bytes, bytearray) or running.is_of_library(call, run):
            return True
    return False


def _cut_off_letters(running: Running, run: Run) -> bool:
    """A text's own method, with several letters."""
    for call in running.calls(run):
        if name_of(call) in ("strip", "lstrip", "rstrip") and len(call.args) == 1 and not call.keywords:
            given, held = running.value(call.args[0], run), running.receiver(call, run)
            if not exactly(given, str, bytes) or len(set(given)) < _LETTERS:
                continue
            if type(held) is type(given) or running.is_of_library(call, run):
                return True
    return False


def _one_page_more(running: Running, run: Run) -> bool:
    """`total // size + 1`, and nothing was left over. What takes one off before is right."""
    for node in running.nodes(run):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
            continue
        part = node.left
        if not isinstance(part, ast.BinOp) or not isinstance(part.op, ast.FloorDiv):
            continue
        if not (isinstance(node.right, ast.Constant) and node.right.value == 1):
            continue
        total, size = running.value(part.left, run), running.value(part.right, run)
        whole = type(total) is int and type(size) is int and size != 0 and total % size == 0
        if whole and not isinstance(part.left, ast.BinOp):
            return True
    return False


def _gave_nothing_for_a_change(running: Running, run: Run) -> bool:
    call = getattr(run.statement, "value", None)
    if not isinstance(call, ast.Call) or running.gave(run) is not None:
        return False
    return exactly(running.receiver(call, run), *_CHANGEABLE)


def _grouped_neighbours(running: Running, run: Run) -> bool:
    """`itertools.groupby`, in a function that puts nothing in order."""
    code = running.journal.frames[run.frame].code
    source = running.journal.source(code)
    around = source.enclosing(run.statement.lineno, (ast.FunctionDef, ast.AsyncFunctionDef))
    for node in ast.walk(around[0] if around else source.tree):
        if isinstance(node, ast.Call) and name_of(node) in ("sorted", "sort"):
            return False
    return any(running.is_builtin(call, groupby, run) for call in running.calls(run))


OPERATIONS: Final[dict[str, Callable[[Running, Run], bool]]] = {
    "near falsy": _zero_is_nothing,
    "seen: counted letters, not bytes": _counted_letters,
    "seen: cut bytes": _cut_letters,
    "seen: found nothing to take out": _found_nothing,
    "seen: gave a time without a zone": _time_without_zone,
    "seen: ordered numbers as texts": _ordered_texts,
    "seen: took a flag for a number": _counted_flag,
    "smells: cuts letters off": _cut_off_letters,
    "way: counts pages": _one_page_more,
    "way: groups what is in no order": _grouped_neighbours,
    "way: leaves letters out": _left_letters_out,
    "way: replaces the time zone": _zone_alone,
    "way: takes the result of a change": _gave_nothing_for_a_change,
}
"""By feature: whether the sentence about it is true of a run of the statement."""
