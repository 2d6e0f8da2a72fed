"""What of a statement has certainly run, with what it was given and which function it has called."""

from __future__ import annotations

import ast
import builtins
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from relive_capture.record.inspection import mro
from relive_runtime.travel.causes.evaluation import combined
from relive_runtime.travel.causes.following import Following, bool_of
from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.indexes import Choices
from relive_runtime.travel.causes.journal import COMPREHENSIONS, Version
from relive_runtime.travel.causes.statements import plain
from relive_runtime.travel.causes.values import MISSING, attribute, exactly, is_plain, parts

__all__ = ["Run", "Running"]

_RUNS: Final = 60
"""Of a statement, the last ones are looked at."""
_ITEMS: Final = 200
"""A journal knows no more of a container that is large."""
_LARGEST: Final = 10**18
"""Python may refuse to write longer ones."""
_BODIES: Final = frozenset(("body", "orelse", "finalbody", "handlers", "cases"))
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_CONTAINERS: Final = (list, dict, set, tuple, deque, OrderedDict, defaultdict)
_TEXTS: Final = frozenset(("find", "rfind", "count"))


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a statement, from its first to its last step."""

    statement: ast.stmt
    frame: int
    first: int
    last: int


class Running:
    """Over one journal, up to the failing step. What is not known for certain is not told."""

    def __init__(self, following: Following, choices: Choices, failing: int) -> None:
        self.following = following
        self.journal = following.journal
        self.failing = failing
        self._choices = choices
        self._born: dict[int, list[list[Version]]] | None = None

    def born(self, run: Run) -> list[list[Version]]:
        """The versions of each object that a run has made, also in its comprehensions."""
        journal = self.journal
        if self._born is None:
            self._born = {}
            for versions in journal.history.values():
                self._born.setdefault(versions[0].step, []).append(versions)
        steps = {*range(run.first, run.last + 1)}
        for number in journal.called_in(run.frame, run.first):
            if journal.frames[number].code.co_name in COMPREHENSIONS:
                steps.update(journal.frames[number].steps)
        return [versions for step in steps for versions in self._born.get(step, ())]

    def runs(self, statement: ast.stmt) -> list[Run]:
        """Its last ones, the oldest first: those that an error has ended are left out, and so are the rounds
        of a loop after the first, and what leaves a `with`: there, nothing of its head runs again."""
        journal, found = self.journal, dict[tuple[int, int], Run]()
        for step in self._choices.steps_of(statement)[::-1]:
            frame = journal.frame(step)
            first, last = journal.execution(frame, step)
            done = last <= self.failing and not any(one in journal.raised for one in (step, first, last))
            if not done or (frame, first) in found or journal.frames[frame].code.co_name.startswith("<"):
                continue
            if not self._goes_on(statement, frame, first):
                found[frame, first] = Run(statement, frame, first, last)
            if len(found) >= _RUNS:
                break
        return list(found.values())[::-1]

    def _goes_on(self, statement: ast.stmt, frame: int, step: int) -> bool:
        if not isinstance(statement, ast.For | ast.AsyncFor | ast.With | ast.AsyncWith):
            return False
        before = next(self.journal.steps_before(frame, step), None)
        if before is None:
            return False
        line = self.journal.line(before)
        return statement.lineno <= line <= (statement.end_lineno or line)

    # ------------------------------------------------------------ what ran

    def nodes(self, run: Run) -> Iterator[ast.AST]:
        """Its expressions that ran: not the arm of an `if` that was not taken, and nothing that runs later
        or several times, in a lambda or in a comprehension."""
        for name, value in ast.iter_fields(run.statement):
            if name not in _BODIES:
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, ast.AST):
                        yield from self._ran(item, run)

    def _ran(self, node: ast.AST, run: Run) -> Iterator[ast.AST]:
        yield node
        for part in self._parts(node, run):
            yield from self._ran(part, run)

    def _parts(self, node: ast.AST, run: Run) -> list[ast.AST]:
        if isinstance(node, ast.Lambda):
            return [one for one in (*node.args.defaults, *node.args.kw_defaults) if one is not None]
        if isinstance(node, _COMPREHENSIONS):
            return [node.generators[0].iter]
        if isinstance(node, ast.IfExp):
            holds = self.truth(node.test, run)
            return [node.test, *([] if holds is None else [node.body if holds else node.orelse])]
        if isinstance(node, ast.BoolOp):
            found: list[ast.AST] = []
            for one in node.values:
                found.append(one)
                if self.truth(one, run) is not isinstance(node.op, ast.And):
                    break
            return found
        if isinstance(node, ast.Compare):
            return [node.left, node.comparators[0]]
        return list(ast.iter_child_nodes(node))

    def calls(self, run: Run) -> Iterator[ast.Call]:
        """The calls that ran."""
        return (node for node in self.nodes(run) if isinstance(node, ast.Call))

    # ------------------------------------------------------------ values

    def value(self, node: ast.expr, run: Run) -> Any:
        """What an expression of it gave; MISSING: not known."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Call):
            return self._of_call(node, run)
        if plain(node):
            return self._read(node, run)
        if isinstance(node, ast.BinOp):
            return combined(node.op, self.value(node.left, run), self.value(node.right, run))
        return self._text(node, run) if isinstance(node, ast.JoinedStr) else MISSING

    def _text(self, node: ast.JoinedStr, run: Run) -> Any:
        """Put together of plain texts and numbers."""
        found = list[str]()
        for part in node.values:
            given = part.value if isinstance(part, ast.FormattedValue) else part
            value = self.value(given, run)
            shaped = isinstance(part, ast.FormattedValue) and (part.format_spec or part.conversion >= 0)
            short = type(value) is str or (type(value) is int and abs(value) < _LARGEST)
            if shaped or not short:
                return MISSING
            found.append(str(value))
        return "".join(found)

    def _read(self, node: ast.expr, run: Run) -> Any:
        """What it was before the run, unless it may have become another one meanwhile."""
        names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        if any(isinstance(one, ast.NamedExpr) and one.target.id in names for one in ast.walk(run.statement)):
            return MISSING
        if not self._is_local(node, run) and self.calls_own(run):
            return MISSING
        return self.journal.read(run.first, ast.unparse(node))

    def _is_local(self, node: ast.expr, run: Run) -> bool:
        """No other function can change it."""
        code = self.journal.frames[run.frame].code
        return isinstance(node, ast.Name) and node.id in code.co_varnames and node.id not in code.co_cellvars

    def calls_own(self, run: Run) -> bool:
        """It has run functions of the application, who knows which of its names they have changed."""
        frames = self.journal.frames
        called = self.journal.called_in(run.frame, run.first)
        return any(frames[number].code.co_name not in COMPREHENSIONS for number in called)

    def _of_call(self, node: ast.Call, run: Run) -> Any:
        if self.is_builtin(node, len, run):
            return self._size(self.value(node.args[0], run), run) if len(node.args) == 1 else MISSING
        held = self.receiver(node, run)
        name = name_of(node)
        if type(held) is str and name in _TEXTS and len(node.args) == 1:
            part = self.value(node.args[0], run)
            return getattr(held, name)(part) if type(part) is str else MISSING
        if type(held) is str and name == "encode" and not node.keywords:
            given = [self.value(one, run) for one in node.args]
            known = all(type(one) is str and one == "utf-8" for one in given[:1]) and len(given) < 2
            return held.encode() if known and held.isprintable() else MISSING
        if held is not MISSING and is_plain(held):
            return MISSING
        frames = self.following.frames
        if frames.code_of(node.func, run.first) is None:
            return MISSING
        number = frames.run_by(node, run.frame, run.first)
        return MISSING if number is None else self.journal.outcome(number)

    def _size(self, held: Any, run: Run) -> Any:
        if exactly(held, str, bytes):
            return len(held)
        found = self.before(held, run)
        return MISSING if found is MISSING else len(found)

    def before(self, held: Any, run: Run) -> Any:
        """What was in a plain container before the run; MISSING: not known, or too much."""
        if not exactly(held, *_CONTAINERS):
            return MISSING
        found = self.journal.version(held, run.first)
        return MISSING if found is MISSING or len(found) >= _ITEMS else found

    def given(self, node: ast.expr, run: Run) -> Any:
        """What was in a container that an expression gave: maybe one that was made for it."""
        held = self.value(node, run)
        found = self.before(held, run)
        if found is MISSING and isinstance(node, ast.Call) and exactly(held, *_CONTAINERS):
            found = self.journal.version(held, self.journal.next_in(run.frame, run.first))
        return found

    def truth(self, node: ast.expr, run: Run) -> bool | None:
        """Whether an expression counted as true; None: not known."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.truth(node.operand, run)
            return None if inner is None else not inner
        if isinstance(node, ast.BoolOp):
            stops = isinstance(node.op, ast.Or)
            known = [self.truth(one, run) for one in node.values]
            ran = known[: known.index(stops) + 1] if stops in known else known
            return None if None in ran else ran[-1]
        if isinstance(node, ast.Compare):
            return self._comparison(node, run) if len(node.ops) == 1 else None
        if isinstance(node, ast.Call) and self.is_builtin(node, isinstance, run):
            return self.is_of(node, run)
        found = self.value(node, run)
        if exactly(found, *_CONTAINERS):
            inside = self.before(found, run)
            return None if inside is MISSING else bool(len(inside))
        return bool_of(found)

    def _comparison(self, node: ast.Compare, run: Run) -> bool | None:
        left, right = self.value(node.left, run), self.value(node.comparators[0], run)
        if left is MISSING or right is MISSING:
            return None
        op = node.ops[0]
        if isinstance(op, ast.Is | ast.IsNot):
            return (left is right) is isinstance(op, ast.Is)
        if isinstance(op, ast.In | ast.NotIn):
            found = has(self.before(right, run), left)
            return found if found is None else found is isinstance(op, ast.In)
        if not is_plain(left) or not is_plain(right):
            return None
        try:
            return bool(_ORDERS[type(op)](left, right))
        except TypeError:
            return None

    def is_of(self, node: ast.Call, run: Run) -> bool | None:
        """What `isinstance` said of a plain value."""
        if len(node.args) != 2 or node.keywords:
            return None
        first, kinds = self.value(node.args[0], run), self.classes(node.args[1], run)
        if first is MISSING or not is_plain(first) or kinds is None:
            return None
        return any(one is kind for one in mro(type(first)) for kind in kinds)

    # ------------------------------------------------------------ functions and classes

    def named(self, node: ast.expr, run: Run) -> Any:
        """What a name or an attribute was, also of the builtin names; MISSING: not known."""
        if isinstance(node, ast.Name):
            found = self.journal.read(run.first, node.id)
            known = any(text == node.id for text, _ in self.journal.plan(run.first).reads)
            return vars(builtins).get(node.id, MISSING) if found is MISSING and known else found
        if isinstance(node, ast.Attribute):
            base = self.named(node.value, run)
            holds = issubclass(type(base), (ModuleType, type))  # of others, it may have changed since
            return attribute(base, node.attr) if holds else MISSING
        return MISSING

    def is_builtin(self, call: ast.Call, function: object, run: Run) -> bool:
        """It calls just this function or class, and not another one of the name."""
        return self.named(call.func, run) is function

    def receiver(self, call: ast.Call, run: Run) -> Any:
        """What a method is called on: a class or module, too. MISSING: no method, or not known."""
        if not isinstance(call.func, ast.Attribute):
            return MISSING
        found = self.named(call.func.value, run)
        return self.value(call.func.value, run) if found is MISSING else found

    def is_of_library(self, call: ast.Call, run: Run) -> bool:
        """A method of no module, class or object of the application's, although it is not known of what."""
        held = self.receiver(call, run)
        if held is not MISSING or not isinstance(call.func, ast.Attribute):
            return False
        journal = self.journal
        called = (journal.frames[number].code for number in journal.called_in(run.frame, run.first))
        return all(code.co_name != call.func.attr for code in called)

    def classes(self, node: ast.expr, run: Run) -> list[type] | None:
        """Those that an expression names, one or several; None: not known."""
        if isinstance(node, ast.Tuple):
            found = [self.classes(one, run) for one in node.elts]
            return None if None in found else [kind for one in found if one is not None for kind in one]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            sides = self.classes(node.left, run), self.classes(node.right, run)
            return None if sides[0] is None or sides[1] is None else sides[0] + sides[1]
        held = self.named(node, run)
        items = held if type(held) is tuple else (held,)
        return list(items) if all(type(one) is type for one in items) else None

    # ------------------------------------------------------------ what it gave

    def gave(self, run: Run) -> Any:
        """What it has given to its name, or returned; MISSING: not known, or several."""
        journal, statement = self.journal, run.statement
        if isinstance(statement, ast.Return):
            entry = journal.frames[run.frame]
            return entry.result if run.first <= entry.returned <= run.last else MISSING
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign | ast.AugAssign) and statement.value is not None:
            target = statement.target
        else:
            return MISSING
        if not isinstance(target, ast.Name):
            return MISSING
        found = journal.bound(run.last, target.id)
        return journal.bound(run.first, target.id) if found is MISSING else found


def has(found: Any, key: Any) -> bool | None:
    """Of the contents of a container; None: only code of somebody's own could tell."""
    if found is MISSING or not _compares_plainly(key):
        return None
    keys = [part if type(found) is tuple else name for name, part in parts(found)]
    if any(_compares_plainly(one) and one == key for one in keys):
        return True
    return False if all(map(_compares_plainly, keys)) else None


def _compares_plainly(key: Any) -> bool:
    return all(map(_compares_plainly, key)) if type(key) is tuple else is_plain(key)


_ORDERS: Final[dict[type[ast.cmpop], Any]] = {
    ast.Eq: lambda left, right: left == right,
    ast.NotEq: lambda left, right: left != right,
    ast.Lt: lambda left, right: left < right,
    ast.LtE: lambda left, right: left <= right,
    ast.Gt: lambda left, right: left > right,
    ast.GtE: lambda left, right: left >= right,
}
