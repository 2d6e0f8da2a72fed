"""Where the values of a failing line come from: in the process of a run that has just failed again."""

from __future__ import annotations

import ast
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Final

from relive_runtime.debugger.chain import exception_chain, group_members, traceback_of
from relive_runtime.travel.causes.badness import bad_of
from relive_runtime.travel.causes.features import Features
from relive_runtime.travel.causes.following import Following
from relive_runtime.travel.causes.indexes import Choices
from relive_runtime.travel.causes.journal import Journal
from relive_runtime.travel.causes.likelihood import is_led_to, kind_of, likelihoods
from relive_runtime.travel.causes.orders import AFTER
from relive_runtime.travel.causes.proofs import Proofs
from relive_runtime.travel.causes.reasons import reason
from relive_runtime.travel.causes.running import Running
from relive_runtime.travel.causes.slices import Candidate, Slice, Trace
from relive_runtime.travel.causes.suspects import Failing, Suspect, suspects
from relive_runtime.travel.causes.values import MISSING
from relive_runtime.travel.causes.ways import Passed, Way, Ways
from relive_runtime.travel.origins import Link, Spot, Why
from relive_runtime.travel.trail import NOBODY
from relive_runtime.travel.watch import shown

__all__ = ["explained"]

_LOOKED_AT: Final = 6
_AHEAD: Final = 2.0
"""A suspect so far ahead of the others is the one."""
_SURE: Final = 0.93
"""On code that the weights were not fitted to, likelihoods are too high. So a line must be this likely, and
the end of an unbroken chain as well: of such lines 46 of 51 were right, in sets that the weights were not
fitted to (`likelihood.py`); in the later sets alone, 7 of 9."""
_OTHERS: Final = 3
_WORTH_A_LOOK: Final = 0.03
_ADDED: Final = frozenset(("removed", "used up", "ignored", "overwritten", "changed", "merged"))


def explained(
    journal: Journal,
    error: BaseException | None,
    expression: str,
    step: int,
    frame: int,
    own: Callable[[str], bool],
) -> Why:
    """Of `expression` in `frame` before `step`; else of what failed there, with `error`, or in its first
    cause."""
    following = Following(journal)
    if error is not None and not expression:
        failing = _failing(journal, error, own) or _at(journal, step, error)
    else:
        failing = _at(journal, _step_in(journal, frame, step), None)
    if expression:
        node = ast.parse(expression, mode="eval").body
        if error is not None:
            ast.increment_lineno(node, AFTER)
        read = following.read(node, frame, failing.step)
        if read.value is MISSING:
            note = f"{expression} has no value there, or only code could tell which"
            return Why(failing.step, note=note)
        found = [Suspect(read, bad_of(read.value))]
    else:
        found = suspects(failing, following)
    why = Why(failing.step)
    if not found:
        why.note = "this line reads no value that could be followed"
        return why
    ways = Ways(following, failing.step)
    rated = sorted((_rated(ways, one) for one in found[:_LOOKED_AT]), key=lambda pair: -pair[0])
    best, why.about = rated[0][1], _about(journal, rated[0][2])
    others = [points for points, way, _ in rated[1:] if way.root != best.root]
    why.sure = best.sure and (not others or rated[0][0] - others[0] >= _AHEAD)
    _tell_way(why, journal, best)
    if not expression:
        with suppress(RecursionError):
            _rate(why, following, failing, found, [way for _, way, _ in rated])
    if best.unknown and not why.unknown:
        why.unknown, why.sure = f"{rated[0][2].read.text}, {best.unknown}", False
    if failing.beside:
        why.sure = False
        why.note = f"{failing.beside + 1} exceptions are in the group: this is of the first one"
    if journal.threads <= failing.step:
        why.sure = False
        why.note = f"code in other threads, from step {journal.threads} on, was not followed"
    return why


def _tell_way(why: Why, journal: Journal, way: Way) -> None:
    why.links = [_link(journal, one) for one in way.passed]
    why.root, why.kind, why.unknown = way.root, way.kind, way.unknown


