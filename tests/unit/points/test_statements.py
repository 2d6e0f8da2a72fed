"""A point belongs to a statement: hit once for each time that it runs, wherever its lines and parts are."""

from __future__ import annotations

import ast
import sys
import textwrap
import types
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from relive_base.wire.messages import Statement
from relive_platform.engine.statements import Statements
from relive_runtime.points.lines import watched_lines


def run(source: str, *lines: int, tmp_path: Path, call: str = "handler") -> tuple[list[int], Counter[int]]:
    """The lines that were given for these, and how often each of those was hit in one call."""
    file = str(tmp_path / "watched.py")
    module = types.ModuleType("watched")
    exec(compile(source, file, "exec"), module.__dict__)  # noqa: S102 - it is in this file
    statements = Statements(source.encode(), file)
    found = [one for line in lines if (one := statements.at(line)) is not None]
    shown = dict(found)
    hits: Counter[int] = Counter()

    def hit(_frame: object, _file: str, statement: Statement) -> None:
        hits[shown[statement]] += 1

    traced = sys.gettrace()
    sys.settrace(None)  # coverage's, if there is one
    watched = watched_lines({file: frozenset(shown)}, hit)
    try:
        module.__dict__[call]()
    finally:
        watched.stop()
        sys.settrace(traced)
    return [line for _, line in found], hits


@pytest.mark.parametrize(
    ("body", "line", "shown", "times"),
    [
        ("total = sum(one for one in rows)", 3, 3, 1),
        ("rows.sort(key=lambda one: -one)", 3, 3, 1),
        ("found = [one for one in rows]", 3, 3, 1),
        ("found = {one: 1 for one in rows if one}", 3, 3, 1),
        ('return {"a": 1,\n "rows": len(rows)}', 3, 3, 1),
        ('return {"a": 1,\n "rows": len(rows)}', 4, 3, 1),
        ("found = (\n len(rows)\n)", 3, 3, 1),
        ("found = (\n len(rows)\n)", 4, 3, 1),
        ("found = (\n len(rows)\n)", 5, 3, 1),
        ("found = len(\n # why\n rows)", 4, 3, 1),
        ("rows.sort(\n key=lambda one: (\n  one,\n  -one))", 5, 5, 3),
        ("rows.sort(\n key=lambda one: (\n  one,\n  -one))", 6, 6, 3),
        ("rows.sort(\n key=lambda one: (\n  one,\n  -one))", 4, 3, 1),
        ("rows.sort(key=lambda one:\n -one)", 4, 4, 3),
        ("rows.sort(key=lambda one: max(\n one, 1))", 4, 4, 3),
        ("total = sum(\n abs(\n  one)\n for one in rows\n if one > 1)", 4, 4, 3 - 1),
        ("total = sum(\n abs(\n  one)\n for one in rows\n if one > 1)", 5, 4, 3 - 1),
        ("total = sum(\n abs(\n  one)\n for one in rows\n if one > 1)", 6, 3, 1),
        ("total = sum(\n abs(\n  one)\n for one in rows\n if one > 1)", 7, 7, 3),
        ("found = [\n abs(one)\n for one in rows\n if one > 1\n]", 4, 4, 2),
        ("found = [\n abs(one)\n for one in rows\n if one > 1\n]", 6, 6, 3),
        ("found = {\n one:\n  abs(one)\n for one in rows\n}", 5, 4, 3),
        ("found = [\n two\n for one in rows\n for two in range(\n  one)\n]", 4, 4, 6),
        ("found = [\n two\n for one in rows\n for two in range(\n  one)\n]", 7, 6, 3),
        ("with open('/dev/null') as file:\n file.read()", 3, 3, 1),
        ("with (open('/dev/null') as file,\n  open('/dev/null')):\n file.read()", 4, 3, 1),
        ("try:\n rows[9]\nexcept IndexError as error:\n str(error)", 5, 5, 1),
        ("try:\n rows[9]\nexcept (KeyError,\n  IndexError) as error:\n str(error)", 6, 5, 1),
        ("try:\n rows[9]\nexcept IndexError as error:\n str(error)", 3, 3, 1),
        ("try:\n len(rows)\nfinally:\n max(\n  rows)", 6, 6, 1),
        (
            "for _ in 1, 2:\n try:\n  rows[9]\n except IndexError:\n  continue\n finally:\n  max(\n   rows)",
            9,
            9,
            2,
        ),
        ("if (len(rows) > 1\n and rows):\n len(rows)", 4, 3, 1),
        ("if not rows:\n pass\nelif len(\n  rows):\n len(rows)", 6, 5, 1),
        ("match rows:\n case [1]:\n  pass\n case [a,\n   b, c] if a:\n  len(rows)", 6, 6, 1),
        ("match rows:\n case [1]:\n  pass\n case [a,\n   b, c] if a:\n  len(rows)", 3, 3, 1),
        ("@staticmethod\ndef inner(\n  one=len(rows)):\n return one", 3, 3, 1),
        ("@staticmethod\ndef inner(\n  one=len(rows)):\n return one", 5, 3, 1),
        ("class Inner:\n kind = (\n  len(rows))", 5, 4, 1),
        ("while rows:\n rows.pop(\n  )", 4, 4, 3),
        ("while True:\n if not rows: break\n rows.pop(\n  )", 5, 5, 3),
        ("while True:\n rows.append(\n  1)\n if len(rows) > 5: break", 4, 4, 3),
        ("assert (\n rows), (\n 1)", 3, 3, 1),
        ("found = rows[0] if rows else (\n 1)", 4, 3, 1),
        ("found = f'''{len(rows)}\n{rows[0]} {max(\n rows)}'''", 3, 3, 1),
        ("rows.sort(key=lambda one: 3); rows.sort(\n key=lambda one:\n  7)", 5, 5, 3),
        ("pass", 3, 3, 1),
        ("one = 1; two = max(\n 1, 2); three = 3", 3, 3, 1),
    ],
    ids=str,
)
def test_a_line_is_its_statements_which_is_hit_once_each_time(
    tmp_path: Path, body: str, line: int, shown: int, times: int
) -> None:
    source = "def handler():\n rows = [3, 1, 2]\n" + textwrap.indent(body, " ") + "\n"

    assert run(source, line, tmp_path=tmp_path) == ([shown], Counter({shown: times}))


