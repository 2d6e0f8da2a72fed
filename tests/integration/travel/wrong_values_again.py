"""A second set, written after `why` was done with the first: code as one meets it in services, and where its
bad value arose (`# arose: NAME`), written down before anything looked for it."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import datetime
import decimal
import functools
import itertools
import json
import re

USERS = {1: {"name": "ann", "address": None}, 2: {"name": "bob", "address": {"zip": "1010"}}}
ROWS = [{"sku": "A", "qty": "2"}, {"sku": "B", "qty": ""}, {"sku": "C", "qty": "1"}]


# 1: a JSON null deep in a payload
def null_in_json(event, context):
    body = '{"order": {"customer": null, "total": 3}}'
    order = json.loads(body)["order"]
    customer = order["customer"]  # arose: null_in_json
    total = order["total"]
    return f"{customer['name']}: {total}"


# 2: a regular expression that does not match
def version_of(text):
    return re.match(r"v(\d+)$", text)  # arose: no_match


def no_match(event, context):
    found = version_of("version 3")
    return int(found.group(1))


# 3: `or` takes a zero for nothing
def or_default(event, context):
    asked = 0
    size = asked or None  # arose: or_default
    pages = 10
    return pages * size


# 4: a dataclass's default
@dataclasses.dataclass
class Line:
    sku: str
    price: decimal.Decimal | None = None


def dataclass_default(event, context):
    lines = [Line("A", decimal.Decimal(3)), Line("B")]  # arose: dataclass_default
    total = decimal.Decimal(0)
    for line in lines:
        total += line.price
    return str(total)


# 5: an iterator that was used up
def used_up(event, context):
    squares = (number * number for number in range(3))
    count = sum(1 for _ in squares)  # arose: used_up
    first = next(squares, None)
    return first + count


# 6: a shallow copy
def shallow_copy(event, context):
    base = {"limits": {"max": 3}}
    mine = copy.copy(base)
    mine["limits"]["max"] = 0  # arose: shallow_copy
    return 12 / base["limits"]["max"]


# 7: late binding in a closure
def late_binding(event, context):
    makers = []
    for name in ("a", "b", None):  # arose: late_binding
        makers.append(lambda: "hello " + name)  # noqa: B023
    return makers[0]()


# 8: a merge in which the later one wins
def merged(event, context):
    defaults = {"retries": 3}
    given = {"retries": None}
    options = {**defaults, **given}  # arose: merged
    attempts = 0
    while attempts < options["retries"]:
        attempts += 1
    return attempts


# 9: a comprehension lets a None through
def in_a_comprehension(event, context):
    names = {1: "ann", 2: "bob"}
    found = [names.get(ident) for ident in (1, 3)]  # arose: in_a_comprehension
    return ", ".join(found)


# 10: a property that computes
class Cart:
    def __init__(self, lines):
        self.lines = lines

    @property
    def average(self):
        total = sum(self.lines)
        return total / len(self.lines)


def empty_cart(event, context):
    lines = [line for line in (3, 4) if line > 10]  # arose: empty_cart
    cart = Cart(lines)
    return cart.average


# 11: a decorator that loses the result
def logged(function):
    @functools.wraps(function)
    def inner(*arguments):
        function(*arguments)  # arose: lost_result

    return inner


@logged
def tax(net):
    return net * 0.2


def lost_result(event, context):
    net = 100
    return net + tax(net)


# 12: a context manager that swallows
def suppressed(event, context):
    port = None  # arose: suppressed
    with contextlib.suppress(ValueError):
        port = int("80a")
    return port + 1


# 13: `finally` overrides a result
def finally_wins(event, context):
    def read():
        result = None
        try:
            result = 5
        finally:
            result = None  # arose: finally_wins
        return result

    return read() + 1


# 14: a slice that is one too short
def short_slice(event, context):
    words = ["to", "be", "or"]
    head = words[:0]  # arose: short_slice
    return head[0].upper()


# 15: split by the wrong separator
def wrong_separator(event, context):
    line = "ann;30"
    fields = line.split(",")  # arose: wrong_separator
    name = fields[0]
    age = fields[1]
    return name, int(age)


# 16: the text that is no number, in a loop over rows
def row_without_number(event, context):
    total = 0
    for row in ROWS:  # arose: row_without_number
        quantity = row["qty"]
        total += int(quantity)
    return total


# 17: an attribute set by a method called for something else
class Session:
    def __init__(self):
        self.user = "ann"

    def refresh(self):
        self.token = "t"
        self.user = None  # arose: set_by_a_method


def set_by_a_method(event, context):
    session = Session()
    session.refresh()
    return session.user.title()


# 18: a class attribute that all share
class Basket:
    items: list[str] = []  # noqa: RUF012

    def add(self, item):
        self.items.append(item)  # arose: class_attribute


def class_attribute(event, context):
    mine, yours = Basket(), Basket()
    mine.add("pen")
    if yours.items:
        raise RuntimeError(f"a new basket has {yours.items}")
    return mine.items


# 19: gathered results in another order than thought
async def load(name):
    await asyncio.sleep(0)
    return None if name == "limits" else {"size": 1}  # arose: gathered


async def gathered(event, context):
    prices, limits = await asyncio.gather(load("prices"), load("limits"))
    return prices["size"] + limits["size"]


# 20: the walrus
def walrus(event, context):
    stock = {"a": 1}
    if (left := stock.get("b")) is not False:  # arose: walrus
        return left - 1
    return 0


# 21: a match statement falls through
def kind_of(event):
    match event:
        case {"type": "created"}:
            return "new"
        case _:
            return None  # arose: fell_through


def fell_through(event, context):
    kind = kind_of({"type": "Created"})
    return kind.upper()


# 22: setdefault keeps what was there
def kept_by_setdefault(event, context):
    cache = {"limit": None}  # arose: kept_by_setdefault
    limit = cache.setdefault("limit", 10)
    return limit * 2


# 23: an integer division
def integer_division(event, context):
    done, total = 3, 4
    share = done // total  # arose: integer_division
    return 100 / share


# 24: zip stops early
def zip_stops(event, context):
    names = ["a", "b", "c"]
    values = [1, 2]
    table = dict(zip(names, values, strict=False))  # arose: zip_stops
    wanted = "c"
    return table[wanted]


# 25: a recursive search
def deepest(tree, wanted):
    if tree is None:
        return None  # arose: recursive
    if tree["key"] == wanted:
        return tree
    return deepest(tree["next"], wanted)


def recursive(event, context):
    tree = {"key": 1, "next": {"key": 2, "next": None}}
    node = deepest(tree, 3)
    return node["key"]


# 26: a subclass that forgets
class Shape:
    sides = 4

    def describe(self):
        return "sides: " + str(10 // self.sides)


class Circle(Shape):
    def __init__(self):
        self.sides = 0  # arose: subclass


def subclass(event, context):
    shape = Circle()
    return shape.describe()


# 27: a date before it is moved
def end_before_start(event, context):
    start = datetime.date(2026, 3, 1)
    end = start - datetime.timedelta(days=1)  # arose: end_before_start
    days = (end - start).days
    if days < 0:
        raise ValueError(f"{days} days")
    return days


# 28: a key that was popped
def popped(event, context):
    headers = {"token": "t", "host": "h"}
    token = headers.pop("token")  # arose: popped
    size = len(token)
    return headers["token"], size


# 29: a chain of functions, the first of which gives up
def parse(text):
    return float(text) if text.isdigit() else None  # arose: chain


def scale(value):
    return value


def show(value):
    return f"{value:.2f}"


def chain(event, context):
    return show(scale(parse("1.5")))


# 30: a set loses what a list had
def set_loses(event, context):
    orders = [5, 5, 7]
    unique = list(dict.fromkeys(orders))  # arose: set_loses
    third = 2
    return unique[third]


# 31: a nested call's argument
def address_of(user):
    return user["address"]  # arose: nested_lookup


def nested_lookup(event, context):
    user = USERS[1]
    return address_of(user)["zip"]


# 32: the last of a group
def grouped(event, context):
    rows = [("a", 1), ("b", 2), ("b", None)]
    totals = {}
    for key, group in itertools.groupby(rows, key=lambda row: row[0]):
        totals[key] = [value for _, value in group]  # arose: grouped
    return sum(totals["b"])
