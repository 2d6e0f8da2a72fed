"""`why` never tells of another failure than the one that it was asked about."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from relive_runtime.travel.endings import differing, endings
from travel_harness import in_a_worker, talked

WEAK = """
    import weakref

    class Session:
        user = "a"

    CACHE = weakref.WeakValueDictionary()

    def handler(event, context):
        session = Session()
        CACHE["a"] = session
        session = None
        found = CACHE.get("a")
        return found.user
    """
DELETED = """
    LOG = []

    class Res:
        def __init__(self, number):
            self.number = number
        def __del__(self):
            LOG.append(self.number)

    def handler(event, context):
        LOG.clear()
        res = Res(1)
        res = Res(2)
        count = len(LOG)
        rows = []
        return rows[count]
    """
COUNTED = """
    import sys

    class Thing:
        pass

    def handler(event, context):
        table = {}
        thing = Thing()
        thing.size = 1
        return table[sys.getrefcount(thing)]
    """
CALLBACK = """
    import weakref

    class Session:
        pass

    GONE = []

    def handler(event, context):
        session = Session()
        watch = weakref.ref(session, GONE.append)
        session = None
        first, = GONE
        rows = {}
        return rows["a"]
    """


LET_GO = """
    def rows():
        try:
            yield 1
            yield 2
        finally:
            closed = True

    def first():
        numbers = rows()
        return next(numbers)

    def handler(event, context):
        one = first()
        found = event.get("found")
        return found + one
    """


@pytest.mark.parametrize(
    ("code", "why", "expected"),
    [
        (WEAK, "why", "it has not failed, and not AttributeError: 'NoneType' object has no attribute 'user'"),
        (WEAK, "why found", "it has not failed, and not AttributeError"),
        (DELETED, "why", "went another way than this one from step "),
        (DELETED, "why count", "went another way than this one from step "),
        (COUNTED, "why", ", and not KeyError: 2 at application.py:11"),
        (LET_GO, "why", "went another way than this one from step "),
        (CALLBACK, "why", "went another way than this one from step "),
    ],
)
def test_a_run_that_is_not_the_same_explains_nothing(
    code: str, why: str, expected: str, tmp_path: Path
) -> None:
    # Given a failure that depends on when objects go
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(code))

    # When it is asked why
    text = in_a_worker(file, "handler", talked([why]), {})

    # I expect that it is said to be another run, and what can be done; and nothing else
    assert expected in text, text
    assert ("kept alive" in text) != ("→ " in text)


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


class Thing:
    """Shown with its address."""


def is_same(one: BaseException, other: BaseException) -> bool:
    ours = [endings(raised(error), lambda file: file == __file__) for error in (one, other)]
    return differing(*ours) is None


def test_addresses_and_the_order_of_sets_are_no_other_way() -> None:
    # Given messages that are different in each run, and such as are not
    first, second = Thing(), Thing()
    some, others = "{<Thing object at 0x7f00>, 1}", "{1, <Thing object at 0x7f10>}"

    # I expect that only those of another failure differ
    assert is_same(ValueError(f"no {first}"), ValueError(f"no {second}"))
    assert is_same(KeyError(first), KeyError(second))
    assert is_same(ValueError(f"of {id(first)}"), ValueError(f"of {id(second)}"))
    assert is_same(ValueError(f"one of {some}"), ValueError(f"one of {others}"))
    assert not is_same(ValueError("1 is not 2"), ValueError("2 is not 1"))
    assert not is_same(KeyError(2), KeyError(6))
    assert not is_same(KeyError("a"), LookupError("a"))
    assert not is_same(KeyError(10**5000), KeyError(2))
