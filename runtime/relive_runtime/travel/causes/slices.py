"""All lines that may be to blame for a value: by what it was made of, by what led there, and by what did not
happen on the way."""

from __future__ import annotations

import ast
import difflib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from typing import Any, Final

from relive_capture.record.inspection import plain_name
from relive_runtime.travel.causes.arms import Effects
from relive_runtime.travel.causes.badness import Bad, alike, any_of
from relive_runtime.travel.causes.following import Following
from relive_runtime.travel.causes.indexes import Choices
from relive_runtime.travel.causes.iterating import ends_a_loop
from relive_runtime.travel.causes.places import Made, Read, parts_read
from relive_runtime.travel.causes.statements import within
from relive_runtime.travel.causes.suspects import Suspect
from relive_runtime.travel.causes.values import CODE, MISSING, has_contents, parts, same
from relive_runtime.travel.trail import NOBODY

__all__ = ["Candidate", "Slice", "Trace"]

_EXPANSIONS: Final = 700
_WORK: Final = 8_000_000
"""Expansions times steps: one may look through all steps, at some 0.4 µs each."""
_FAR: Final = 14.0
_CHOICES: Final = 400
"""Steps looked through for what could have happened, each time."""
_CHANGES: Final = 12
_ELSEWHERE: Final = 1.0
_WIDE: Final = 120
"""Statements that are looked at, at most."""
_SILENT: Final = (ast.Pass, ast.Break, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)
_CARRIED, _OPERAND, _BASE, _KEY, _CHANGED, _ARM, _TEST, _CALLER, _MISSED = (
    0.3, 1.0, 1.2, 0.9, 1.0, 1.0, 0.6, 1.0, 0.8,
)  # fmt: skip


_ALIKE: Final = Bad("like", lambda one: False, open=True)


@dataclass(frozen=True, slots=True)
class Trace:
    """How the search came to a step, as a list that shares its beginnings. `how`: as in a Passed."""

    before: Trace | None
    text: str
    value: Any
    step: int
    how: str
    made_of: tuple[tuple[str, Any], ...] = ()


@dataclass(slots=True)
class Candidate:
    """A statement that may be to blame. `step`: where it ran when the search came to it first; `cost`: how
    far it is from the failure, in doubts; `kinds`: how it got in."""

    statement: ast.stmt
    step: int
    cost: float
    trace: Trace
    kinds: set[str] = field(default_factory=set)
    made: list[Made] = field(default_factory=list)
    """What it made, and whether it was made of nothing that is as bad."""
    values: list[Any] = field(default_factory=list)
    steps: set[int] = field(default_factory=set)
    unknown: str = ""  # why it is not known where it arose
    defined: bool = False
    """It ran before the first step: a default, a class's attribute, a constant. `step` read it first."""


@dataclass(frozen=True, slots=True)
class _Read:
    read: Read
    bad: Bad
    trace: Trace


@dataclass(frozen=True, slots=True)
class _Choice:
    step: int
    trace: Trace
    how: str


