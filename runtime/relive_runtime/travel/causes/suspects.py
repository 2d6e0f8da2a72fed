"""Which of the values that a failing line has read it stumbled over, by what its exception says."""

from __future__ import annotations

import ast
import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import ModuleType
from typing import Any, Final

from relive_capture.record.inspection import class_dict, module_name, mro, plain_name
from relive_runtime.travel.causes.badness import Bad, bad_of, is_empty
from relive_runtime.travel.causes.following import Following
from relive_runtime.travel.causes.places import Read, parts_read
from relive_runtime.travel.causes.statements import conditions
from relive_runtime.travel.causes.values import CODE, MISSING, defined, exactly, has_method, parts, same
from relive_runtime.travel.watch import shown

__all__ = ["Failing", "Suspect", "suspects"]

_QUOTED_TYPE: Final = re.compile(
    r"'([A-Za-z_][\w.]*)'|\bnot \"?([A-Za-z_]\w*)\"?|concatenate (\w+)|(\w+) found|of type '(\w+)'"
)


_ARGUMENTS: Final[Callable[[BaseException], tuple[Any, ...]]] = class_dict(BaseException)["args"].__get__
_WORDS: Final = re.compile(r"\w+")
_NUMBER: Final = re.compile(r"\s*[-+]?[0-9][0-9_,.]*\s*")
"""A number that was left as text."""


@dataclass(frozen=True, slots=True)
class Failing:
    """The line that failed. `node`: the expression that did; None: it is not known which. `beside`: so many
    others of its exception group failed, too."""

    error: BaseException | None
    message: str
    frame: int
    step: int
    statement: ast.stmt | None
    node: ast.expr | None
    beside: int = 0


@dataclass(frozen=True, slots=True)
class Suspect:
    """`weight`: how well it explains the failure, over what the way back shows. `key`: a missing one, of the
    container in `read`; `index`: one that is out of range."""

    read: Read
    bad: Bad
    weight: float = 0.0
    key: Read | None = None


def suspects(failing: Failing, following: Following) -> list[Suspect]:
    """The likeliest first."""
    statement = failing.statement
    raised_here = isinstance(statement, ast.Raise | ast.Assert) and not isinstance(failing.node, ast.Call)
    if raised_here or isinstance(statement, ast.Assert):
        found = _of_conditions(failing, following)
        if found:
            return found
    kind = next((name for name in map(plain_name, mro(type(failing.error))) if name in _BY_KIND), None)
    found = _BY_KIND[kind](failing, following) if kind is not None else []
    return found or _general(failing, following)


# ------------------------------------------------------------ what a condition has read


def _of_conditions(failing: Failing, following: Following) -> list[Suspect]:
    journal = following.journal
    found: list[Suspect] = []
    if isinstance(failing.statement, ast.Assert):
        return _of_test(failing.statement.test, failing.frame, failing.step, following)
    source = journal.source(journal.frames[failing.frame].code)
    around = source.enclosing(journal.line(failing.step), (ast.If, ast.While, ast.Match))
    weight = 0.0
    for step in journal.steps_before(failing.frame, failing.step):
        statement = journal.plan(step).statement
        test = conditions(statement)
        if test is None or (around and statement not in around and not _leads_on(statement, around)):
            continue
        found += _of_test(test, failing.frame, step, following, weight)
        weight -= 1.0
        if around and statement is around[0]:
            break
        if len(found) > 6:
            break
    if isinstance(failing.statement, ast.Raise) and failing.statement.exc is not None:
        for part in parts_read(failing.statement.exc):
            found += _plain_suspects([part], failing.frame, failing.step, following, -1.5)
    return found


def _leads_on(statement: ast.stmt | None, around: list[ast.stmt]) -> bool:
    """An `if` whose `else` leads to one of them."""
    return isinstance(statement, ast.If) and any(one in statement.orelse for one in around)


def _of_test(
    test: ast.expr, frame: int, step: int, following: Following, weight: float = 0.0
) -> list[Suspect]:

    def known(call: ast.Call) -> bool:
        return following.value_of(call, frame, step) is not MISSING

    found = _plain_suspects(parts_read(test, known), frame, step, following, weight)
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            key = following.read(node.left, frame, step)
            held = following.read(node.comparators[-1], frame, step)
            if isinstance(node.ops[0], ast.In) and key.value is not MISSING:
                found.append(Suspect(key, bad_of(key.value), weight + 1))  # it should not have been there
            if isinstance(node.ops[0], ast.NotIn) and held.value is not MISSING and key.value is not MISSING:
                found.append(Suspect(held, bad_of(held.value), weight + 1, key))
    return found


