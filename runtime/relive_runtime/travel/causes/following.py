"""One step back on the way of a value: from where a line read it to the line that put it there."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from relive_capture.record.inspection import mro
from relive_runtime.travel.causes.arguments import argument_of, has_default
from relive_runtime.travel.causes.bindings import Bindings, agree
from relive_runtime.travel.causes.contents import Contents
from relive_runtime.travel.causes.evaluation import OF_ELEMENTS, Evaluation
from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.journal import COMPREHENSIONS, Frame, Journal
from relive_runtime.travel.causes.lookups import looked_up
from relive_runtime.travel.causes.operands import operands
from relive_runtime.travel.causes.places import Hop, Made, Read, target_path
from relive_runtime.travel.causes.statements import plain, within
from relive_runtime.travel.causes.values import MISSING, element, exactly, interned, own_dict, same
from relive_runtime.travel.trail import NOBODY

__all__ = ["Following"]

_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_PASSING: Final = frozenset(
    ("next", "max", "min", "copy", "deepcopy", "replace", "str", "int", "float", "list", "tuple", "cast")
)
_LATER: Final = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_MADE_BEFORE: Final = 2_000
"""Steps looked through for the line that has made a coroutine."""
_TAKING: Final = frozenset(("get", "pop", "setdefault"))
_ORDERS: Final = frozenset(
    ("sorted", "reversed", "list", "tuple", "set", "iter", "filter", "islice", "frozenset")
)


class Following(Evaluation):
    """Over one journal."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.contents = Contents(self, self.given)
        self.bindings = Bindings(journal, self.frames)

    # ------------------------------------------------------------ one step back

    def back(self, read: Read) -> Hop:
        """To what gave it its value."""
        step = self._BY_NODE.get(type(read.node), Following._computed)
        return step(self, read)

    def _computed(self, read: Read) -> Hop:
        kind = "literal" if isinstance(read.node, ast.Constant) else "computed"
        return self._here(read, Made(kind, read.value, read.frame, read.step, read.node))

    def _here(self, read: Read, then: Read | Made) -> Hop:
        return Hop(read.step, "", then)

    def _onward(self, read: Read, node: ast.expr, path: tuple[Any, ...] | None = None) -> Hop:
        return self._here(
            read, Read(node, read.frame, read.step, read.value, read.path if path is None else path)
        )

    def part(self, read: Read) -> Hop | None:
        """Of a read with a path: where the outermost object got the part; None: the object is not known."""
        whole = self.value_of(read.node, read.frame, read.step)
        if whole is MISSING:
            return None
        for key in read.path[:-1]:
            whole = self.journal.part(whole, key, read.step + 1)
            if whole is MISSING:
                return None
        return self.contents.given(whole, read.path[-1], read)

    # ------------------------------------------------------------ names

    def _name(self, read: Read) -> Hop:
        assert isinstance(read.node, ast.Name)
        if read.path:
            return self.part(read) or self._computed(read)
        name, step, journal = read.node.id, read.step, self.journal
        inner = self._in_comprehension(read)
        if inner is not None:
            return inner
        here = self._in_this_line(read, read.node)
        if here is not None:
            return here
        frame = self.bindings.owner(name, read.frame)
        if frame is None:
            return self._global(read, name)
        doubt = False
        for earlier in self.bindings.of_local(name, frame, read.frame, step):
            ignored = frame == journal.frame(earlier) and exactly(read.value, str, bytes)
            if ignored and _is_ignored(journal.plan(earlier).statement, name):
                return Hop(earlier, "", Made("ignored", read.value, frame, earlier, None, name))
            if name in journal.plan(earlier).binds and self._has_bound(earlier, name):
                if agree(journal.bound(earlier, name), read.value):
                    return self._bound(read, name, journal.frame(earlier), earlier, doubt=doubt)
                doubt = True
        return self._parameter(read, name, frame) if not doubt else self._from_nowhere(read, name)

    def _in_this_line(self, read: Read, node: ast.Name) -> Hop | None:
        """Of what the line itself has bound before it read it."""
        bound = self.rebound(node, read.step)
        if bound is None or not self._has_bound(read.step, node.id):
            return None
        value, before = self.journal.bound(read.step, node.id), self.journal.read(read.step, node.id)
        if bound.again or not agree(value, read.value) or (bound.maybe and before is value):
            return None
        return self._bound(read, node.id, read.frame, read.step, bound.statement)

    def _from_nowhere(self, read: Read, name: str) -> Hop:
        """No line that bound it has given it this value."""
        return self._from_before(read, name, self.beginnings.unseen())

    def _has_bound(self, step: int, name: str) -> bool:
        journal = self.journal
        if step in journal.raised and isinstance(
            journal.plan(step).statement, ast.Assign | ast.AugAssign | ast.AnnAssign
        ):
            return False  # the exception came first
        return journal.bound(step, name) is not MISSING

    def _global(self, read: Read, name: str) -> Hop:
        doubt = False
        for step in self.bindings.of_global(name, read.frame, read.step):
            if self._has_bound(step, name):
                if agree(self.journal.bound(step, name), read.value):
                    return self._bound(read, name, self.journal.frame(step), step, doubt=doubt)
                doubt = True
        if doubt:
            return self._from_nowhere(read, name)
        names = self.journal.frames[read.frame].names
        return self._from_before(read, name, self.beginnings.of_global(names, name, read.value))

    def _from_before(self, read: Read, name: str, unknown: str) -> Hop:
        made = Made("before", read.value, read.frame, read.step, read.node, name, unknown)
        return self._here(read, made)

    def _bound(
        self,
        read: Read,
        name: str,
        frame: int,
        step: int,
        statement: ast.stmt | None = None,
        *,
        doubt: bool = False,
    ) -> Hop:
        """A step gave the name its value: by `statement`, if it has several. `doubt`: as in a Hop."""
        statement = statement or self.journal.plan(step).giver(name)
        assert statement is not None
        then = self.given(statement, name, frame, step, read.value)
        how = "overwritten" if self._is_second(name, frame, step) else "given"
        return Hop(step, how, then, doubt)

    def _is_second(self, name: str, frame: int, step: int) -> bool:
        """Whether an assignment took the place of what another line had given the name."""
        journal = self.journal
        statement = journal.plan(step).statement
        if not isinstance(statement, ast.Assign) or not plain(statement.value):
            return False
        for earlier in journal.steps_before(frame, step):
            plan = journal.plan(earlier)
            if name in plan.binds:
                value = journal.bound(earlier, name)
                return plan.statement is not statement and bool_of(value) is not False
        return False

    def given(self, statement: ast.stmt, target: str, frame: int, step: int, value: Any) -> Read | Made:
        """What a statement gives to a target."""
        if isinstance(statement, ast.Assign):
            paths = (target_path(left, target) for left in statement.targets)
            path = next((one for one in paths if one is not None), None)
            if path is not None:
                return self.unpacked(statement.value, path, frame, step, value)
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            return Read(statement.value, frame, step, value)
        if isinstance(statement, ast.AugAssign):
            binary = ast.BinOp(_loaded(statement.target), statement.op, statement.value)
            ast.copy_location(binary, statement.value)
            return Made("computed", value, frame, step, binary, target)
        if isinstance(statement, ast.For | ast.AsyncFor):
            path = target_path(statement.target, target)
            if path is not None:
                return self.element(statement.iter, path, frame, step, value)
        return self._given_within(statement, target, frame, step, value)

    def _given_within(
        self, statement: ast.stmt, target: str, frame: int, step: int, value: Any
    ) -> Read | Made:
        """By a part of its head."""
        for item in statement.items if isinstance(statement, ast.With | ast.AsyncWith) else ():
            if item.optional_vars is not None and ast.unparse(item.optional_vars) == target:
                return Read(item.context_expr, frame, step, value)
        named = [
            node for node in within(statement) if isinstance(node, ast.NamedExpr) and node.target.id == target
        ]
        for node in named:
            if len(named) == 1 or same(self.value_of(node.value, frame, step), value):
                return Read(node.value, frame, step, value)
        subject = statement.subject if isinstance(statement, ast.Match) else None
        return Made("computed", value, frame, step, subject, target)

    def unpacked(
        self, node: ast.expr, path: tuple[Any, ...], frame: int, step: int, value: Any
    ) -> Read | Made:
        """What a path leads to in an expression, which may be a display."""
        while (
            path
            and isinstance(node, ast.Tuple | ast.List)
            and not any(isinstance(item, ast.Starred) for item in node.elts)
        ):
            if type(path[0]) is not int or not -len(node.elts) <= path[0] < len(node.elts):
                break
            node, path = node.elts[path[0]], path[1:]
        return Read(node, frame, step, value, path)

    def _in_comprehension(self, read: Read) -> Hop | None:
        """Of a comprehension's own name: the element that it was."""
        statement = self.journal.plan(read.step).statement
        assert isinstance(read.node, ast.Name)
        if statement is None:
            return None
        for node in within(statement):
            if isinstance(node, _COMPREHENSIONS) and any(part is read.node for part in ast.walk(node)):
                for part in node.generators:
                    path = target_path(part.target, read.node.id)
                    if path is not None and not any(inner is read.node for inner in ast.walk(part.iter)):
                        frame, step = self._outside(read.frame, read.step)
                        return Hop(step, "", self.element(part.iter, path, frame, step, read.value))
        return None

    def _outside(self, frame: int, step: int) -> tuple[int, int]:
        """The frame that a comprehension's frame is in."""
        entry = self.journal.frames[frame]
        if entry.code.co_name in COMPREHENSIONS and entry.caller != NOBODY:
            return entry.caller, entry.called
        return frame, step

    # ------------------------------------------------------------ elements of what is gone through

    def element(
        self, node: ast.expr, path: tuple[Any, ...], frame: int, step: int, value: Any
    ) -> Read | Made:
        """What a loop over an expression gives out: the value is at `path` in an element of it."""
        made = Made("computed", value, frame, step, node)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            return self.element(node.value, path, frame, step, value)
        if isinstance(node, ast.Call):
            name = name_of(node)
            inner = self._rearranged(name, node, path)
            if inner is not None:
                return self.element(inner[0], inner[1], frame, step, value)
            if name in ("enumerate", "zip", "range", "items", "keys"):
                return self._keys(node, name, frame, step, value) or made
        found = self._yielded(node, path, frame, step, value)
        if found is not None:
            return found
        if not plain(node):
            step = self.entered(frame, step)
        held = self.value_of(node, frame, step)
        if held is MISSING:
            return made
        return self.contents.element_of(held, path, Read(node, frame, step, value)) or made

    def entered(self, frame: int, step: int) -> int:
        """The step at which a loop began to go over what it goes over."""
        journal = self.journal
        statement = journal.plan(step).statement
        if not isinstance(statement, ast.For | ast.AsyncFor):
            return step
        for earlier in journal.steps_before(frame, step):
            line = journal.line(earlier)
            if journal.plan(earlier).statement is statement:
                step = earlier
            elif not statement.lineno < line <= (statement.end_lineno or line):
                break
        return step

    def _rearranged(
        self, name: str, call: ast.Call, path: tuple[Any, ...]
    ) -> tuple[ast.expr, tuple[Any, ...]] | None:
        """Through what only goes over something else."""
        if name in _ORDERS and call.args and isinstance(call.func, ast.Name | ast.Attribute):
            return call.args[-1 if name == "filter" else 0], path
        second = path and type(path[0]) is int and path[0] == 1
        if name == "enumerate" and call.args and second:
            return call.args[0], path[1:]
        if name == "zip" and path and type(path[0]) is int and path[0] < len(call.args):
            return call.args[path[0]], path[1:]
        if name in ("items", "values") and isinstance(call.func, ast.Attribute) and not call.args:
            if name == "values":
                return call.func.value, ("values", *path)
            if second:
                return call.func.value, ("values", *path[1:])
        return None

    def _keys(self, call: ast.Call, name: str, frame: int, step: int, value: Any) -> Read | Made | None:
        """A key of a dict that was gone over."""
        if name not in ("items", "keys") or not isinstance(call.func, ast.Attribute):
            return None
        step = self.entered(frame, step)
        held = self.value_of(call.func.value, frame, step)
        if held is MISSING:
            return None
        return self.contents.key_of(held, Read(call.func.value, frame, step, value))

    def _yielded(
        self, node: ast.expr, path: tuple[Any, ...], frame: int, step: int, value: Any
    ) -> Read | Made | None:
        name = name_of(node) if isinstance(node, ast.Call) else ""
        until = self.journal.next_in(frame, step)
        found = None
        if not path:
            found = self.frames.yielded(value, until, name)
        else:
            for number, entry in enumerate(self.journal.frames):
                for at, given in entry.yields:
                    mine = at < until and name in ("", entry.code.co_name)
                    if mine and same(element(given, path[0]), value):
                        found = number, at
        if found is None or (not name and interned(value)):
            return None
        number, at = found
        for part in within(self.journal.plan(at).statement or ast.Pass()):
            if isinstance(part, ast.Yield) and part.value is not None:
                return self.unpacked(part.value, path, number, at, value)
        return None

    # ------------------------------------------------------------ parameters

    def _parameter(self, read: Read, name: str, frame: int) -> Hop:
        journal = self.journal
        entry = journal.frames[frame]
        if entry.caller == NOBODY or entry.called < journal.start:
            return self._given_elsewhere(read, name, frame) or self._from_before(
                read, name, self.beginnings.of_name(frame, name, read.value)
            )
        call, caller, step = self.frames.call_of(frame), entry.caller, entry.called
        source, line, called = journal.source(entry.code), entry.code.co_firstlineno, entry.code.co_name
        function: Any = source.function(line, called)
        if called == "<lambda>":
            directly = call is not None and isinstance(call.func, ast.Lambda)
            function = call.func if call is not None and directly else source.lambda_at(line)
        if call is not None and function is not None:
            argument = argument_of(call, function, name)
            if argument is not None:
                return Hop(step, "passed", Read(argument, caller, step, read.value))
            if has_default(function, name) and not any(isinstance(item, ast.Starred) for item in call.args):
                return Hop(step, "passed", Made("default", read.value, caller, step, call, name))
        statement = journal.plan(step).statement
        operand = self._operand(read, name, entry, step) if call is None else None
        if operand is not None:
            return Hop(step, "passed", Read(operand, caller, step, read.value))
        if not interned(read.value) and statement is not None:
            for text, node in journal.plan(step).reads:
                if journal.read(step, text) is read.value:
                    return Hop(step, "passed", Read(node, caller, step, read.value))
        unknown = "" if call is not None else self.beginnings.of_call(entry.code.co_name)
        return Hop(step, "passed", Made("passed", read.value, caller, step, call, name, unknown))

    def _operand(self, read: Read, name: str, entry: Frame, step: int) -> ast.expr | None:
        """The operand that an operator has called a method with; None: it is not clear which."""
        names, statement = entry.code.co_varnames[: entry.code.co_argcount], self.journal.plan(step).statement
        if name not in names or statement is None:
            return None
        index = names.index(name)
        found = [
            given[index]
            for node in within(statement)
            for given in operands(node, entry.code.co_name)
            if index < len(given) and agree(self.value_of(given[index], entry.caller, step), read.value)
        ]
        same_text = {ast.unparse(one) for one in found}
        return found[0] if len(same_text) == 1 else None

    def _given_elsewhere(self, read: Read, name: str, frame: int) -> Hop | None:
        """Of a coroutine or a generator, which is called before it runs: by the line that has made it."""
        journal = self.journal
        entry = journal.frames[frame]
        function = journal.source(entry.code).function(entry.code.co_firstlineno, entry.code.co_name)
        if not entry.code.co_flags & _LATER or function is None:
            return None
        for step in range(entry.began - 1, max(journal.start, entry.began - _MADE_BEFORE) - 1, -1):
            for node in within(journal.plan(step).statement or ast.Pass()):
                if not isinstance(node, ast.Call) or name_of(node) != entry.code.co_name:
                    continue
                argument = argument_of(node, function, name)
                caller = journal.frame(step)
                if argument is not None and same(self.value_of(argument, caller, step), read.value):
                    return Hop(step, "passed", Read(argument, caller, step, read.value))
        return None

    # ------------------------------------------------------------ attributes and elements

    def _attribute(self, read: Read) -> Hop:
        node = read.node
        assert isinstance(node, ast.Attribute)
        if read.path:
            return self.part(read) or self._computed(read)
        base = self.value_of(node.value, read.frame, read.step)
        number = self._frame_of(read, node.attr)
        if number is not None:
            return self._returned(read, number)
        if base is MISSING:
            return self._computed(read)
        shared = self._of_class(read, node.attr, base)
        return self.contents.given(base, node.attr, read) if shared is None else shared

    def is_set(self, attribute: str, until: int) -> bool:
        """Whether a step before one gives an attribute of that name a value."""
        return next(self.bindings.storing(attribute, until), None) is not None

    def _of_class(self, read: Read, name: str, base: Any) -> Hop | None:
        """Of an attribute that is its class's, or a module's: the step that set it there; None: none did."""
        holders: tuple[Any, ...] = mro(base if issubclass(type(base), type) else type(base))
        own = own_dict(base)
        if issubclass(type(base), ModuleType):
            holders = (base,)
        elif not issubclass(type(base), type) and own is not None and looked_up(own, name) is not MISSING:
            return None
        doubt = False
        for step in self.bindings.storing(name, read.step):
            frame, statement = self.journal.frame(step), self.journal.plan(step).statement
            target = self._set_of(statement, name, holders, frame, step)
            if statement is None or not target:
                continue
            then = self.given(statement, target, frame, step, read.value)
            known = MISSING
            if isinstance(then, Read) and not then.path:
                known = self.value_of(then.node, frame, step)
            if agree(known, read.value):
                return Hop(step, "given", then, doubt)
            doubt = True
        return None

    def _set_of(
        self, statement: ast.stmt | None, name: str, holders: tuple[Any, ...], frame: int, step: int
    ) -> str:
        """The target that is an attribute of one of these objects; "": it sets none, or has failed."""
        for node in within(statement) if statement is not None and step not in self.journal.raised else ():
            if isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Store):
                held = self.value_of(node.value, frame, step)
                if any(held is one for one in holders):
                    return ast.unparse(node)
        return ""

    def _frame_of(self, read: Read, *names: str) -> int | None:
        """A property's or an element's: the function of its class that has given back the value."""
        count = 1 if isinstance(read.node, ast.Attribute) else 2
        for number in reversed(self.journal.called_in(read.frame, read.step)):
            entry = self.journal.frames[number]
            mine = entry.code.co_name in names and entry.code.co_argcount == count
            if mine and same(entry.result, read.value):
                return number
        return None

    def _subscript(self, read: Read) -> Hop:
        node = read.node
        assert isinstance(node, ast.Subscript)
        if isinstance(node.slice, ast.Slice):
            return self._computed(read)
        if read.path:
            return self.part(read) or self._computed(read)
        base = self.value_of(node.value, read.frame, read.step)
        key = self.value_of(node.slice, read.frame, read.step)
        number = self._frame_of(read, *OF_ELEMENTS)
        if number is not None and element(base, key) is MISSING:
            return self._returned(read, number)
        if base is MISSING or key is MISSING:
            return self._computed(read)
        return self.contents.given(base, key, read)

    # ------------------------------------------------------------ calls

    def _call(self, read: Read) -> Hop:
        node = read.node
        assert isinstance(node, ast.Call)
        number = self.frames.run_by(node, read.frame, read.step, MISSING if read.path else read.value)
        if number is not None and self.journal.frames[number].code.co_name != "__init__":
            return self._returned(read, number)
        if read.path:
            return self.part(read) or self._taken_out(read, node) or self._computed(read)
        return (
            self._taken(read, node)
            or self._popped(read, node)
            or self._passed_through(read, node)
            or self._computed(read)
        )

    def _returned(self, read: Read, number: int) -> Hop:
        entry = self.journal.frames[number]
        if entry.returned == NOBODY:
            return self._computed(read)
        step = self._returning(number)
        statement = self.journal.plan(step).statement if step is not None else None
        if step is not None and isinstance(statement, ast.Return) and statement.value is not None:
            then = self.unpacked(statement.value, read.path, number, step, read.value)
            return Hop(step, "returned", then)
        if entry.code.co_name == "<lambda>":
            return self._computed(read)
        step = self.journal.ending(number) if step is None else step
        made = Made("ended", read.value, number, step, None, entry.code.co_name)
        return Hop(step, "returned", made)

    def _returning(self, number: int) -> int | None:
        """The step of the `return`; None: it came to its end without one. A `return` on the line of its
        condition has not run if it would have given another value."""
        entry, step = self.journal.frames[number], self.journal.returning(number)
        statement = self.journal.plan(step).statement
        if not isinstance(statement, ast.Return):
            return None
        value = None if statement.value is None else self.value_of(statement.value, number, step)
        return step if step == entry.returned or agree(value, entry.result) else None

    def _taken(self, read: Read, node: ast.Call) -> Hop | None:
        """By `table.get(key)` and its like, or `getattr`."""
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in _TAKING or not node.args:
            return None
        held = self.value_of(node.func.value, read.frame, read.step)
        key = self.value_of(node.args[0], read.frame, read.step)
        if not issubclass(type(held), dict) or key is MISSING:
            return None
        if self.journal.part(held, key, read.step) is not MISSING:
            return self.contents.given(held, key, read)
        return self._here(read, Made("absent", read.value, read.frame, read.step, node))

    def _popped(self, read: Read, node: ast.Call) -> Hop | None:
        """By `stack.pop()`: the last element that was there."""
        if name_of(node) not in ("pop", "popleft") or not isinstance(node.func, ast.Attribute):
            return None
        held = self.value_of(node.func.value, read.frame, read.step)
        before = self.journal.version(held, read.step) if held is not MISSING else MISSING
        if type(before) is not tuple or not before:
            return None
        first = name_of(node) == "popleft" or (
            node.args and same(self.value_of(node.args[0], read.frame, read.step), 0)
        )
        key = 0 if first else len(before) - 1
        if not same(before[key], read.value):
            return None
        return self._here(read, Read(node.func.value, read.frame, read.step, read.value, (key,)))

    def _taken_out(self, read: Read, node: ast.Call) -> Hop | None:
        """By what gives an element and removes it, such as `heappop`: the container had it before."""
        if not name_of(node).endswith(("pop", "popleft", "get", "get_nowait")):
            return None
        places = [*node.args, *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
        for place in places:
            held = self.value_of(place, read.frame, read.step)
            if held is not MISSING:
                found = self.contents.element_of(
                    held, read.path, Read(place, read.frame, read.step, read.value), read.step
                )
                if found is not None:
                    return self._here(read, found)
        return None

    def _passed_through(self, read: Read, node: ast.Call) -> Hop | None:
        """What came in comes out: an argument itself, or an element of what the call goes over."""
        if interned(read.value) and name_of(node) not in _PASSING:
            return None
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(node.func, ast.Attribute):
            arguments.append(node.func.value)
        if name_of(node) == "next" and len(arguments) == 2 and interned(read.value):
            return self._here(read, Made("absent", read.value, read.frame, read.step, node))
        for argument in arguments:
            if same(self.value_of(argument, read.frame, read.step), read.value):
                return self._onward(read, argument)
        if interned(read.value):
            return None
        for argument in arguments:
            held = self.value_of(argument, read.frame, read.step)
            if held is not MISSING:
                found = self.contents.element_of(held, (), Read(argument, read.frame, read.step, read.value))
                if found is not None:
                    return self._here(read, found)
        return None

    # ------------------------------------------------------------ what chooses, and what wraps

    def _chosen(self, read: Read) -> Hop:
        node = read.node
        assert isinstance(node, ast.IfExp)
        ways = [node.body, node.orelse]
        known = [way for way in ways if same(self.value_of(way, read.frame, read.step), read.value)]
        if len(known) == 1:
            return self._onward(read, known[0])
        open_ways = [way for way in ways if not isinstance(way, ast.Constant)]
        return self._onward(read, open_ways[0]) if len(open_ways) == 1 and not known else self._computed(read)

    def _alternative(self, read: Read) -> Hop:
        node = read.node
        assert isinstance(node, ast.BoolOp)
        for way in node.values[:-1]:
            value = self.value_of(way, read.frame, read.step)
            if (
                value is not MISSING
                and same(value, read.value)
                and bool_of(value) == isinstance(node.op, ast.Or)
            ):
                return self._onward(read, way)
        if same(self.value_of(node.values[-1], read.frame, read.step), read.value):
            last = node.values[-1]
            if isinstance(node.op, ast.Or):
                return self._here(read, Made("absent", read.value, read.frame, read.step, node))
            return self._onward(read, last)
        return self._computed(read)

    def _awaited(self, read: Read) -> Hop:
        assert isinstance(read.node, ast.Await)
        inner = read.node.value
        if isinstance(inner, ast.Call):
            number = self.frames.run_by(inner, read.frame, read.step, MISSING if read.path else read.value)
            if number is not None:
                return self._returned(read, number)
        found = self.frames.awaited(read.value, self.journal.next_in(read.frame, read.step))
        if found is not None:
            return self._returned(Read(read.node, read.frame, read.step, read.value), found)
        return self._computed(read)

    def gathered(self, made: Made) -> Hop | None:
        """Of what awaited several at once: the coroutine that gave this value; None: it cannot be told."""
        statement = self.journal.plan(made.step).statement if made.step >= self.journal.start else None
        awaits = statement is not None and any(isinstance(node, ast.Await) for node in within(statement))
        if made.node is None or not awaits:
            return None
        found = self.frames.awaited(made.value, self.journal.next_in(made.frame, made.step))
        if found is None:
            return None
        return self._returned(Read(made.node, made.frame, made.step, made.value), found)

    def _walrus(self, read: Read) -> Hop:
        assert isinstance(read.node, ast.NamedExpr)
        return self._onward(read, read.node.value)

    def _display(self, read: Read) -> Hop:
        if read.path:
            then = self.unpacked(read.node, read.path, read.frame, read.step, read.value)
            if isinstance(then, Read) and then.node is not read.node:
                return self._here(read, then)
            return self.part(read) or self._computed(read)
        return self._computed(read)

    _BY_NODE: Final[dict[type[ast.expr], Callable[[Following, Read], Hop]]] = {
        ast.Name: _name,
        ast.Attribute: _attribute,
        ast.Subscript: _subscript,
        ast.Call: _call,
        ast.IfExp: _chosen,
        ast.BoolOp: _alternative,
        ast.Await: _awaited,
        ast.NamedExpr: _walrus,
        ast.Tuple: _display,
        ast.List: _display,
    }


def bool_of(value: Any) -> bool | None:
    """Of plain values and containers; None of others."""
    if exactly(value, int, float, str, bytes, bool, type(None), list, dict, tuple, set):
        return bool(value)
    return None


def _is_ignored(statement: ast.stmt | None, name: str) -> bool:
    """A text's method that is called for nothing: `name.strip()` as a line of its own."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    func = statement.value.func
    return isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == name


def _loaded(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body