def _rate(why: Why, following: Following, failing: Failing, found: list[Suspect], ways: list[Way]) -> None:
    """Name the likeliest of all lines that may be to blame, and the next ones."""
    journal = following.journal
    choices = Choices(journal)
    search = Slice(following, choices, failing.step)
    search.of(found)
    for way in ways:
        if way.root >= journal.start and way.kind in _ADDED:
            search.add(way.root, way.kind, way.passed[-1].value if way.passed else MISSING)
    for way in ways[:1]:
        far = way.root >= journal.start and id(journal.plan(way.root).statement) not in search.found
        if far and way.passed:  # further than the search goes
            search.add(way.root, way.kind or "passed", way.passed[-1].value)
    search.widen(choices)
    candidates = list(search.found.values())
    end = journal.plan(why.root).statement if why.root >= journal.start else None
    unbroken = end if why.sure else None
    checks = isinstance(failing.statement, ast.Raise | ast.Assert)
    pairs = considered(candidates, Features(following, choices, failing, found), end, checks=checks)
    candidates, features = [one for one, _ in pairs], [known for _, known in pairs]
    likely = likelihoods(features)
    order = sorted(range(len(candidates)), key=lambda number: -likely[number])
    if not order:
        return
    best, share = candidates[order[0]], likely[order[0]]
    proofs = Proofs(Running(following, choices, failing.step))
    same_line = [
        one
        for one in ways
        if one.root >= journal.start and journal.plan(one.root).statement is best.statement
    ]
    if same_line:
        _tell_way(why, journal, same_line[0])
    else:
        why.links, why.kind = _links(journal, best.trace), kind_of(proofs.kinds(best.kinds, best.statement))
        why.root, why.unknown = best.step, best.unknown
    why.named = _spot(journal, best, features[order[0]], proofs)
    if why.named.step != why.root:
        why.named = Spot(why.root, why.named.reason)
    why.sure = share >= _SURE and best.statement is unbroken and not why.unknown
    rest = [number for number in order[1 : _OTHERS + 1] if likely[number] >= _WORTH_A_LOOK]
    if not why.sure:
        why.others = [_spot(journal, candidates[number], features[number], proofs) for number in rest]


def considered(
    candidates: list[Candidate], known: Features, end: ast.stmt | None, *, checks: bool
) -> list[tuple[Candidate, dict[str, float]]]:
    """Those that something leads to or speaks against, with what is known of each. `end`: where one value's
    way ends; `checks`: the failing line is a check of the application's own."""
    nearest = min((one.cost for one in candidates), default=0.0)
    pairs = [(one, known.of(one, nearest) | _of_chain(one, end, checks=checks)) for one in candidates]
    return [pair for pair in pairs if is_led_to(pair[1])]


def _spot(journal: Journal, one: Candidate, features: dict[str, float], proofs: Proofs) -> Spot:
    said = reason(features, lambda name: proofs.holds(name, one.statement))
    if not one.defined:
        return Spot(one.step, said)
    code = journal.frames[journal.frame(one.step)].code
    line = one.statement.lineno
    return Spot(one.step, said, code.co_filename, line, journal.text(code, line))


def _of_chain(one: Candidate, end: ast.stmt | None, *, checks: bool) -> dict[str, float]:
    """That one value was followed to it. `checks`: the failing line is a check of the application's own."""
    if one.statement is not end:
        return {}
    found = {"ends a chain": 1.0}
    if checks:
        found["ends a chain of a check"] = 1.0
    return found


def _links(journal: Journal, trace: Trace | None) -> list[Link]:
    found: list[Link] = []
    while trace is not None:
        if trace.before is not None:
            made_of = [
                (text, shown(journal.as_it_was(value, trace.step))) for text, value in trace.made_of[:6]
            ]
            until = trace.step + 1 if trace.step >= journal.start else len(journal)
            value = "" if trace.value is MISSING else shown(journal.as_it_was(trace.value, until))
            found.append(Link(trace.text, value, trace.step, trace.how, made_of))
        trace = trace.before
    return found[::-1]