def _plain_suspects(
    nodes: list[ast.expr], frame: int, step: int, following: Following, weight: float = 0.0
) -> list[Suspect]:
    found: list[Suspect] = []
    for node in nodes:
        read = following.read(node, frame, step)
        if read.value is MISSING or _of_module(read, following):
            continue
        extra = 3.0 if read.value is None else 0.0
        extra -= (
            0.5
            * isinstance(node, ast.Name)
            * (module_name(type(read.value)) not in ("builtins", "datetime", "decimal"))
        )
        found.append(Suspect(read, bad_of(read.value), weight + extra))
    return found


# ------------------------------------------------------------ by the kind of the exception


def _attribute(failing: Failing, following: Following) -> list[Suspect]:
    node = failing.node
    while isinstance(node, ast.Call):
        node = node.func
    if not isinstance(node, ast.Attribute):
        return []
    return [_certain(following.read(node.value, failing.frame, failing.step))]


def _certain(read: Read, key: Read | None = None, *, whole: bool = False) -> Suspect:
    return Suspect(read, bad_of(read.value, whole=whole), 20.0, key)


def _type(failing: Failing, following: Following) -> list[Suspect]:
    """Those whose type the message names, None before text before others."""
    found = _operands(failing, following)
    named = {name for groups in _QUOTED_TYPE.findall(failing.message) for name in groups if name}
    if "offset-naive" in failing.message:
        naive = [read for read in found if _is_naive(read.value)]
        return [Suspect(read, Bad("naive", _is_naive), 20.0) for read in naive]
    rated: list[Suspect] = []
    for read in found:
        kind = plain_name(type(read.value))
        points = 20.0 if kind in named else 0.0
        points += {"NoneType": 4.0, "str": 2.0}.get(kind, 0.0) if points else 0.0
        points += 4.0 if points and kind == "str" and _NUMBER.fullmatch(read.value) else 0.0
        points += 3.0 if f'(not "{kind}")' in failing.message or f"not {kind}" in failing.message else 0.0
        points += 5.0 if points and _is_operand(read.node, failing.node) else 0.0
        if points:
            rated.append(Suspect(read, _typed(read.value), points))
    for read in found if not rated else ():
        rated += _elements(read, named, following)
    return sorted(rated, key=lambda one: -one.weight)


def _is_operand(node: ast.expr, failing: ast.expr | None) -> bool:
    """What is deeper in an operation was gone through already, and did not fail."""
    return isinstance(failing, ast.BinOp) and (node is failing.left or node is failing.right)


def _typed(value: Any) -> Bad:
    """Of another type than it should be: that which has made it so is to blame."""
    return bad_of(value) if value is None else Bad("type", lambda one: same(one, value))


def _is_naive(value: Any) -> bool:
    kind = next((one for one in (datetime.datetime, datetime.time) if issubclass(type(value), one)), None)
    return kind is not None and defined(kind, "tzinfo").__get__(value) is None


def _elements(read: Read, named: set[str], following: Following) -> list[Suspect]:
    """Of a container: what a call has stumbled over when it went through it."""
    held = following.journal.version(read.value, read.step)
    if held is MISSING:
        return []
    odd = [(key, part) for key, part in parts(held) if plain_name(type(part)) in named]
    if not odd:
        return []
    key, part = min(odd, key=lambda pair: pair[1] is not None)
    inner = Read(read.node, read.frame, read.step, part, (key,))
    return [Suspect(inner, bad_of(part, whole=True), 18.0)]


def _operands(failing: Failing, following: Following) -> list[Read]:
    """What the failing expression was made of; calls in it by what they gave back."""
    if failing.node is None:
        nodes = parts_read(failing.statement) if failing.statement is not None else []
    else:
        nodes = parts_read(failing.node)
        if isinstance(failing.node, ast.Subscript | ast.Attribute):
            nodes.insert(0, failing.node.value)
    reads = [following.read(node, failing.frame, failing.step) for node in nodes]
    named = "'method'" in failing.message or "function" in failing.message or '"method"' in failing.message
    return [
        read for read in reads if read.value is not MISSING and (named or not _of_module(read, following))
    ]


def _of_module(read: Read, following: Following) -> bool:
    """`datetime.timezone.utc`, or code."""
    node = read.node
    while isinstance(node, ast.Attribute):
        attribute, node = node.attr, node.value
        if issubclass(type(following.value_of(node, read.frame, read.step)), (ModuleType, type)):
            return not following.is_set(attribute, read.step)
    return issubclass(type(read.value), CODE)


