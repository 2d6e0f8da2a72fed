"""Where the values of a failing line come from: the chain of their origins, as far as it can be followed."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable
from types import CodeType, TracebackType
from typing import Final

from relive_runtime.debugger.chain import exception_chain, exception_name, traceback_of
from relive_runtime.travel.calls import Calls, has_default, passed_to
from relive_runtime.travel.messages import Change
from relive_runtime.travel.origins import Link, Why, root_of
from relive_runtime.travel.reading import Filled, Source, element_of, gives, open_keys, reads, taken_from
from relive_runtime.travel.runs import Runs
from relive_runtime.travel.suspects import CODE, Complaint, worst
from relive_runtime.travel.trail import NOBODY, Trail
from relive_runtime.worker.start.namesakes import originals

__all__ = ["Link", "Why", "why"]

_HOPS: Final = 12
_LOOKED_AT: Final = 1_000
"""Of a longer list it is not sought which element a loop was at: that is looked for at each step."""
_TELLING: Final = frozenset(("None", "nan", "inf", "-inf"))
"""Values that few functions give back: the one that did so while a line ran is where the line has it from."""
_PLAIN: Final = (str, bytes, int, float, bool, type(None))


def why(
    runs: Runs,
    trail: Trail,
    failure: BaseException | None,
    at: int,
    expression: str,
    own: Callable[[str], bool],
    frame: int,
) -> Why:
    """Of `expression`, or of what the line at step `at` reads; of `failure` at its failing line. Raises
    Gone."""
    return _Following(runs, trail, own).start(failure, at, expression, frame)


class _Following:
    def __init__(self, runs: Runs, trail: Trail, own: Callable[[str], bool]) -> None:
        self._runs = runs
        self._trail = trail
        self._own = own
        self._sources: dict[str, Source] = {}
        self._calls = Calls(runs, trail, self._source)
        self._complaint: Complaint | None = None

    def start(self, failure: BaseException | None, at: int, expression: str, frame: int) -> Why:
        wanted, node = [expression] if expression else [], None
        if failure is not None:
            error, at, trace = self._first_cause(failure, at)
            self._complaint = _complaint(error)
            if not wanted:
                frame = self._trail.frame(at)
                wanted, node = self._of_failure(trace, at)
        elif not wanted:
            frame = self._trail.frame(at)
            wanted = reads(self._statement(at))
        found = Why(at)
        called = self._calls.in_expression(node, frame, at)
        if not wanted and not called:
            found.note = "this line reads no value that could be followed"
            return found
        values = self._values(wanted, frame, at)
        index = worst([*values, *((one.text, one.result) for one in called)], self._complaint)
        if index is None:
            found.note = f"none of {', '.join(wanted[:5])} has a value that could be followed"
        elif index < len(values):
            name, change = values[index]
            assert change is not None
            self._follow(found, name, change, frame, at)
        else:
            one = called[index - len(values)]
            self._go_on(found, self._from_return(found, one.result.text, one.frame))
        return found

    # ------------------------------------------------------------ the failing line

    def _first_cause(
        self, failure: BaseException, at: int
    ) -> tuple[BaseException, int, TracebackType | None]:
        """The exception that all began with, its step, and the entry of its traceback."""
        for error in exception_chain(failure):
            trace, found = traceback_of(error), None
            while trace is not None:
                if self._own(trace.tb_frame.f_code.co_filename):
                    found = trace
                trace = trace.tb_next
            if found is not None:
                step = self._trail.last_at(found.tb_frame.f_code, found.tb_lineno)
                if step is not None:
                    return error, step, found
        return failure, at, None

    def _of_failure(self, trace: TracebackType | None, at: int) -> tuple[list[str], ast.expr | None]:
        """What the failing expression reads, and that expression; None if it is not known which it is."""
        statement = self._statement(at)
        source, line = self._source(self._trail.code(at)), self._trail.line(at)
        if isinstance(statement, ast.Assert):
            return reads(statement.test), statement.test
        if isinstance(statement, ast.Raise):
            found = [name for test in source.guards(line) for name in reads(test)]
            return list(dict.fromkeys([*found, *reads(statement)])), None
        node = None
        if trace is not None:
            place = next(
                (
                    place
                    for index, place in enumerate(trace.tb_frame.f_code.co_positions())
                    if index == trace.tb_lasti // 2
                ),
                (None,) * 4,
            )
            first, last, column, end = place
            if first is not None and last is not None and column is not None and end is not None:
                node = source.expression(first, last, column, end)
        divides = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod)
        if divides and self._complaint is not None and self._complaint.kind == "ZeroDivisionError":
            node = getattr(node, "right", None)  # what is divided is not to blame
        found = reads(node) if node is not None else []
        return found or (reads(statement) if not isinstance(node, ast.Call) else []), node

    def _values(self, wanted: list[str], frame: int, until: int) -> list[tuple[str, Change | None]]:
        """The last value of each before a step."""
        if not wanted:
            return []
        changes, _ = self._runs.changes(wanted, frame, until, by_value=True)
        return [(name, found[-1] if found else None) for name, found in zip(wanted, changes, strict=True)]

    # ------------------------------------------------------------ back, link by link

    def _follow(self, found: Why, expression: str, change: Change, frame: int, until: int) -> None:
        for _ in range(_HOPS):
            if change.step == NOBODY:
                onward = self._through_call(found, expression, change, frame)
            elif self._trail.frame(change.step) != frame or change.inside:
                onward = self._from_inside(found, expression, change)
            else:
                onward = self._from_statement(found, expression, change, frame)
            if onward is None:
                return
            expression, frame, until = onward
            expression = self._pinned(expression, frame, until)
            last = self._last(expression, frame, until)
            if last is None:
                return
            change = last
        found.note = f"followed for {_HOPS} steps; `origin` goes on from there"

    def _go_on(self, found: Why, onward: tuple[str, int, int] | None) -> None:
        if onward is None:
            return
        expression, frame, until = onward
        expression = self._pinned(expression, frame, until)
        change = self._last(expression, frame, until)
        if change is not None:
            self._follow(found, expression, change, frame, until)

    def _pinned(self, expression: str, frame: int, until: int) -> str:
        """With the values of its keys: what becomes of `prices[sku]` is not what becomes of `sku`."""
        tree = ast.parse(expression, mode="eval")
        keys = [ast.unparse(key) for key in open_keys(tree)]
        if not keys:
            return expression
        values = {
            key: change.text
            for key, change in self._values(keys, frame, until)
            if change is not None and change.type in ("str", "int", "bool", "bytes")
        }
        return ast.unparse(Filled(values).visit(tree))

    def _last(self, expression: str, frame: int, until: int) -> Change | None:
        """The last change that gave it a value."""
        changes, _ = self._runs.changes([expression], frame, until, by_value=True)
        return next((entry for entry in reversed(changes[0]) if entry.bound), None)

    def _from_statement(
        self, found: Why, expression: str, change: Change, frame: int
    ) -> tuple[str, int, int] | None:
        step = change.step
        statement = self._statement(step)
        given = gives(statement, expression) if statement is not None else None
        if given is None and statement is not None:
            onward = self._with_the_whole(found, expression, change, frame, statement)
            if onward is not None:
                return onward
        if given is None or given.value is None:
            found.links.append(Link(expression, change.text, step, "given"))
            return None
        element = self._element(statement, expression, frame, step) if statement is not None else ""
        if element:
            found.links.append(Link(expression, change.text, step, "given"))
            return element, frame, step
        if given.passes:
            found.links.append(Link(expression, change.text, step, "given"))
            return ast.unparse(given.value), frame, step
        return self._from_value(found, expression, change.text, given.value, frame, step, given.how)

    def _with_the_whole(
        self, found: Why, expression: str, change: Change, frame: int, statement: ast.stmt
    ) -> tuple[str, int, int] | None:
        """A part of what the statement gives a name: it came with the whole."""
        root = root_of(expression)
        whole = gives(statement, root) if root != expression else None
        if whole is None or whole.value is None:
            return None
        step, rest = change.step, expression[len(root) :]
        element = self._element(statement, root, frame, step)
        if element:
            found.links.append(Link(expression, change.text, step, "given"))
            return element + rest, frame, step
        held = taken_from(whole.value)
        if whole.passes or (held and self._last(held, frame, step) is not None):
            found.links.append(Link(expression, change.text, step, "given"))
            return (held or ast.unparse(whole.value)) + rest, frame, step
        if isinstance(whole.value, ast.Call):
            made = self._calls.called(whole.value, frame, step, ("__init__",))
            if made is not None and self._trail.codes[made].co_argcount:
                found.links.append(Link(expression, change.text, step, "given"))
                last = self._trail.last_of(made, len(self._trail), NOBODY)
                return self._trail.codes[made].co_varnames[0] + rest, made, last + 1
        return None

    def _element(self, statement: ast.stmt, name: str, frame: int, step: int) -> str:
        """`lines[3]` if that is what the loop gave to `name`; "" if that cannot be told."""
        held = element_of(statement, name)
        if not held:
            return ""
        (_, own), (_, size) = self._values([held, f"len({held})"], frame, step)
        if own is None or own.type not in ("list", "tuple"):
            return ""
        if size is None or not size.text.isdigit() or int(size.text) > _LOOKED_AT:
            return ""
        idents = f"[*map(id, {held})]"
        asked = [f"{idents}.index(id({name}))", f"{idents}.count(id({name}))"]
        (_, found), (_, times) = self._values(asked, frame, step + 1)
        if found is None or not found.bound or times is None or times.text != "1":
            return ""  # it is there more than once: nothing says which of them it was
        return f"{held}[{found.text}]"

    def _from_value(
        self, found: Why, expression: str, text: str, value: ast.expr, frame: int, step: int, how: str
    ) -> tuple[str, int, int] | None:
        """It is what an expression gave at a step."""
        inner = value.value if isinstance(value, ast.Await) else value
        if isinstance(inner, ast.IfExp):
            chosen = [part for part in (inner.body, inner.orelse) if isinstance(part, ast.Constant)]
            if len(chosen) == 1 and repr(getattr(chosen[0], "value", None)) == text:
                inner = chosen[0]
        callee = self._calls.called(inner, frame, step) if isinstance(inner, ast.Call) else None
        if callee is not None and how != "loop":
            found.links.append(Link(expression, text, step, "given"))
            return self._from_return(found, text, callee)
        source = taken_from(inner)
        held = self._last(source, frame, step) if source else None
        if held is not None and held.text == text:
            found.links.append(Link(expression, text, step, "given"))
            return source, frame, step
        names = reads(inner)
        made_of: tuple[tuple[str, str], ...] = ()
        onward = None
        if names:
            changes, _ = self._runs.changes(names, frame, step, by_value=True)
            last = [
                (name, entries[-1] if entries else None) for name, entries in zip(names, changes, strict=True)
            ]
            made_of = tuple(
                (name, entry.text)
                for name, entry in last
                if entry is not None and entry.bound and entry.type not in CODE
            )
            suspect = next(
                (
                    name
                    for name, entry in last
                    if entry is not None and entry.bound and _bad_itself(entry, text)
                ),
                None,
            )
            onward = suspect if suspect is not None and how != "augmented" else None
        given = None
        if onward is None and how == "assigned" and text in _TELLING and _calls_something(value):
            given = self._calls.gave(text, frame, step)
        if given is not None:
            found.links.append(Link(expression, text, step, "computed", made_of))
            return self._from_return(found, text, given.frame)
        found.links.append(Link(expression, text, step, "computed" if names else "given", made_of))
        return None if onward is None else (onward, frame, step)

    def _from_return(self, found: Why, text: str, callee: int) -> tuple[str, int, int] | None:
        trail = self._trail
        last = trail.last_of(callee, len(trail), NOBODY)
        if last == NOBODY:
            return None
        statement = self._statement(last)
        name = trail.codes[callee].co_name
        if not isinstance(statement, ast.Return) or statement.value is None:
            found.links.append(Link(f"{name}()", text, last, "returned"))
            return None
        value = statement.value
        if isinstance(value, ast.Name | ast.Attribute | ast.Subscript):
            found.links.append(Link(f"{name}()", text, last, "returned"))
            return ast.unparse(value), callee, last
        return self._from_value(found, f"{name}()", text, value, callee, last, "assigned")

    def _through_call(
        self, found: Why, expression: str, change: Change, frame: int
    ) -> tuple[str, int, int] | None:
        """It was there when the function began: a parameter, or a part of one, or of the module."""
        trail = self._trail
        caller, code = trail.callers[frame], trail.codes[frame]
        root = root_of(expression)
        starred = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + starred]
        outer = self._owner(root, frame) if root in code.co_freevars else None
        if outer is not None:  # of a function around this one: its own name
            return expression, outer, trail.last_of(outer, trail.first[frame], trail.first[frame])
        if root not in parameters:
            if caller != NOBODY and not (root in code.co_varnames or root in code.co_freevars):
                step = trail.last_of(caller, trail.first[frame], NOBODY)
                same_module = trail.codes[caller].co_filename == code.co_filename
                if step != NOBODY and same_module:  # a global: who called sees it, too
                    return self._without_locals(expression, frame, code), caller, step
            how = "before" if caller == NOBODY else "elsewhere"
            found.links.append(Link(expression, change.text, NOBODY, how))
            return None
        if caller == NOBODY:
            found.links.append(Link(expression, change.text, NOBODY, "before"))
            return None
        step = trail.last_of(caller, trail.first[frame], NOBODY)
        statement, function = (
            self._statement(step),
            self._source(code).function(code.co_firstlineno, code.co_name),
        )
        if statement is None or function is None:
            found.links.append(Link(expression, change.text, step, "passed"))
            return None
        passed = passed_to(statement, function, root)
        if passed is None:
            how = "default" if has_default(function, root) else "passed"
            found.links.append(Link(expression, change.text, step, how))
            return None
        rest = expression[len(root) :]
        if isinstance(passed, ast.Name | ast.Attribute | ast.Subscript):
            found.links.append(Link(expression, change.text, step, "passed"))
            return ast.unparse(passed) + rest, caller, step
        if rest:
            found.links.append(Link(expression, change.text, step, "passed"))
            return None
        return self._from_value(found, expression, change.text, passed, caller, step, "assigned")

    def _owner(self, name: str, frame: int) -> int | None:
        """The frame of the enclosing function whose name it is."""
        for caller in self._trail.ancestors(frame):
            if name in self._trail.codes[caller].co_cellvars:
                return caller
        return None

    def _without_locals(self, expression: str, frame: int, code: CodeType) -> str:
        """With values for the function's own names in it: `CACHE[key]` -> `CACHE['EUR']`."""
        tree = ast.parse(expression, mode="eval")
        names = sorted(
            {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & set(code.co_varnames)
        )
        if not names:
            return expression
        trail = self._trail
        changes, _ = self._runs.changes(names, frame, trail.last_of(frame, len(trail), 0), by_value=False)
        values = {
            name: entries[-1].text
            for name, entries in zip(names, changes, strict=True)
            if entries and entries[-1].type in ("str", "int", "bool", "bytes")
        }
        return ast.unparse(Filled(values).visit(tree))

    def _from_inside(self, found: Why, expression: str, change: Change) -> tuple[str, int, int] | None:
        """Another function, or a line that changes what is there, made it so."""
        step = change.step
        frame = self._trail.frame(step)
        statement = self._statement(step)
        value = statement.value if isinstance(statement, ast.Assign) else None
        how = "changed inside" if change.inside else "given"
        if isinstance(value, ast.Name | ast.Attribute | ast.Subscript) and not change.inside:
            found.links.append(Link(expression, change.text, step, how))
            return ast.unparse(value), frame, step
        if value is not None and not change.inside:
            return self._from_value(found, expression, change.text, value, frame, step, "assigned")
        found.links.append(Link(expression, change.text, step, how))
        return None

    # ------------------------------------------------------------ sources

    def _statement(self, step: int) -> ast.stmt | None:
        return self._source(self._trail.code(step)).statement(self._trail.line(step))

    def _source(self, code: CodeType) -> Source:
        file = code.co_filename
        found = self._sources.get(file)
        if found is None:
            with originals():
                found = self._sources[file] = Source("".join(linecache.getlines(file)))
        return found


def _calls_something(value: ast.expr) -> bool:
    return any(isinstance(node, ast.Call | ast.Await) for node in ast.walk(value))


def _bad_itself(change: Change, text: str) -> bool:
    """Whether an operand is what makes a result bad: it is None, no number, or the result itself."""
    return (
        change.type == "NoneType"
        or change.text in _TELLING
        or (change.text == text and change.type not in ("int", "bool", "str"))
    )


def _complaint(error: BaseException) -> Complaint:
    arguments = inspect.getattr_static(error, "args", ())
    arguments = error.args if not isinstance(arguments, tuple) else arguments
    plain = [item for item in arguments if type(item) in _PLAIN]
    return Complaint(type(error).__name__, exception_name(error), [repr(item) for item in plain])
