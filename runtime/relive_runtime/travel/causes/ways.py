"""The way back of a value: hop by hop while it was as bad before, to the line where it went wrong."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

from relive_capture.record.inspection import module_name
from relive_runtime.travel.causes.badness import Bad, alike, any_of, bad_of, is_empty
from relive_runtime.travel.causes.following import Following
from relive_runtime.travel.causes.frames import name_of
from relive_runtime.travel.causes.iterating import goes_through
from relive_runtime.travel.causes.journal import COMPREHENSIONS
from relive_runtime.travel.causes.oddity import oddity
from relive_runtime.travel.causes.places import Made, Read, parts_read
from relive_runtime.travel.causes.suspects import Suspect
from relive_runtime.travel.causes.values import CODE, MISSING, exactly, has_contents, has_method, parts, same
from relive_runtime.travel.trail import NOBODY
from relive_runtime.travel.watch import shown

__all__ = ["Passed", "Way", "Ways"]

_HOPS: Final = 1_000
"""Steps back of one value; a few microseconds each."""
_DEPTH: Final = 5
_BUDGET: Final = 400
_DEEPER: Final = 0.2
_ELSEWHERE: Final = 0.5
"""A function that the failing line only got the result of is where one looks last, and errs most."""
_CHANGEABLE: Final = (list, dict, set, bytearray)


@dataclass(frozen=True, slots=True)
class Passed:
    """A step that the value went through. `made_of`: what it was computed from."""

    text: str
    value: Any
    step: int
    frame: int
    how: str
    line: int = 0
    made_of: tuple[tuple[str, Any], ...] = ()


@dataclass(slots=True)
class Way:
    """From a failing line's value to where it arose. `root`: that step; NOBODY: before the first."""

    passed: list[Passed] = field(default_factory=list)
    root: int = NOBODY
    kind: str = ""
    score: float = 0.0
    composed: bool = False  # a text was put together there
    unknown: str = ""  # why it is not known where it arose
    sure: bool = True
    """Every step of it was bad in the same way: no likelihood has chosen among several."""