class Slice:
    """Of one failure."""

    def __init__(self, following: Following, choices: Choices, failing: int) -> None:
        self._following = following
        self._journal = following.journal
        self._choices = choices
        self._failing = failing
        self._queue: list[tuple[float, int, _Read | _Choice]] = []
        self._number = count()
        self._seen: set[tuple[Any, ...]] = set()
        self.found: dict[int, Candidate] = {}

    def of(self, suspects: list[Suspect]) -> list[Candidate]:
        """The nearest first."""
        most = max((one.weight for one in suspects), default=0.0)
        for suspect in suspects:
            cost = min(most - suspect.weight, 12.0) * 0.2
            read = suspect.read
            trace = Trace(None, read.text, read.value, self._failing, "stumbled over")
            self._push(cost, _Read(read, suspect.bad, trace))
            if suspect.key is not None:
                key = suspect.key
                self._push(
                    cost, _Read(key, any_of(key.value), replace(trace, text=key.text, value=key.value))
                )
                self._lost_key(cost, read, key.value, trace)
                self._alike(cost, read.value, key, trace)
        trace = Trace(None, "", MISSING, self._failing, "led to")
        self._decided(2.0, self._failing, trace)
        for _ in range(min(_EXPANSIONS, _WORK // max(len(self._journal.steps), 1))):
            if not self._queue:
                break
            cost, _, item = heapq.heappop(self._queue)
            if isinstance(item, _Read):
                self._expand(cost, item)
            else:
                self._choose(cost, item)
        return sorted(self.found.values(), key=lambda one: one.cost)

    # ------------------------------------------------------------ the search

    def _push(self, cost: float, item: _Read | _Choice) -> None:
        if cost > _FAR:
            return
        if isinstance(item, _Read):
            read = item.read
            key: tuple[Any, ...] = (read.step, read.frame, read.text, item.bad.name)
            if read.value is MISSING or issubclass(type(read.value), CODE):
                return
        else:
            key = (item.step, item.how)
        if key not in self._seen:
            heapq.heappush(self._queue, (cost, next(self._number), item))

    def add(self, step: int, kind: str, value: Any) -> None:
        """Another statement that may be to blame, found elsewhere."""
        self._note(_ELSEWHERE, step, kind, Trace(None, "", value, step, kind), value)

    def widen(self, choices: Choices) -> None:
        """All other statements that ran before the failure, the last ones first, and the definitions that
        they read."""
        trace = Trace(None, "", MISSING, self._failing, "ran")
        for step, statement in choices.last_steps(self._failing):
            if len(self.found) >= _WIDE:
                break
            if id(statement) not in self.found and not isinstance(statement, _SILENT):
                self._note(_FAR, step, "ran", trace, MISSING)
        for step, statement in choices.definitions(self._failing):
            if id(statement) not in self.found and len(self.found) < _WIDE:
                self.found[id(statement)] = Candidate(statement, step, _FAR, trace, {"defined"}, defined=True)

    def _is_new(self, *key: Any) -> bool:
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _note(
        self, cost: float, step: int, kind: str, trace: Trace, value: Any, made: Made | None = None
    ) -> None:
        statement = self._journal.plan(step).statement if step >= self._journal.start else None
        if statement is None:
            return
        one = self.found.get(id(statement))
        if one is None:
            one = self.found[id(statement)] = Candidate(statement, step, cost, trace)
        elif cost < one.cost:
            one.step, one.cost, one.trace = step, cost, trace
        one.kinds.add(kind)
        one.steps.add(step)
        if value is not MISSING and len(one.values) < 8:
            one.values.append(value)
        if made is not None and made.unknown:
            one.unknown = made.unknown
        if made is not None and len(one.made) < 8:
            one.made.append(made)

    def _expand(self, cost: float, item: _Read) -> None:
        read, bad, trace = item.read, item.bad, item.trace
        if not self._is_new(read.step, read.frame, read.text, bad.name):
            return
        hop = self._following.back(read)
        step = hop.step
        if hop.how:
            trace = Trace(trace, read.text, read.value, step, hop.how)
            self._note(cost, step, hop.how, trace, read.value)
            self._decided(cost + _ARM, step, trace)
            if hop.how == "returned":
                self._returns(cost + _MISSED, step, trace)
        self._not_happened(cost + _MISSED, read, hop.step if hop.how else NOBODY, trace)
        self._bases(cost, read, trace)
        self._changes(cost, read, bad, trace)
        if isinstance(hop.then, Read):
            if hop.then.step == step and hop.how and hop.then.frame == read.frame:
                self._note(cost, step, "passes", trace, read.value)
            self._push(cost + 0.05, _Read(hop.then, bad, trace))
            return
        self._made(cost, hop.then, read, bad, trace)

    def _made(self, cost: float, made: Made, read: Read, bad: Bad, trace: Trace) -> None:
        operands = self._operands(made)
        carrying = [one for one in operands if bad.carried(one.value) and bad.name != "number"]
        shown = tuple((one.text, one.value) for one in operands)
        trace = Trace(trace, made.name or read.text, made.value, made.step, made.kind, shown)
        step = made.step if made.step != NOBODY else read.step
        at = read.step if made.kind == "before" else step
        self._note(cost, at, made.kind, trace, made.value, made)
        if bad.name == _ALIKE.name:
            self._note(cost, at, "like", trace, made.value)
        if made.kind == "before":
            return
        if (
            made.kind == "absent"
            and isinstance(made.node, ast.Call)
            and isinstance(made.node.func, ast.Attribute)
        ):
            held = self._following.value_of(made.node.func.value, made.frame, made.step)
            wanted = (
                self._following.read(made.node.args[0], made.frame, made.step) if made.node.args else None
            )
            if wanted is not None and self._alike(cost + 0.3, held, wanted, trace):
                constant = isinstance(wanted.node, ast.Constant)
                self._note(cost, at, "absent fixed" if constant else "absent though like", trace, MISSING)
        self._decided(cost + _ARM, step, trace)
        hop = self._following.gathered(made)
        if hop is not None and isinstance(hop.then, Read):
            self._push(cost + _CARRIED, _Read(hop.then, bad, trace))
        for one in operands:
            if any(one is other for other in carrying):
                self._push(cost + _CARRIED, _Read(one, bad, trace))
            else:
                self._push(cost + _OPERAND, _Read(one, any_of(one.value), trace))

    def _operands(self, made: Made) -> list[Read]:
        if made.step < self._journal.start:
            return []
        node: ast.AST | None = made.node
        if node is None:
            return []
        found: dict[str, Read] = {}
        step = self._following.entered(made.frame, made.step)

        def known(call: ast.Call) -> bool:
            value = self._following.value_of(call, made.frame, step)
            return call is not made.node and value is not MISSING

        for part in parts_read(node, known):
            read = self._following.read(part, made.frame, step)
            if read.value is not MISSING and part is not made.node and not issubclass(type(read.value), CODE):
                found.setdefault(read.text, read)
        return [*found.values(), *self._given_out(node, made.frame, made.step)]

    def _given_out(self, node: ast.AST, frame: int, step: int) -> list[Read]:
        """What generators gave out that an expression went through."""
        found: list[Read] = []
        for call in ast.walk(node):
            if not isinstance(call, ast.Call):
                continue
            for number, at, value in self._following.frames.generated(call, frame, step):
                for part in within(self._journal.plan(at).statement or ast.Pass()):
                    if isinstance(part, ast.Yield) and part.value is not None:
                        found.append(Read(part.value, number, at, value))
        return found

    def _bases(self, cost: float, read: Read, trace: Trace) -> None:
        """The object that a part was taken from may be the wrong one, and so may the key."""
        node = read.node
        if read.path:
            return
        if isinstance(node, ast.Attribute | ast.Subscript):
            base = self._following.read(node.value, read.frame, read.step)
            self._push(cost + _BASE, _Read(base, any_of(base.value), trace))
        key = node.slice if isinstance(node, ast.Subscript) else None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            key = node.args[0] if node.func.attr in ("get", "pop") else None
        if key is not None and not isinstance(key, ast.Constant):
            wanted = self._following.read(key, read.frame, read.step)
            self._push(cost + _KEY, _Read(wanted, any_of(wanted.value), trace))

    def _changes(self, cost: float, read: Read, bad: Bad, trace: Trace) -> None:
        """The steps that have put into a container what is in it."""
        value, journal = read.value, self._journal
        if not issubclass(type(value), (list, dict, set)) or not has_contents(value):
            return
        versions = journal.versions(value, read.step + 1)[1:]
        for version in versions[-_CHANGES:]:
            step = version.step
            if step < journal.start or step >= len(journal):
                continue
            statement, frame = journal.plan(step).statement, journal.frame(step)
            after = Trace(trace, read.text, value, step, "changed")
            self._note(cost + _CHANGED, step, "changed", after, value)
            self._decided(cost + _CHANGED + _ARM, step, after)
            for part in parts_read(statement) if statement is not None else ():
                operand = self._following.read(part, frame, step)
                if operand.value is not value:
                    self._push(cost + _CHANGED + _OPERAND, _Read(operand, any_of(operand.value), after))

    def _lost_key(self, cost: float, held: Read, key: Any, trace: Trace) -> None:
        """What had the missing key, and was put somewhere else or replaced by what has not."""
        journal = self._journal
        if not issubclass(type(held.value), dict):
            return
        for history in list(journal.history.values())[:4_000]:
            for one, other in pairwise(history[-_CHANGES:]):
                name = next((name for name, part in parts(other.contents) if part is held.value), MISSING)
                before = MISSING if name is MISSING else _part_of(one.contents, name)
                if before is held.value or not has_contents(before):
                    continue
                if journal.part(before, key, other.step) is not MISSING:
                    after = Trace(trace, held.text, held.value, other.step, "replaced")
                    self._note(cost, other.step, "replaced", after, held.value)

    def _alike(self, cost: float, held: Any, wanted: Read, trace: Trace) -> bool:
        """A key that is spelled in another way: either may be wrong."""
        journal = self._journal
        version = journal.version(held, wanted.step + 1) if issubclass(type(held), dict) else MISSING
        if version is MISSING or type(version) is tuple:
            return False
        similar = [name for name in version if alike(name, wanted.value)]
        if not similar and type(wanted.value) is str:
            similar = [name for name in version if type(name) is str and _is_near(name, wanted.value)]
        if len(similar) != 1:
            return False
        near = similar[0]
        trace = Trace(trace, wanted.text, wanted.value, wanted.step, "is like")
        self._push(cost + 0.1, _Read(wanted, _ALIKE, trace))
        place = Read(wanted.node, wanted.frame, wanted.step, near)
        found = self._following.contents.key_of(held, place)
        if isinstance(found, Read):
            step = found.step
            self._note(cost + 0.2, step, "like", trace, near)
            self._push(cost + 0.2, _Read(found, _ALIKE, trace))
        elif found is not None and found.step != NOBODY and found.kind != "before":
            self._made(cost + 0.2, found, place, _ALIKE, trace)
        return True

    # ------------------------------------------------------------ what led there, and what did not happen

    def _decided(self, cost: float, step: int, trace: Trace) -> None:
        """The choices that a step was run by, also those of its callers."""
        journal, choices = self._journal, self._choices
        frame = journal.frame(step)
        for level in range(3):
            for one in choices.enclosing(step):
                self._push(cost, _Choice(one, trace, "led to"))
            for one, done in self._unused(frame, NOBODY, step):
                if done.leaves:
                    self._push(cost + 0.6, _Choice(one, trace, "went past"))
            entry = journal.frames[frame]
            if entry.caller == NOBODY or entry.called < journal.start:
                break
            step, frame = entry.called, entry.caller
            cost += _CALLER + 0.3 * level

    def _returns(self, cost: float, step: int, trace: Trace) -> None:
        """The other ways out of a function."""
        for one, done in self._unused(self._journal.frame(step), NOBODY, step):
            if done.returns:
                self._push(cost, _Choice(one, trace, "went past"))
            elif done.leaves or done.names:
                self._push(cost + 1.0, _Choice(one, trace, "went past"))

    def _not_happened(self, cost: float, read: Read, since: int, trace: Trace) -> None:
        """What would have given it another value."""
        node = read.node
        if read.path:
            return
        if isinstance(node, ast.Name):
            self._not_given(cost, node.id, read.frame, since, read.step, trace)
            self._swallowed(cost, read.frame, since, read.step, trace)
        elif isinstance(node, ast.Attribute):
            self._not_given(cost, node.attr, None, since, read.step, trace)
        if issubclass(type(read.value), (list, dict, set)):
            self._not_changed(cost, read.value, NOBODY, read.step, trace)
        elif isinstance(node, ast.Subscript):
            base = self._following.value_of(node.value, read.frame, read.step)
            if base is not MISSING:
                self._not_changed(cost, base, since, read.step, trace)

    def _not_given(
        self, cost: float, name: str, frame: int | None, since: int, until: int, trace: Trace
    ) -> None:  # fmt: skip
        """What would have given a value to a name of a frame, or to an attribute of an object."""
        for one, done in self._unused(frame, since, until):
            if name in (done.attributes if frame is None else done.names):
                self._push(cost, _Choice(one, trace, "kept"))

    def _not_changed(self, cost: float, held: Any, since: int, until: int, trace: Trace) -> None:
        """What would have put other things into a container."""
        for one, done in self._unused(None, since, until):
            if any(self._is(text, held, one) for text in done.changed):
                self._push(cost, _Choice(one, trace, "kept"))

    def _is(self, text: str, value: Any, step: int) -> bool:
        return self._choices.nearby(self._journal.frame(step), step, text) is value

    def _unused(self, frame: int | None, since: int, until: int) -> Iterator[tuple[int, Effects]]:
        """Choices, and what their other arms would have done."""
        choices = self._choices
        found = choices.between(since, until) if frame is None else choices.within(frame, since, until)
        times: dict[int, int] = {}
        for number, step in enumerate(found):
            if number > _CHOICES:
                break
            statement = id(self._journal.plan(step).statement)
            times[statement] = times.get(statement, 0) + 1
            if times[statement] <= _CHANGES:
                yield step, choices.not_taken(step)

    def _swallowed(self, cost: float, frame: int, since: int, until: int, trace: Trace) -> None:
        """An exception that came before an assignment, and was caught."""
        journal = self._journal
        for step in journal.steps_before(frame, until):
            if step <= since:
                break
            if step in journal.raised and not ends_a_loop(journal, step):
                self._caught(cost, step, trace)

    def _caught(self, cost: float, step: int, trace: Trace) -> None:
        journal = self._journal
        frame = journal.frame(step)
        error = journal.raised[step]
        after = journal.next_in(frame, step)
        name = plain_name(type(error))
        trace = Trace(trace, name, name, step, "raised")
        self._note(cost, step, "raised", trace, MISSING)
        for _ in range(2):
            if after < len(journal) and journal.frame(after) == frame:
                self._note(cost, after, "caught", trace, MISSING)
                after = journal.next_in(frame, after)

    def _choose(self, cost: float, item: _Choice) -> None:
        step = item.step
        if not self._is_new(step, item.how):
            return
        journal = self._journal
        statement, frame = journal.plan(step).statement, journal.frame(step)
        if statement is None:
            return
        trace = Trace(item.trace, "", MISSING, step, item.how)
        self._note(cost, step, item.how, trace, MISSING)
        step = self._following.entered(frame, step)
        for node in _tested(statement):
            for part in parts_read(node, lambda call: self._known(call, frame, step)):
                read = self._following.read(part, frame, step)
                self._push(cost + _TEST, _Read(read, any_of(read.value), trace))

    def _known(self, call: ast.Call, frame: int, step: int) -> bool:
        return self._following.value_of(call, frame, step) is not MISSING


def _is_near(one: str, other: str) -> bool:
    """They differ in a few letters."""
    if min(len(one), len(other)) < 3 or max(len(one), len(other)) > 60:
        return False
    return difflib.SequenceMatcher(None, one.casefold(), other.casefold()).ratio() >= 0.72


def _part_of(found: Any, key: Any) -> Any:
    """Of contents, without a hash of somebody's own."""
    return next((part for name, part in parts(found) if name is key or same(name, key)), MISSING)


def _tested(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.If | ast.While):
        return [statement.test]
    if isinstance(statement, ast.For | ast.AsyncFor):
        return [statement.iter]
    return [statement.subject] if isinstance(statement, ast.Match) else []
