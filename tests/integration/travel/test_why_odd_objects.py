"""What `why` makes of objects whose code must not be run, and of values that Python refuses to show."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from travel_harness import in_a_worker, talked

COUNTING = """
    class Counting(dict):
        asked = 0
        def items(self):
            Counting.asked += 1
            return super().items()
        def keys(self):
            Counting.asked += 1
            return super().keys()
        def __iter__(self):
            Counting.asked += 1
            return super().__iter__()
        def __len__(self):
            Counting.asked += 1
            return super().__len__()

    class Rows(list):
        def __iter__(self):
            raise ValueError("gone through")
        def __len__(self):
            raise ValueError("measured")

    def handler(event, context):
        table, rows = Counting(a=1), Rows()
        table["b"] = rows
        rows.append(len(table))
        if Counting.asked != 1:
            raise RuntimeError(f"asked {Counting.asked} times")
        found = table.get("c")
        return found + 1
    """
CLASSES_COMPARED = """
    class Meta(type):
        def __eq__(cls, other):
            raise TypeError("a class was compared")
        __hash__ = type.__hash__
        def __getattr__(cls, name):
            raise RuntimeError(name)

    class Model(metaclass=Meta):
        size = None

    def handler(event, context):
        models = [Model()]
        found = event.get("found")
        return found + len(models)
    """
OWN_DICT = """
    class Proxy:
        def __getattr__(self, name):
            raise RuntimeError(f"no {name} outside of a request")
        @property
        def __dict__(self):
            raise RuntimeError("no names outside of a request")
        @property
        def __class__(self):
            raise RuntimeError("no class outside of a request")

    request = Proxy()

    def handler(event, context):
        held = [request, {"request": request}]
        found = event.get("found")
        return found + len(held)
    """
LONG_KEYS = """
    def handler(event, context):
        wanted = 10 ** 5000
        table = {wanted + 1: "a", "b": 1}
        found = table.get(wanted)
        return found + 1
    """
LONG_NUMBERS = """
    def handler(event, context):
        found, limit = 7 ** 900, 7 ** 900 + 9 ** 500
        if found == limit or found == 0.5:
            return found
        raise ValueError("not what was signed")
    """


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (COUNTING, 'found = table.get("c")'),
        (CLASSES_COMPARED, 'found = event.get("found")'),
        (OWN_DICT, 'found = event.get("found")'),
        (LONG_KEYS, "found = table.get(wanted)"),
        (LONG_NUMBERS, "found, limit = 7 ** 900, 7 ** 900 + 9 ** 500"),
    ],
    ids=["counting", "classes compared", "own dict", "long keys", "long numbers"],
)
def test_the_line_is_named_and_no_code_of_theirs_is_run(code: str, expected: str, tmp_path: Path) -> None:
    # Given a failure of code with objects that fail, or change, when anybody looks at them
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(code))

    # When it is asked why
    text = in_a_worker(file, "handler", talked(["why"]), {})

    # I expect the line at which the value arose, in a run that went the same way
    named = next(line for line in text.splitlines() if line.startswith("→ "))
    assert named.endswith(expected), text
    assert "could not be followed" not in text


PROXY = """
    class Lookup:
        def __get__(self, instance, owner=None):
            return self
        def __call__(self):
            raise RuntimeError("outside of a request")

    class Proxy:
        __next__ = Lookup()
        __iter__ = Lookup()

    request = Proxy()

    def handler(event, context):
        here = request
        first = here is None
        found = event.get("found") if here is request else first
        return found + 1
    """


def test_what_stands_for_another_object_is_not_said_to_be_read_once(tmp_path: Path) -> None:
    # Given an object that has each method in name only, as it hands all on to another one
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(PROXY))

    # When it is asked why
    text = in_a_worker(file, "handler", talked(["why"]), {})

    # I expect no word of an iterator
    assert "found = None" in text
    assert "can be read once" not in text


LARGE = """
    def handler(event, context):
        table = {number: str(number) for number in range(3_000)}
        for number in range(300):
            table[number] = None
        found = table[5]
        return found + "!"
    """


def test_of_a_large_container_it_says_that_not_all_of_it_is_known(tmp_path: Path) -> None:
    # Given a value that a line has put into a container of more items than are looked at
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(LARGE))

    # When it is asked why
    text = in_a_worker(file, "handler", talked(["why"]), {})

    # I expect that as the reason, and not that no line has put it there
    assert "not all that is in it was looked at: it has 3,000 items" in text
    assert "no line that was followed" not in text


GENERATORS = """
    def lines(text):
        for line in text.splitlines():
            yield line.strip()

    def pairs(source):
        for line in source:
            key, _, value = line.partition("=")
            got = yield key, value or None
            if got:
                yield got

    def merged(*sources):
        for source in sources:
            yield from source

    def handler(event, context):
        conf = dict(merged(pairs(lines("a=1 \\nb\\nc=3")), pairs(lines("d=4"))))
        return sum(int(value) for value in conf.values())
    """
CALLED = """
    class Cached:
        def __init__(self, function):
            self.function, self.known = function, {}
        def __call__(self, code):
            if code not in self.known:
                self.known[code] = self.function(code)
            return self.known[code]

    @Cached
    def rate(code):
        return {"EUR": 1.0, "USD": None}[code]

    def price(cents, code):
        return cents * rate(code)

    def handler(event, context):
        return price(100, "EUR") + price(100, "USD")
    """


def test_of_what_generators_gave_to_a_library_the_line_that_called_it_is_not_sure(tmp_path: Path) -> None:
    # Given a value that a generator has made, and that `dict` has put into another object
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(GENERATORS))

    # When it is asked why
    text = in_a_worker(file, "handler", talked(["why"]), {})

    # I expect no certainty about the line that has only handed it on
    assert "conf = dict(" in text
    assert "arose at" not in text


def test_what_an_object_gave_that_is_called_like_a_function_is_the_bad_value(tmp_path: Path) -> None:
    # Given an operand that is the result of an object's `__call__`, beside one that is good
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(CALLED))

    # When it is asked why
    text = in_a_worker(file, "handler", talked(["why"]), {})

    # I expect it to be named, and the good one not
    assert "rate(code) = None" in text
    assert "cents = 100" not in text


OPERANDS = """
    def handler(event, context):
        host = event.get("host")
        port = event.get("port", None)
        return (host or "localhost") + ":" + port
    """


def test_the_operand_that_failed_is_named_before_what_is_deeper_in_the_line(tmp_path: Path) -> None:
    # Given a line that reads two values that are None, and has dealt with the first
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(OPERANDS))

    # When it is asked why
    text = in_a_worker(file, "handler", talked(["why"]), {})

    # I expect the second as what it stumbled over, and the line that gave it
    assert "\n  port = None\n" in text
    assert next(row for row in text.splitlines() if row.startswith("→ ")).endswith('event.get("port", None)')