@pytest.mark.parametrize(
    "one", ["def one(given): return max(given, 1)", "def one(given): return max(\n given, 1)"]
)
def test_a_function_on_one_line_is_hit_at_each_call(tmp_path: Path, one: str) -> None:
    source = f"{one}\ndef handler():\n return [one(number) for number in range(3)]\n"

    assert run(source, 1, tmp_path=tmp_path) == ([1], Counter({1: 3}))


@pytest.mark.parametrize("head", ["while rows:", "while rows and len(\n  rows):"])
def test_the_line_of_a_while_is_hit_in_each_round(tmp_path: Path, head: str) -> None:
    source = f"def handler():\n rows = [3, 1, 2]\n {head}\n  rows.pop()\n"

    assert run(source, 3, tmp_path=tmp_path) == ([3], Counter({3: 4}))


@pytest.mark.parametrize("head", ["for one in rows:", "for one in list(\n  rows):", "for (one\n  ) in rows:"])
def test_the_line_of_a_for_is_hit_in_each_round(tmp_path: Path, head: str) -> None:
    source = f"def handler():\n rows = [3, 1, 2]\n {head}\n  str(one)\n"

    assert run(source, 3, tmp_path=tmp_path) == ([3], Counter({3: 4}))


AWAITS = """
import asyncio
class Door:
    async def __aenter__(self):
        await asyncio.sleep(0)
    async def __aexit__(self, *_):
        await asyncio.sleep(0)
async def numbers():
    for one in (1, 2):
        got = yield (
            one)
async def given(one):
    await asyncio.sleep(
        0)
    return one
async def awaits():
    async with Door():
        total = await given(
            1)
    async for one in numbers():
        total += await given(one)
    return [await given(one)
        async for one in numbers()]
def handler():
    return asyncio.run(awaits())
"""