class Ways:
    """Over one journal; it does not look for ever."""

    def __init__(self, following: Following, failing: int) -> None:
        self._failing = failing
        self._following = following
        self._journal = following.journal
        self._left = _BUDGET

    def of(self, suspect: Suspect) -> Way:
        """To the origin of what a failing line stumbled over."""
        if suspect.key is not None:
            held = suspect.read.value
            if issubclass(type(held), (list, tuple, str)) and type(suspect.key.value) is int:
                return self._of_index(suspect, suspect.key)
            return self._of_key(suspect, suspect.key)
        return self.back(suspect.read, suspect.bad, 0)

    def back(self, read: Read, bad: Bad, depth: int) -> Way:
        """As long as what a value was made of is as bad."""
        way, seen = Way(), set[tuple[int, str]]()
        for _ in range(_HOPS):
            self._left -= 1
            if (read.step, read.text) in seen:
                break
            seen.add((read.step, read.text))
            changed = self._changed(read, bad)
            if changed is not None:
                return self._ended(way, changed, read)
            hop = self._following.back(read)
            way.sure = way.sure and not hop.doubt
            if hop.how:
                way.passed.append(
                    Passed(read.text, read.value, hop.step, self._journal.frame(hop.step), hop.how)
                )
            if isinstance(hop.then, Read):
                read = hop.then
                continue
            onward = self._onward(hop.then, bad, depth)
            if onward is None:
                way.sure = way.sure and not (bad.open and hop.then.kind == "computed")
                return self._ended(way, hop.then, read)
            if isinstance(onward, Way):
                return self._joined(way, hop.then, read, onward)
            self._computed(way, hop.then, read)
            way.sure = way.sure and bad.carried(onward.value)
            read = onward
        else:
            way.unknown = f"it was followed {_HOPS:,} steps back, and no further"
        way.root = read.step
        way.sure = way.sure and not way.unknown
        return way

    # ------------------------------------------------------------ ends

    def _ended(self, way: Way, made: Made, read: Read) -> Way:
        if made.kind == "computed" and read.step != made.step and _is_input(made.node):
            made = replace(made, kind="outside")
            self._computed(way, made, read)
            way.root = read.step
        elif made.kind == "before":
            over = next((one.step for one in way.passed if one.how == "overwritten"), NOBODY)
            way.root = read.step if over == NOBODY else over
            way.passed.append(Passed(read.text, read.value, NOBODY, read.frame, "before"))
        else:
            self._computed(way, made, read)
            way.root = made.step
            way.sure = way.sure and not self._ran_more(made)
        way.kind, way.score, way.unknown = made.kind, self._suspicion(made), made.unknown
        way.sure = way.sure and not made.unknown
        way.composed = type(made.value) is str and (_composes(made.node) or _transforms(made.node))
        return way

    def _ran_more(self, made: Made) -> bool:
        """A library went through generators of the application there: the value may be one of theirs."""
        if made.kind != "computed" or made.step < self._journal.start:
            return False
        frames = self._journal.frames
        return any(
            frames[number].yields and frames[number].code.co_name not in COMPREHENSIONS
            for number in self._journal.called_in(made.frame, made.step)
        )

    def _oddity(self, made: Made) -> float:
        return oddity(made, lambda node: self._following.value_of(node, made.frame, made.step))

    def _suspicion(self, made: Made) -> float:
        place = self._journal.place
        elsewhere = made.step != NOBODY and place(self._failing) != place(made.step)
        return self._oddity(made) + self._shared(made) + _ELSEWHERE * elsewhere

    def _shared(self, made: Made) -> float:
        """What was changed by somebody else than who has made it."""
        if made.kind not in ("changed", "removed"):
            return 0.0
        born = self._journal.born(made.value)
        if born is None or born < self._journal.start:
            return 1.5
        return 1.0 if self._journal.frame(born) != made.frame else 0.0

    def _computed(self, way: Way, made: Made, read: Read) -> None:
        reads = self._operands(made)
        entry = Passed(
            made.name or read.text,
            made.value,
            made.step,
            made.frame,
            made.kind,
            getattr(made.node, "lineno", 0),
            tuple((one.text, one.value) for one in reads if not issubclass(type(one.value), CODE)),
        )
        last = way.passed[-1] if way.passed else None
        if last is not None and last.step == made.step and last.how in ("given", "returned", "passed"):
            way.passed[-1] = replace(entry, text=last.text)
        else:
            way.passed.append(entry)

    def _joined(self, way: Way, made: Made, read: Read, onward: Way) -> Way:
        self._computed(way, made, read)
        way.passed += onward.passed
        way.root, way.kind, way.score, way.sure = onward.root, onward.kind, onward.score, False
        way.composed, way.unknown = onward.composed, onward.unknown
        return way

    # ------------------------------------------------------------ further back

    def _operands(self, made: Made) -> list[Read]:
        """What a line has computed a value of."""
        if made.node is None or made.step < self._journal.start:
            return []
        found: dict[str, Read] = {}

        def known(call: ast.Call) -> bool:
            return (
                call is not made.node and self._following.value_of(call, made.frame, made.step) is not MISSING
            )

        for node in parts_read(made.node, known):
            read = self._following.read(node, made.frame, made.step)
            if read.value is not MISSING and node is not made.node:
                found.setdefault(read.text, read)
        return list(found.values())

    def _onward(self, made: Made, bad: Bad, depth: int) -> Read | Way | None:
        if made.kind == "absent":
            return self._removed_before(made)
        if made.kind != "computed":
            return None
        hop = self._following.gathered(made)
        if hop is not None and isinstance(hop.then, Read):
            return hop.then
        operands = self._operands(made)
        for read in operands if bad.name != "zero" else self._zeros(made, operands):
            if bad.carried(read.value) and bad.name != "number":
                return read
        opaque = [read for read in operands if _is_opaque(read.value)]
        if opaque and bad.name in ("text", "empty", "zero", "thing"):
            return opaque[0]
        written = self._written(made, operands, depth) if bad.name == "text" else None
        if written is not None:
            return written
        here = made.step == self._failing
        cut = bad.name == "empty" and _cuts(made.node)
        if bad.open or here or cut or (bad.name == "text" and _composes(made.node)):
            return self._likelier(made, operands, depth, always=here)
        return None

    def _written(self, made: Made, operands: list[Read], depth: int) -> Way | None:
        """Of a text that was cut out of another one: where the application has composed that, if it has."""
        if type(made.value) is not str or depth >= _DEPTH or self._left <= 0:
            return None
        for read in operands:
            if type(read.value) is str and made.value in read.value and made.value != read.value:
                found = self.back(read, any_of(read.value), depth + 1)
                if found.kind == "computed" and found.composed:
                    return found
        return None

    def _zeros(self, made: Made, operands: list[Read]) -> list[Read]:
        """Those that make nothing of what is computed with them."""
        node = made.node
        if not isinstance(node, ast.BinOp) or isinstance(node.op, ast.Mult):
            return operands
        if isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod):
            texts = {ast.unparse(part) for part in parts_read(node.left)}
            return [read for read in operands if read.text in texts]
        return operands if isinstance(node.op, ast.Add) and len(operands) == 1 else []

    def _likelier(self, made: Made, operands: list[Read], depth: int, *, always: bool = False) -> Way | None:
        """Of an operand, if what was done there is odder than what this line does; `always`: this line is the
        failing one, which nobody needs to be told of."""
        if depth >= _DEPTH or self._left <= 0:
            return None
        best, points = None, -1.0 if always else self._suspicion(made)
        for read in [*operands, *self._elements(made, operands)]:
            joined = type(made.value) is str and exactly(read.value, list, tuple, dict, set)
            if issubclass(type(read.value), CODE) or joined:
                continue
            found = self.back(read, any_of(read.value), depth + 1)
            if found.root != made.step and found.score - _DEEPER > points:
                best, points = found, found.score - _DEEPER
        if best is not None:
            best.score = points
        return best

    def _elements(self, made: Made, operands: list[Read]) -> list[Read]:
        """Of the containers whose numbers were added up: the last one's."""
        found: list[Read] = []
        for read in operands:
            inside = self._journal.version(read.value, made.step + 1) if has_contents(read.value) else MISSING
            numbers = (
                [(key, part) for key, part in parts(inside) if exactly(part, int, float)]
                if inside is not MISSING and exactly(read.value, list, dict, tuple)
                else []
            )
            if numbers and exactly(made.value, int, float):
                key, part = numbers[-1]
                found.append(replace(read, value=part, path=(*read.path, key)))
        return found

    def _changed(self, read: Read, bad: Bad) -> Made | None:
        """The step that last changed what is in a container, if that is what is bad."""
        if bad.name in ("used up", "empty", "zero") and has_method(read.value, "__next__"):
            return self._used_up(read)
        if bad.name not in ("thing", "empty", "shape", "zero") or not exactly(read.value, *_CHANGEABLE):
            return None
        versions = self._journal.versions(read.value, read.step)
        if len(versions) < 2:
            return None
        last = versions[-1]
        unknown = self._following.beginnings.of_change(last)
        frame = self._journal.frame(last.step)
        return Made("changed", read.value, frame, last.step, None, read.text, unknown)

    def _removed_before(self, made: Made) -> Way | None:
        node = made.node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            read = self._following.read(node.args[0], made.frame, made.step)
            used = self._used_up(read)
            return None if used is None else self._ended(Way(), used, read)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return None
        held = self._following.value_of(node.func.value, made.frame, made.step)
        key = self._following.value_of(node.args[0], made.frame, made.step)
        removed = self._removal(held, key, made.step)
        if removed is None:
            return None
        return self._ended(Way(), removed, Read(node.func.value, made.frame, made.step, held))

    def _used_up(self, read: Read) -> Made | None:
        """The last step before that has gone through an iterator."""
        journal = self._journal
        if not has_method(read.value, "__next__"):
            return None
        for step in range(read.step - 1, journal.start - 1, -1):
            for text, node in journal.plan(step).reads:
                if journal.read(step, text) is read.value and goes_through(self._following, node, step):
                    return Made("used up", read.value, journal.frame(step), step, None, text)
        return None

    def _removal(self, held: Any, key: Any, step: int) -> Made | None:
        """The step that took a key out of a container."""
        if not has_contents(held):
            return None
        there = False
        for version in self._journal.versions(held, step):
            now = any(same(name, key) or name is key for name, _ in parts(version.contents))
            if there and not now:
                frame = self._journal.frame(version.step)
                return Made("removed", held, frame, version.step, None, shown(key))
            there = now
        return None

    # ------------------------------------------------------------ what is not there

    def _of_key(self, suspect: Suspect, key: Read) -> Way:
        held = suspect.read
        removed = self._removal(held.value, key.value, held.step)
        if removed is not None:
            return self._ended(Way(), removed, held)
        by_key = self.back(key, bad_of(key.value), 0)
        similar = self._similar(held.value, key.value, held.step)
        if similar is not MISSING:
            found = self._following.contents.key_of(
                held.value, Read(held.node, held.frame, held.step, similar)
            )
            if found is not None:
                by_held = self._from(found, bad_of(similar), held)
                constant = isinstance(key.node, ast.Constant)
                if self._is_outside(by_held) and not constant:
                    return by_key
                return by_key if not self._is_outside(by_key) and by_key.score >= by_held.score else by_held
        if isinstance(key.node, ast.Constant) or self._is_outside(by_key):
            by_held = self.back(held, Bad("thing", lambda one: one is held.value, open=True), 0)
            if isinstance(key.node, ast.Constant) or by_held.score > by_key.score:
                return by_held
        return by_key

    def _from(self, found: Read | Made, bad: Bad, held: Read) -> Way:
        if isinstance(found, Read):
            return self.back(found, bad, 0)
        onward = self._onward(found, bad, 0)
        if isinstance(onward, Read):
            return self.back(onward, bad, 0)
        return onward if onward is not None else self._ended(Way(), found, held)

    def _is_outside(self, way: Way) -> bool:
        return way.kind in ("before", "literal", "passed")

    def _similar(self, held: Any, key: Any, step: int) -> Any:
        found = self._journal.version(held, step)
        if found is MISSING or type(found) is tuple:
            return MISSING
        near = next((name for name in found if alike(name, key)), MISSING)
        born = self._journal.born(held)
        if near is MISSING and type(key) is str and born is not None and born >= self._journal.start:
            texts = [name for name in found if type(name) is str]
            near = next(iter(difflib.get_close_matches(key, texts, 1)), MISSING)
        return near

    def _of_index(self, suspect: Suspect, index: Read) -> Way:
        held, number = suspect.read, index.value
        sizes = [(one.step, len(one.contents)) for one in self._journal.versions(held.value, held.step)]
        for (_, before), (step, after) in pairwise(sizes):
            if before > number >= after:
                made = Made("removed", held.value, self._journal.frame(step), step, None, held.text)
                return self._ended(Way(), made, held)
        if is_empty(held.value):
            return self.back(held, bad_of(held.value), 0)
        if isinstance(index.node, ast.Constant | ast.UnaryOp):
            return self.back(held, _short(held.value, number), 0)
        by_index = self.back(index, bad_of(number), 0)
        if self._is_outside(by_index):
            by_held = self.back(held, _short(held.value, number), 0)
            return by_held if not self._is_outside(by_held) else by_index
        return by_index