def _rated(ways: Ways, suspect: Suspect) -> tuple[float, Way, Suspect]:
    way = ways.of(suspect)
    return suspect.weight + way.score, way, suspect


def _link(journal: Journal, one: Passed) -> Link:
    made_of = [(text, shown(journal.as_it_was(value, one.step))) for text, value in one.made_of[:6]]
    until = one.step + 1 if one.step >= journal.start else len(journal)
    return Link(one.text, shown(journal.as_it_was(one.value, until)), one.step, one.how, made_of)


def _about(journal: Journal, suspect: Suspect) -> str:
    """What the failing line stumbled over."""
    read, key = suspect.read, suspect.key
    shown_value = shown(journal.as_it_was(read.value, read.step))
    if key is None:
        return f"{read.text} = {shown_value}"
    index = f", {key.text} = {shown(key.value)}" if not isinstance(key.node, ast.Constant) else ""
    return f"{read.text} has no {shown(key.value)}: it is {shown_value}{index}"


def _at(journal: Journal, step: int, error: BaseException | None) -> Failing:
    last = len(journal) - 1
    step = last if step < 0 else min(max(step, journal.start), last)
    statement = journal.plan(step).statement
    return Failing(error, _message(error), journal.frame(step), step, statement, None)


def _step_in(journal: Journal, frame: int, step: int) -> int:
    """That which a frame is at before a step: of a caller, that which has called."""
    if frame == NOBODY or not journal.start <= step < len(journal) or journal.frame(step) == frame:
        return step
    return next(journal.steps_before(frame, step), step)


def _failing(
    journal: Journal, error: BaseException, own: Callable[[str], bool], seen: frozenset[int] = frozenset()
) -> Failing | None:
    """Of the exception that all began with: its innermost line of the application's. Of a group's the one of
    its exceptions that was there first."""
    for one in exception_chain(error):
        if id(one) in seen:
            continue
        found = _failing_alone(journal, one, own)
        if issubclass(type(one), BaseExceptionGroup):
            known = seen | {id(one)}
            members = [member for how, member in group_members([one]) if how == "in the group"]
            alone = [member for member in members if not issubclass(type(member), BaseExceptionGroup)]
            inner = [failing for member in alone if (failing := _failing(journal, member, own, known))]
            if inner:
                found = replace(min(inner, key=lambda failing: failing.step), beside=len(alone) - 1)
        if found is not None:
            return found
    return None


def _failing_alone(journal: Journal, one: BaseException, own: Callable[[str], bool]) -> Failing | None:
    trace, found = traceback_of(one), None
    while trace is not None:
        if own(trace.tb_frame.f_code.co_filename):
            found = trace
        trace = trace.tb_next
    step = _step_of(journal, found, one) if found is not None else None
    if found is None or step is None:
        return None
    node = _expression(journal, found)
    return Failing(one, _message(one), journal.frame(step), step, journal.plan(step).statement, node)


def _message(error: BaseException | None) -> str:
    try:
        return str(error)[:2_000] if error is not None else ""
    except Exception:
        return ""


def _step_of(journal: Journal, trace: TracebackType, error: BaseException) -> int | None:
    code, line = trace.tb_frame.f_code, trace.tb_lineno
    at = journal.source(code).statement(line)
    found = None
    for step in range(len(journal) - 1, journal.start - 1, -1):
        if step in journal.rounds and step not in journal.raised:
            continue  # a comprehension that fails puts its variables back, which is a step of that line, too
        if journal.frames[journal.frame(step)].code is code:
            statement = journal.plan(step).statement
            if journal.line(step) == line or (statement is not None and statement is at):
                if journal.raised.get(step) is error:
                    return step
                found = step if found is None else found  # of a call that came to its end, maybe
    return found


def _expression(journal: Journal, trace: TracebackType) -> ast.expr | None:
    code = trace.tb_frame.f_code
    positions = list(code.co_positions())
    index = trace.tb_lasti // 2
    first, last, column, end = positions[index] if index < len(positions) else (None,) * 4
    if first is None or last is None or column is None or end is None:
        return None
    return journal.source(code).expression(first, last, column, end)