def _key(failing: Failing, following: Following) -> list[Suspect]:
    for node in ast.walk(failing.node) if failing.node is not None else ():
        held = key = None
        if isinstance(node, ast.Subscript):
            held, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            held, key = node.func.value, node.args[0]
        if held is not None and key is not None:
            wanted = following.read(key, failing.frame, failing.step)
            if wanted.value is MISSING:
                given = _ARGUMENTS(failing.error) if failing.error is not None else ()
                wanted = Read(key, failing.frame, failing.step, given[0] if given else MISSING)
            return [_certain(following.read(held, failing.frame, failing.step), wanted)]
    return []


def _zero(failing: Failing, following: Following) -> list[Suspect]:
    node = failing.node
    if isinstance(node, ast.BinOp):
        read = following.read(node.right, failing.frame, failing.step)
        zero = Bad("zero", _is_nothing)
        return [
            Suspect(
                Read(node.right, read.frame, read.step, 0 if read.value is MISSING else read.value),
                zero,
                20.0,
            )
        ]
    return []


def _is_nothing(value: Any) -> bool:
    """Zero, empty, or full of zeros."""
    if exactly(value, list, tuple):
        return all(map(_is_zero, value))
    return _is_zero(value) or is_empty(value)


def _is_zero(value: Any) -> bool:
    return exactly(value, int, float, bool, Decimal, Fraction) and value == 0


def _value(failing: Failing, following: Following) -> list[Suspect]:
    """By the values in the message; what is unpacked; what is empty."""
    found = _operands(failing, following)
    message, rated = failing.message, list[Suspect]()
    if "unpack" in message and failing.statement is not None:
        value = getattr(failing.statement, "value", None) or getattr(failing.statement, "iter", None)
        if isinstance(value, ast.expr):
            read = following.read(value, failing.frame, failing.step)
            rated.append(Suspect(read, _shape(read.value), 20.0))
            return rated
    for read in found:
        text = _shown(read.value)
        points = 15.0 if text and text in message else 0.0
        if "empty" in message and (is_empty(read.value) or has_method(read.value, "__next__")):
            points = max(points, 16.0)
        points = max(points, 12.0 if _is_named(read, failing) else 0.0)
        if points:
            rated.append(Suspect(read, _iterated(read.value), points))
    return sorted(rated, key=lambda one: -one.weight)


def _is_named(read: Read, failing: Failing) -> bool:
    """The message has the name of it, or of the parameter that it was passed to."""
    names = {read.text.rsplit(".", 1)[-1]}
    for node in ast.walk(failing.node) if failing.node is not None else ():
        if isinstance(node, ast.keyword) and node.arg is not None and node.value is read.node:
            names.add(node.arg)
    words = set(_WORDS.findall(failing.message))
    return any(len(name) > 2 and name in words for name in names)


def _iterated(value: Any) -> Bad:
    if has_method(value, "__next__"):
        return Bad("used up", lambda one: one is value)
    return bad_of(value)


def _shape(value: Any) -> Bad:
    """It has another number of parts than it should have."""
    sized = exactly(value, list, tuple, dict)
    return Bad("shape", lambda one: sized and exactly(one, list, tuple, dict) and len(one) == len(value))


def _shown(value: Any) -> str:
    kind = type(value)
    return shown(value) if kind is str or kind is int or kind is float else ""


def _unicode(failing: Failing, following: Following) -> list[Suspect]:
    kinds = (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)
    kind = next((one for one in kinds if issubclass(type(failing.error), one)), None)
    broken = defined(kind, "object").__get__(failing.error) if kind is not None else None
    found = [read for read in _operands(failing, following) if type(read.value) is type(broken)]
    return [_certain(read) for read in found if same(read.value, broken)] or [
        _certain(read) for read in found
    ]


def _index(failing: Failing, following: Following) -> list[Suspect]:
    node = failing.node
    if isinstance(node, ast.Subscript):
        held = following.read(node.value, failing.frame, failing.step)
        return [_certain(held, following.read(node.slice, failing.frame, failing.step))]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return [_certain(following.read(node.func.value, failing.frame, failing.step))]
    return []


def _general(failing: Failing, following: Following) -> list[Suspect]:
    """By what stands out, and what the message names."""
    rated: list[Suspect] = []
    for read in _operands(failing, following):
        if issubclass(type(read.value), CODE):
            continue
        text = _shown(read.value)
        points = 6.0 if text and len(text) > 2 and text in failing.message else 0.0
        points += 6.0 if read.value is None else 2.0 if is_empty(read.value) else 0.0
        rated.append(Suspect(read, bad_of(read.value), points))
    return sorted(rated, key=lambda one: -one.weight)


_BY_KIND: Final[dict[str, Callable[[Failing, Following], list[Suspect]]]] = {
    "AttributeError": _attribute,
    "TypeError": _type,
    "KeyError": _key,
    "ZeroDivisionError": _zero,
    "UnicodeError": _unicode,
    "ValueError": _value,
    "IndexError": _index,
}
