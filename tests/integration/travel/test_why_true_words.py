"""What `why` says of a value is so: which function gave it, whose name it was, what it was that came in."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from travel_harness import in_a_worker, talked

LAMBDA = """
    def handler(event, context):
        d = event.get("x")
        return (lambda x: x + 1)(d)
    """
TWO_LAMBDAS = """
    def handler(event, context):
        d, rows = event.get("x"), [3, 2]
        return sorted(rows, key=lambda x: -x)[0] + (lambda x: x + 1)(d)
    """
NAMED_LAMBDA = """
    def handler(event, context):
        add = lambda count, more=1: count + more
        d = event.get("x")
        return add(d)
    """
MISSING = """
    class Table(dict):
        def __missing__(self, key):
            return None

    def handler(event, context):
        table = Table(a=1)
        price = table["b"]
        return price + 1
    """
ELEMENT = """
    class Table:
        def __getitem__(self, key):
            return None

    def handler(event, context):
        table = Table()
        return table["b"] + 1
    """
GIVEN_OUT = """
    async def numbers():
        yield 1
        yield None

    async def handler(event, context):
        rows = [n async for n in numbers()]
        return rows[1] + 1
    """
OWN_NAME = """
    def handler(event, context):
        word = "Jürgen"
        total = sum(len(word) for word in ["a", "b"])
        return [0][total]
    """
OWN_NAME_OF_A_LIST = """
    def handler(event, context):
        word = "Jürgen"
        total = sum([len(word) for word in ["a", "b"]])
        return [0][total]
    """
OWN_NAME_TWICE = """
    def handler(event, context):
        word = "Jürgen"
        total = len([ord(word[0]) for word in word.split("r")])
        return [0][total]
    """
OWN_NAME_OF_A_LAMBDA = """
    def handler(event, context):
        word = "Jürgen"
        total = sum(map(lambda word: len(word), ["a", "b"]))
        return [0][total]
    """
FAILS_INSIDE = """
    def handler(event, context):
        row = {"price": 1}
        rows = [{"price": 2}, {"price": None}]
        return [row["price"] + 1 for row in rows]
    """
COPIED = """
    LIMITS = {"a": 1, "tags": []}

    def handler(event, context):
        mine = LIMITS.copy()
        mine["tags"] = [*LIMITS["tags"]]
        return mine["tags"][0]
    """


@pytest.mark.parametrize(
    ("code", "said", "unsaid"),
    [
        (LAMBDA, 'd = event.get("x")', "a library has called"),
        (TWO_LAMBDAS, 'd, rows = event.get("x"), [3, 2]', "a library has called"),
        (NAMED_LAMBDA, 'd = event.get("x")', "a library has called"),
        (MISSING, "in Table.__missing__  return None", "a library"),
        (ELEMENT, "in Table.__getitem__  return None", "a library"),
        (GIVEN_OUT, "in numbers  yield None", "returned by"),
        (OWN_NAME, "total = 2", "= 6"),
        (OWN_NAME_OF_A_LIST, "total = 2", "= 6"),
        (OWN_NAME_TWICE, "total = 2", "word[0] = 'J'"),
        (OWN_NAME_OF_A_LAMBDA, "total = 2", "= 6"),
        (FAILS_INSIDE, "row['price'] = None", "row['price'] = 1"),
        (COPIED, "LIMITS['tags'] = [], what it was before the handler began", "\n  what it was before"),
    ],
)
def test_what_is_said_is_so(code: str, said: str, unsaid: str, tmp_path: Path) -> None:
    # Given a failure
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(code))

    # When it is asked why
    text = in_a_worker(file, "handler", talked(["why"]), {})

    # I expect what is so, and not what only seems so
    assert said in text, text
    assert unsaid not in text, text


ASKED = """
    RATE = 3

    def inner(price):
        text = price
        return text + 1

    def handler(event, context):
        price, cart = 5, {"total": None}
        held = [cart]
        return inner(cart["total"])
    """


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["why price"], "price = None"),
        (["u", "why price"], "price = 5"),
        (["u", "why held[0]"], "held[0] = {'total': None}"),
        (["why RATE"], "RATE = 3"),
        (["goto 4", "why price"], "price = None"),
        (["why nothing"], "nothing has no value there, or only code could tell which"),
        (["u", "why cart.nothing"], "cart.nothing has no value there, or only code could tell which"),
    ],
)
def test_what_is_asked_about_is_looked_at_in_its_frame(lines: list[str], said: str, tmp_path: Path) -> None:
    # Given a failure in a function, whose caller has something else of the same name
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(ASKED))

    # When it is asked about a name that the line at which it stands does not read
    text = in_a_worker(file, "handler", talked(lines), {})

    # I expect the value that it has there
    assert said in text, text
    assert "(no value)" not in text
