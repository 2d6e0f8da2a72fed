"""A name that is bound elsewhere than by an earlier line of its own function: by an inner function, by the
failing line itself, before a `finally` has run. What `why` is certain of is so."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from travel_harness import in_a_worker, talked

NONLOCAL = """
    def handler(event, context):
        t = 1
        def inner():
            nonlocal t
            t = None  # here
        inner()
        return t + 1
    """
ACCUMULATOR = """
    def handler(event, context):
        total, rows = 0, [1, 2, 0]
        def add(row):
            nonlocal total
            total = row / 2  # here
        list(map(add, rows))
        return 1 / total
    """
FACTORY = """
    def make():
        value = 0
        def get():
            return value
        def put(new):
            nonlocal value
            value = new  # here
        return get, put

    def handler(event, context):
        get, put = make()
        other_get, other_put = make()
        put(None)
        other_put(2)
        return get() + 1
    """
DEEPER = """
    def handler(event, context):
        t = 1
        def outer():
            def inner():
                nonlocal t
                t = None  # here
            inner()
        outer()
        u = 2
        return t + u
    """
BEFORE_ITS_CALL = """
    def handler(event, context):
        t = None  # here
        def inner():
            nonlocal t
            t = 5
        def reads():
            return t + 1
        x = reads()
        inner()
        return x
    """
GLOBAL = """
    T = 1

    def put():
        global T
        T = None  # here

    def handler(event, context):
        put()
        return T + 1
    """
UNDER_WAY = """
    T = 1

    def found():
        return T + 1

    def handler(event, context):
        global T
        T = None  # here
        T = found()
        return T
    """
WALRUS = """
    def find(event):
        return [None]  # here

    def handler(event, context):
        got = ["old"]
        return (got := find(event)) and got[0] + 1
    """
ONE_LINE = """
    def handler(event, context):
        n = 3
        n = None; return n + 1  # here
    """
IN_A_COMPREHENSION = """
    def handler(event, context):
        n = 1
        rows = [1, None]  # here
        return [n := x for x in rows] and n + 1
    """
UNPACKED = """
    def handler(event, context):
        x, xs = 5, [1, 2]
        x, xs[x - 5] = None, x  # here
    """
TEST_OF_A_CHOICE = """
    def handler(event, context):
        n = 1
        return n + 1 if (n := event.get("x")) is None else 0  # here
    """
NOT_YET = """
    def handler(event, context):
        n = event.get("x")  # here
        return n + (n := 1)
    """
FINALLY = """
    def get(d):
        try:
            return d.get("y")  # here
        finally:
            d["x"] = None

    def handler(event, context):
        d = {"x": 1}
        b = get(d)
        return b + 1
    """
FINALLY_RETURNS = """
    def get(d):
        try:
            return d["y"]
        finally:
            return d.get("z")  # here

    def handler(event, context):
        d = {"x": 1, "y": 2}
        b = get(d)
        return b + 1
    """
FINALLY_IN_A_LOOP = """
    def get(d):
        for key in ("y", "z"):
            try:
                return d[key]
            except KeyError:
                d[key] = None
            finally:
                if key:
                    d["x"] = None

    def handler(event, context):
        d = {"x": 1}
        d["z"] = None
        d["y"] = None  # here
        b = get(d)
        return b + 1
    """
WITH = """
    class Closing:
        def __init__(self, d):
            self.d = d

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.d["x"] = None

    def get(d):
        with Closing(d):
            return d.get("y")  # here

    def handler(event, context):
        d = {"x": 1}
        b = get(d)
        return b + 1
    """
NAMES = [name for name in dir() if name.isupper()]


def line_of(text: str, mark: str = "# here") -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if mark in line)


def asked(text: str, tmp_path: Path, *lines: str, event: object = None) -> str:
    file = tmp_path / "application.py"
    file.write_text(text)
    said: str = in_a_worker(file, "handler", talked([*lines, "q"]), event)
    return said


@pytest.mark.parametrize("name", sorted({*NAMES}))
def test_the_line_that_has_given_the_value_is_named_whoever_it_was(name: str, tmp_path: Path) -> None:
    # Given a value that an inner function, the failing line itself, or a return before a `finally` has given
    text = textwrap.dedent(globals()[name]).lstrip()

    # When it is asked why
    said = asked(text, tmp_path, "why")

    # I expect that line as the first to look at
    verdict = next(line for line in said.splitlines() if line.startswith("→"))
    assert f":{line_of(text)} in" in verdict, said


@pytest.mark.parametrize("name", sorted({*NAMES}))
def test_nothing_is_certain_of_a_line_that_has_given_another_value(name: str, tmp_path: Path) -> None:
    # Given such a value
    text = textwrap.dedent(globals()[name]).lstrip()

    # When it is asked why
    said = asked(text, tmp_path, "why")

    # I expect only a line that gave it to be said as certain
    for line in said.splitlines():
        if line.startswith("→ arose at"):
            assert f":{line_of(text)} in" in line, said
