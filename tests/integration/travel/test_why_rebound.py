"""A name that is bound elsewhere than by an earlier line of its own function: by an inner function, by the
failing line itself, before a `finally` has run. What `why` is certain of is so."""

from __future__ import annotations

import re
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
FINALLY_AT_THE_END = """
    def get(d):
        try:
            if d.get("q"): return 1  # here
        finally:
            d["x"] = None

    def handler(event, context):
        b = get({"x": 1})
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


ASKED = {
    "values got": "  1  application.py:6 in handler  [None]",
    "origin got": "got = [None]  was given by step 1, application.py:6 in handler",
    "why got": "given by step 1  application.py:6 in handler",
    "why got[0]": "got[0] = None",
}


@pytest.mark.parametrize("line", sorted(ASKED))
def test_what_the_failing_line_bound_is_so_at_the_failure(line: str, tmp_path: Path) -> None:
    # Given a failing line that has bound a name before it failed
    text = textwrap.dedent(WALRUS).lstrip()

    # When it is asked where the value comes from
    said = asked(text, tmp_path, line)

    # I expect the value at the failure, and that line
    assert ASKED[line] in said, said
    assert "old" not in said.split(line)[-1] or line == "values got", said


def test_origin_asked_again_goes_to_the_value_before_the_failing_line(tmp_path: Path) -> None:
    # Given the same
    text = textwrap.dedent(WALRUS).lstrip()

    # When it is asked twice
    said = asked(text, tmp_path, "origin got", "origin")

    # I expect the one before the second time
    assert "got = ['old']  was given by step 0, application.py:5 in handler" in said, said


CHANGED_AT_THE_END = """
    def handler(event, context):
        n = None
        try:
            return n + 1
        finally:
            n = 2
    """


def test_a_local_that_a_finally_has_changed_is_as_the_failure_shows_it(tmp_path: Path) -> None:
    # Given a function whose `finally` runs after its failing line
    text = textwrap.dedent(CHANGED_AT_THE_END).lstrip()

    # When it is asked at the failure
    said = asked(text, tmp_path, "p n", "values n")

    # I expect what pdb shows
    assert re.search(r"^ +3  application.py:6 in handler  2$", said, re.MULTILINE), said


AGAIN = """
    def handler(event, context):
        totals, key = {"dvd": 1}, "dvd"
        for n in range(3):
            totals[key] = None
        k = 3
        return totals["dvd"] + k
    """


def test_origin_and_why_agree_on_what_was_given_again(tmp_path: Path) -> None:
    # Given a value that was given three times
    text = textwrap.dedent(AGAIN).lstrip()

    # When both are asked
    said = asked(text, tmp_path, "why", "origin totals['dvd']")

    # I expect the last one of the three
    assert " at step 6  application.py:4" in said, said
    assert "totals['dvd'] = None  was given by step 6, application.py:4 in handler" in said, said


FROM_OUTSIDE = """
    T = 1

    def handler(event, context):
        global T
        u = 1
        T = None
        u = None
        def inner():
            return u + T
        return inner()
    """


@pytest.mark.parametrize(("name", "step"), [("T", 1), ("u", 2)])
def test_origin_of_what_another_function_gave_is_not_the_call(name: str, step: int, tmp_path: Path) -> None:
    # Given a function that reads a variable of another one and a global
    text = textwrap.dedent(FROM_OUTSIDE).lstrip()

    # When it is asked in that function
    said = asked(text, tmp_path, f"origin {name}")

    # I expect the step that gave it
    assert f"{name} = None  was given by step {step}, application.py:" in said, said
    assert "with the call" not in said


GROUP = """
    import asyncio

    async def good():
        await asyncio.sleep(1)

    async def job(d):
        await asyncio.sleep(0.1)
        b = d.get("x")  # here
        return b + 1

    async def handler(event, context):
        d = {"y": 1}
        async with asyncio.TaskGroup() as tg:
            tg.create_task(good())
            tg.create_task(job(d))
        return 1
    """


@pytest.mark.parametrize("several", [False, True])
def test_of_an_exception_group_the_first_member_is_followed(several: bool, tmp_path: Path) -> None:
    # Given a job of a group that failed, or two of them
    text = textwrap.dedent(GROUP).lstrip()
    if several:
        text = text.replace("create_task(good())", "create_task(job(d))").replace("sleep(0.1)", "sleep(0)")

    # When it is asked why
    said = asked(text, tmp_path, "why")

    # I expect the job's line, and how many there are
    verdict = next(line for line in said.splitlines() if line.startswith("→"))
    assert f":{line_of(text)} in job" in verdict, said
    assert ("2 exceptions are in the group: this is of the first one" in said) == several
    assert "TaskGroup cancelling" not in said


RECURSION = """
    class Node:
        def __init__(self, v, nxt):
            self.v = v
            self.nxt = nxt

    def total(node):
        return 0 if node is None else node.v + total(node.nxt)

    def handler(event, context):
        return total(Node(1, Node(event.get("v"), None)))
    """
OPERATOR = """
    class Money:
        def __init__(self, v):
            self.v = v

        def __iadd__(self, other):
            self.v = self.v + other
            return self

    def handler(event, context):
        a = Money(1)
        n = event.get("q")  # here
        a += n
        return a.v
    """
CLASS = """
    class A:
        total = 0

    def put(n):
        A.total = n

    def handler(event, context):
        n = event.get("q")  # here
        put(n)
        return A.total + 1
    """
OF_AN_OBJECT = """
    class A:
        total = 0

        @classmethod
        def put(cls, n):
            cls.total = n

        def get(self):
            return self.total + 1

    def handler(event, context):
        n = event.get("q")  # here
        A.put(n)
        return A().get()
    """
DEEP = """
    def down(n, x):
        if n == 0:
            return x + 1
        return down(n - 1, x)

    def handler(event, context):
        y = event.get("q")  # here
        return down(300, y)
    """


def test_the_failing_call_of_a_recursion_is_the_one_that_failed(tmp_path: Path) -> None:
    # Given a line that fails in a call, after the same line has come to its end in a deeper one
    text = textwrap.dedent(RECURSION).lstrip()

    # When it is asked why
    said = asked(text, tmp_path, "why", "values node.v")

    # I expect the call that failed
    assert "\nstep 6  application.py:7 in total" in said, said
    assert "  node.v = None" in said, said
    assert said.rstrip().endswith("  None"), said


@pytest.mark.parametrize("text", [OPERATOR, CLASS, OF_AN_OBJECT, DEEP])
def test_it_is_followed_through_operators_classes_and_deep_recursions(text: str, tmp_path: Path) -> None:
    # Given such a way
    text = textwrap.dedent(text).lstrip()

    # When it is asked why
    said = asked(text, tmp_path, "why")

    # I expect where the value arose
    verdict = next(line for line in said.splitlines() if line.startswith("→"))
    assert f":{line_of(text)} in" in verdict, said
    assert "library" not in said


def test_it_is_said_that_a_value_was_followed_no_further(tmp_path: Path) -> None:
    # Given a value that goes a long way
    text = """
        def handler(event, context):
            x = event.get("q")
            for n in range(1_200):
                y = x
                x = y
            return x + 1
        """

    # When it is asked why
    said = asked(textwrap.dedent(text).lstrip(), tmp_path, "why x")

    # I expect that to be said, and not all of the way
    assert "not known where it arose: it was followed 1,000 steps back, and no further" in said, said
    assert "(960 more steps are left out)" in said, said
    assert "→ arose" not in said


@pytest.mark.parametrize("line", ["why", "why nosuch"])
def test_no_answer_is_marked_as_none(line: str, tmp_path: Path) -> None:
    # Given a failure of which nothing can be followed
    text = "def handler(event, context):\n    raise ValueError('x')\n"

    # When it is asked why
    said = asked(text, tmp_path, line)

    # I expect the reason with the mark that sets the exit status
    assert re.search(r"^\*\*\* ", said, re.MULTILINE), said
