"""`why` hashes, compares, goes through and names the user's objects without their code: a run that it follows
counts nothing that the failure did not count."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from travel_harness import in_a_worker, talked

COUNTED = """
    COMPARED = []

    class K:
        def __init__(self, n):
            self.n = n
        def __hash__(self):
            return 1
        def __eq__(self, other):
            COMPARED.append(1)
            return self is other

    def handler(event, context):
        COMPARED.clear()
        keys = {K(1), K(2), K(3)}
        rows = [10, 20, 30]
        size = len(COMPARED)
        spare = len(keys)
        many = len(COMPARED)
        return rows[many + spare - size]
    """

SPY = """
    import collections
    import enum
    import sys
    from dataclasses import dataclass

    def spied(what):
        caller = sys._getframe(2)
        file = caller.f_code.co_filename
        if "relive_runtime" in file or "relive_capture" in file:
            with open(__file__ + ".asked", "a") as log:
                log.write(f"{what} by {file}:{caller.f_lineno}\\n")

    class Meta(type):
        def __getattribute__(cls, name):
            spied("metaclass __getattribute__ " + name)
            return type.__getattribute__(cls, name)
        def __eq__(cls, other):
            spied("metaclass __eq__")
            return cls is other
        def __hash__(cls):
            spied("metaclass __hash__")
            return 7
        def __instancecheck__(cls, one):
            spied("__instancecheck__")
            return False
        def __subclasscheck__(cls, one):
            spied("__subclasscheck__")
            return False

    class K(metaclass=Meta):
        def __init__(self, n):
            self.n = n
        def __getattribute__(self, name):
            spied("__getattribute__ " + name)
            return object.__getattribute__(self, name)
        def __hash__(self):
            spied("__hash__")
            return hash(1)
        def __eq__(self, other):
            spied("__eq__")
            return self is other
        def __len__(self):
            spied("__len__")
            return 1
        def __bool__(self):
            spied("__bool__")
            return True
        def __iter__(self):
            spied("__iter__")
            return iter(())
        @property
        def __class__(self):
            spied("__class__")
            return int
    """

RUNS = {
    "deleted keys": """
        def handler(event, context):
            table = {K(n): n for n in range(40)}
            for key in list(table)[5:]:
                del table[key]
            found = event.get("found")
            return found + len(table)
        """,
    "a key in an arm that is not taken": """
        def handler(event, context):
            book = {K(1): 1}
            price = book[1] if event.get("want") else None
            return price + 1
        """,
    "attributes beside a key": """
        class Holder:
            pass
        def handler(event, context):
            holder = Holder()
            vars(holder)[K(3)] = 3
            holder.size = None
            return holder.size + 1
        """,
    "a tuple with one": """
        def handler(event, context):
            book = {(K(1), 2): 5, "a": 1}
            price = book[(1, 2)] if event.get("want") else None
            return price + book["a"]
        """,
    "an enum": """
        class Color(enum.Enum):
            RED = 1
            BLUE = 2
            def __hash__(self):
                spied("enum __hash__")
                return 1
            def __eq__(self, other):
                spied("enum __eq__")
                return self is other
        def handler(event, context):
            names = {Color.RED: "a", Color.BLUE: "b"}
            found = names[Color.RED] if event.get("want") else None
            return found + names[Color.BLUE]
        """,
    "a list of a metaclass": """
        class T(list, metaclass=Meta):
            def __len__(self):
                spied("list __len__")
                return list.__len__(self)
            def __getitem__(self, at):
                spied("list __getitem__")
                return list.__getitem__(self, at)
        def handler(event, context):
            rows = T([1, K(2), K(3)])
            rows.append(None)
            last = rows[-1]
            return last + 1
        """,
    "a deque": """
        class D(collections.deque):
            def __len__(self):
                spied("deque __len__")
                return 2
        def handler(event, context):
            rows = D([1, 2, None])
            last = rows[-1] if event.get("want") else None
            return last + 1
        """,
    "a frozen dataclass": """
        @dataclass(frozen=True)
        class Place:
            x: object
            y: object
        def handler(event, context):
            seen = {Place(K(1), 2), Place(K(2), 3)}
            prices = {Place(K(1), 2): 1}
            found = event.get("found")
            return found + len(seen) + len(prices)
        """,
    "an exception": """
        class Wrong(KeyError):
            @property
            def args(self):
                spied("args")
                return ()
        def handler(event, context):
            book = {K(1): None, "b": 2}
            def price(name):
                raise Wrong(name)
            found = price("b")
            return found
        """,
    "a class body": """
        class Names(dict):
            def get(self, *given):
                spied("get")
                return dict.get(self, *given)
            def values(self):
                spied("values")
                return dict.values(self)
        class Made(type):
            @classmethod
            def __prepare__(cls, name, bases):
                return Names()
        def handler(event, context):
            class Inner(metaclass=Made):
                size = 1
                other = size + 1
            found = event.get("found")
            return found + Inner.size
        """,
    "compared": """
        def handler(event, context):
            key, limit = K(1), K(2)
            stack = [K(3), key]
            taken = stack.pop(0)
            models = {K: 1, int: 2}
            found = models[int] if taken is limit else None
            if key == limit or found in (1, 2):
                return 1
            return found + len(stack)
        """,
    "called": """
        class Shop(metaclass=Meta):
            def __init__(self, prices):
                self.prices = prices
            @staticmethod
            def base():
                return None
            def price(self, key):
                return self.prices.get(key)
        def handler(event, context):
            shop = Shop({K(1): 2})
            first = shop.price(1)
            return first + shop.base()
        """,
}


OWN_KINDS = """
    def made(base):
        kind = type("Own" + base.__name__, (base,), {})
        for name in dir(base):
            work = getattr(base, name)
            inner = ("__init__", "__new__", "__repr__", "__str__", "__init_subclass__", "__subclasshook__")
            if callable(work) and name != "__class__" and name not in inner:
                def spying(*given, _work=work, _name=f"{base.__name__}.{name}", **named):
                    spied(_name)
                    return _work(*given, **named)
                setattr(kind, name, spying)
        return kind

    L, T, S, I, F, D, Z = map(made, (list, tuple, str, int, float, dict, set))

    def helper(rows, table, text):
        found = [row for row in rows if row]
        one, two = T((1, 2))
        for key, value in table.items():
            if key == text and value in found:
                return value
        if text.startswith("z") or len(rows) > 100:
            return None
        return table.get(text)

    def handler(event, context):
        rows = L([I(1), F(2.5), S("a"), T((1, None))])
        table = D({S("k"): L([]), I(3): F(1.0), "q": D()})
        seen = Z({S("x"), I(4)})
        text = S("nothing")
        rows.append(I(7))
        table[S("new")] = None
        name = S(" x ").strip()
        number = I(5) // 2 + F(2.0)
        last = rows[-1]
        value = helper(rows, table, text)
        limit = table.pop("zz", None)
        if number >= I(3) and name == "x" and text not in seen:
            most = max(rows, key=str)
        mine = table.copy()
        mine["z"] = rows[:2]
        mine.update(D(a=1))
        label = S("a{}").format(3) + "%s" % name
        return value + number
    """


def test_a_value_that_their_code_counts_is_the_one_of_the_failure(tmp_path: Path) -> None:
    # Given a failure that depends on how often objects were compared
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(COUNTED))

    # When it is asked why
    text = in_a_worker(file, "handler", talked(["p many", "why"]), {})

    # I expect the value that the failing run had
    many = next(line for line in text.splitlines() if line.isdigit())
    assert f"has no {many}" in text, text
    assert "another way" not in text


@pytest.mark.parametrize("code", RUNS.values(), ids=RUNS)
def test_no_code_of_theirs_is_run(code: str, tmp_path: Path) -> None:
    # Given objects that note who asks them for anything
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(SPY) + textwrap.dedent(code))

    # When it is asked why
    text = in_a_worker(file, "handler", talked(["why"]), {})

    # I expect an answer, and that nobody of ours has asked
    assert "→ " in text, text
    asked = Path(f"{file}.asked")
    assert not asked.exists(), asked.read_text()


def test_no_method_of_a_class_made_from_a_plain_one_is_run(tmp_path: Path) -> None:
    # Given values of classes made from Python's own, each method of which notes who calls it
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(SPY) + textwrap.dedent(OWN_KINDS))

    # When it is asked why, of many things
    names = ("rows", "mine", "rows[-1]", "table['new']", "seen", "label", "number", "mine['z'][1]")
    steps = [line for step in range(0, 200, 20) for line in (f"goto {step}", "why")]
    text = in_a_worker(file, "handler", talked(["why", *(f"why {name}" for name in names), *steps]), {})

    # I expect answers, and that nobody of ours has asked, but to show them
    assert text.count("→ ") > len(names), text
    asked = Path(f"{file}.asked").read_text() if Path(f"{file}.asked").exists() else ""
    assert [line for line in asked.splitlines() if "watch.py" not in line] == []


FIELDS = """
    import collections

    class Row(tuple):
        {fields}
        @property
        def price(self):
            return self[1]

    def handler(event, context):
        row = Row(("a", None))
        price = row.price
        return price + 1
    """


@pytest.mark.parametrize(
    "fields",
    [
        "_fields = property(lambda self: ('name', 'price'))",
        "_fields = 5",
        "_fields = [None]",
        "_fields = None",
        "_fields = ('name', 5)",
        "__dataclass_fields__ = 5",
        "__slots__ = ()",
        "__match_args__ = 5",
        "__module__ = 5",
    ],
)
def test_attributes_of_their_classes_may_be_of_any_shape(fields: str, tmp_path: Path) -> None:
    # Given a class that has something else under a name which others have for their fields
    file = tmp_path / "application.py"
    file.write_text(textwrap.dedent(FIELDS).replace("{fields}", fields))

    # When it is asked why
    text = in_a_worker(file, "handler", talked(["why"]), {})

    # I expect that the value is followed
    assert "could not be followed" not in text, text
    assert any(line.startswith("→ ") for line in text.splitlines()), text