@pytest.mark.parametrize(
    ("line", "times"), [(10, 4), (13, 5), (15, 5), (17, 1), (18, 1), (20, 3), (21, 2), (22, 1)]
)
def test_what_waits_in_the_middle_is_hit_once(tmp_path: Path, line: int, times: int) -> None:
    assert run(AWAITS, line, tmp_path=tmp_path) == ([line], Counter({line: times}))


class Counting(ast.NodeTransformer):
    """Has each statement of functions counted before it runs, by its first line."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and not isinstance(node, ast.Module):
                setattr(node, name, [one for found in block for one in (self._mark(found), found)])
        return node

    def _mark(self, node: ast.stmt) -> ast.stmt:
        line = min([node, *getattr(node, "decorator_list", ())], key=lambda one: one.lineno).lineno
        call = ast.parse(f"passes({line})").body[0]
        return ast.copy_location(call, node)


MANY = '''
import contextlib, functools

def maybe(number):
    if number % 3 == 0:
        raise ValueError(
            number)
    return number

@contextlib.contextmanager
def door(number):
    try:
        yield (
            number)
    except ValueError as error:
        str(
            error)
        if number > 3:
            raise
    finally:
        found = [
            number
            for _ in range(number)
        ]
        functools.reduce(
            lambda one, two: one + two,
            found, 0)

def one(number):
    with door(number) as given, door(
            given + 1):
        total = maybe(
            given) + maybe(given + 1)
        if total > 5: return (
            total)
        while total < 9:
            total += maybe(
                total)
            if total == 7:
                continue
            if total == 8:
                break
        else:
            total = max(
                (total if total else
                 number), 1)
        return {
            "total": total,
            "number": [one
                       for one in range(number)]}
    try:
        maybe(
            number)
    except (KeyError,
            ValueError):
        try:
            return maybe(
                number + 1)
        finally:
            number = (
                -number)
    else:
        number = 1
    @functools.lru_cache(
        maxsize=3)
    def inner(
            given=max(
                number, 1)):
        return given * (
            number)
    class Inner:
        kind = (
            inner())
        def get(self):
            return [self.kind
                    for _ in range(2)]
    assert Inner().get(), (
        number)
    return inner(
        *[number for _ in "a"])

def handler():
    """All of it."""
    found = []
    for number in range(
            -4, 12):
        try:
            found.append(
                one(number))
        except ValueError as error: found.append(
            str(error))
        else:
            del (
                number)
    global last
    last = (
        found)
    return found
'''


def test_each_statement_is_hit_as_often_as_it_runs(tmp_path: Path) -> None:
    # Given a module that counts its own statements
    tree = ast.fix_missing_locations(Counting().visit(ast.parse(MANY)))
    counted: Counter[int] = Counter()
    names: dict[str, Any] = {"passes": lambda line: counted.update([line])}
    exec(compile(tree, "counted.py", "exec"), names)  # noqa: S102 - it is in this file
    names["handler"]()
    # When each line of one that does not is watched
    shown, hits = run(MANY, *range(1, MANY.count("\n") + 1), tmp_path=tmp_path)
    # I expect the same numbers; loops are hit in each round, handlers are no statements, others have no code
    loops = {node.lineno for node in ast.walk(ast.parse(MANY)) if isinstance(node, ast.For | ast.While)}
    handlers = {node.lineno for node in ast.walk(ast.parse(MANY)) if isinstance(node, ast.ExceptHandler)}
    for line in loops:
        assert hits.pop(line) >= counted.pop(line)
    silent = {line for line in counted if line not in shown}
    assert [MANY.splitlines()[line - 1].strip() for line in silent] == ['"""All of it."""', "global last"]
    parts = {line: hits.pop(line) for line in list(hits) if line not in counted and line not in handlers}
    assert parts
    assert {line: times for line, times in hits.items() if line in counted} == {
        line: times for line, times in counted.items() if line in shown
    }