def _is_input(node: ast.expr | None) -> bool:
    """What it gives has come from somewhere else, and was only read here."""
    return any(
        isinstance(part, ast.Call) and name_of(part) in _INPUTS for part in ast.walk(node or ast.Pass())
    )


_INPUTS: Final = frozenset(
    (
        "loads",
        "load",
        "safe_load",
        "fetchone",
        "fetchall",
        "parse_qs",
        "json",
        "get_json",
        "reader",
        "DictReader",
    )
)


def _cuts(node: ast.expr | None) -> bool:
    """By numbers, which may be to blame."""
    return any(isinstance(part, ast.Slice) for part in ast.walk(node or ast.Pass()))


def _transforms(node: ast.expr | None) -> bool:
    """Gives another text, not a piece of one as it is in it."""
    calls = {name_of(part) for part in ast.walk(node or ast.Pass()) if isinstance(part, ast.Call)}
    return bool(calls) and not _cuts(node) and not calls & _EXTRACTING


_EXTRACTING: Final = frozenset(
    (
        "split",
        "rsplit",
        "partition",
        "rpartition",
        "splitlines",
        "strip",
        "lstrip",
        "rstrip",
        "group",
        "findall",
    )
)


def _composes(node: ast.expr | None) -> bool:
    """A text of several parts, any of which may be to blame."""
    if isinstance(node, ast.JoinedStr):
        return True
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Mod)
    return isinstance(node, ast.Call) and name_of(node) in ("format", "join", "replace", "str")


def _short(held: Any, index: int) -> Bad:
    """It has no element of that number."""
    least, kind = (index + 1 if index >= 0 else -index), type(held)
    return Bad("shape", lambda one: type(one) is kind and len(one) < least)


def _is_opaque(value: Any) -> bool:
    """A file, a cursor, an iterator of a library: what is in it shows only when it is read."""
    kind = type(value)
    if module_name(kind) == "builtins":
        return has_method(value, "__next__")
    return any(has_method(value, name) for name in ("__next__", "read", "fetchone"))


def steps_of(way: Way) -> Iterator[int]:
    """All that it goes through."""
    return (one.step for one in way.passed if one.step != NOBODY)
