"""Functions that fail some time after a value went wrong. `# arose: NAME` stands at the line where it did,
written
down before anything looked for it; NAME is the handler's."""

from __future__ import annotations

import datetime
import json

PRICES = {"A-1": 300, "B-2": None}
STOCK = {"A-1": 3}
CACHE: dict[str, object] = {}
LIMITS = {"small": 10}


# 1: None from a lookup
def price_of(sku):
    return PRICES.get(sku)  # arose: none_from_lookup


def none_from_lookup(event, context):
    price = price_of(event["sku"])
    count = event["count"]
    return price * count


# 2: the wrong unit
def timeout_of(config):
    seconds = config["timeout_ms"]  # the name lies
    return seconds


def wrong_unit(event, context):
    wait = timeout_of({"timeout_ms": 3000}) * 1000  # arose: wrong_unit
    label = "wait"
    if wait > 60_000:
        raise ValueError(f"{label} of {wait} ms is too long")
    return wait


# 3: a mutable default
def collect(item, into=[]):
    into.append(item)  # arose: mutable_default
    return into


def mutable_default(event, context):
    first = collect("a")
    second = collect("b")
    assert second == ["b"], f"{len(second)} items"
    return first


# 4: an aliased list
def aliased_list(event, context):
    wanted = ["a", "b"]
    left = wanted
    while left:
        left.pop()  # arose: aliased_list
    return wanted[0]


# 5: off by one
def off_by_one(event, context):
    rows = ["a", "b", "c"]
    last = len(rows)  # arose: off_by_one
    name = "rows"
    return f"{name}: {rows[last]}"


# 6: a stale cache
def rate(currency):
    if currency not in CACHE:
        CACHE[currency] = None  # arose: stale_cache
    return CACHE[currency]


def stale_cache(event, context):
    rate("EUR")
    found = rate("EUR")
    return found * 2


# 7: a swallowed exception
def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return None  # arose: swallowed_exception


def swallowed_exception(event, context):
    body = parsed("{not json")
    user = "ann"
    return body["user"] == user


# 8: the wrong branch
def discount(total):
    if total > 100:
        return 0.1
    return None  # arose: wrong_branch


def wrong_branch(event, context):
    total = 100
    share = discount(total)
    return total * (1 - share)


# 9: float money
def float_money(event, context):
    paid = 0.1 + 0.2  # arose: float_money
    owed = 0.3
    if paid != owed:
        raise ValueError(f"paid {paid!r}, owed {owed!r}")
    return "paid"


# 10: a time without its zone
def time_zone(event, context):
    due = datetime.datetime(2026, 1, 1)  # arose: time_zone
    now = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
    return now > due


# 11: the wrong encoding
def encoding(event, context):
    raw = "Müller".encode("latin-1")  # arose: encoding
    size = len(raw)
    return size, raw.decode("utf-8")


# 12: text where a number is wanted
def text_for_number(event, context):
    count = event["fields"]["count"]  # arose: text_for_number
    more = 1
    return count + more


# 13: nothing returned
def normalised(name):
    name.strip().lower()  # arose: no_return


def no_return(event, context):
    name = normalised(" Ann ")
    greeting = "hello "
    return greeting + name


# 14: the order of arguments
def share(part, whole):
    return part / whole


def swapped_arguments(event, context):
    done = 0  # arose: swapped_arguments
    total = 5
    return share(total, done)


# 15: a key with the wrong case
def key_case(event, context):
    field = "SKU".lower() + "s"  # arose: key_case
    row = {"sku": 1}
    return row[field]


# 16: an element deep in a structure
def filled(order):
    order["lines"][0]["price"] = None  # arose: deep_element
    return order


def deep_element(event, context):
    order = {"lines": [{"price": 1}]}
    filled(order)
    lines = order["lines"]
    return lines[0]["price"] + 1


# 17: an attribute of an object
class Account:
    def __init__(self, owner):
        self.owner = owner
        self.limit = None  # arose: attribute_of_object

    def allows(self, amount):
        return amount < self.limit


def attribute_of_object(event, context):
    account = Account("ann")
    amount = 5
    return account.allows(amount)


# 18: zero from a count
def zero_count(event, context):
    rows = []
    count = len(rows)  # arose: zero_count
    total = 10
    return total / count


# 19: a loop variable after its loop
def after_the_loop(event, context):
    index = -1
    for index in range(3):  # arose: after_the_loop
        pass
    names = ["a", "b"]
    return names[index]


# 20: a shadowed name
def shadowed(event, context):
    sum_of = [1, 2]
    sum_of = len(sum_of)  # arose: shadowed
    first = sum_of[0]
    return first


# 21: a default of the environment
def setting(name):
    return LIMITS.get(name, "")  # arose: empty_setting


def empty_setting(event, context):
    text = setting("large")
    factor = 2
    return int(text) * factor


# 22: a conditional expression
def conditional(event, context):
    user = {"name": "ann"} if event.get("user") else None  # arose: conditional
    kind = "user"
    return kind + user["name"]


# 23: through three functions
def innermost():
    return None  # arose: through_functions


def middle():
    found = innermost()
    return found


def outermost():
    return middle()


def through_functions(event, context):
    value = outermost()
    return value.upper()


# 24: an element put in by another function
def register(table, name):
    table[name] = None  # arose: put_in_elsewhere


def put_in_elsewhere(event, context):
    table = {}
    register(table, "a")
    register(table, "b")
    table["b"] = 2
    return table["a"] + table["b"]


# 25: a generator's value
def numbers():
    yield 1
    yield None


def from_generator(event, context):
    total = 0
    for number in numbers():  # arose: from_generator
        total += number
    return total


# 26: unpacked the wrong way round
def unpacked(event, context):
    name, size = (3, "ann")  # arose: unpacked
    kind = "user"
    return kind + name, size


# 27: an awaited result
async def fetched(name):
    return {"ann": None}[name]  # arose: awaited


async def awaited(event, context):
    row = await fetched("ann")
    size = 1
    return row["size"] + size


# 28: nan
def not_a_number(event, context):
    ratio = float("nan")  # arose: not_a_number
    scaled = ratio * 100
    return int(scaled)


# 29: an augmented assignment
def augmented(event, context):
    left = 2
    for _ in range(2):
        left -= 1  # arose: augmented
    return 10 // left


# 30: a cleared container
def drained(queue):
    queue.clear()  # arose: cleared
    return True


def cleared(event, context):
    queue = [1, 2]
    drained(queue)
    return queue.pop()


# 31: a local that a generator expression reads
def in_a_generator(event, context):
    rate = None  # arose: in_a_generator
    prices = [1, 2]
    return sum(price * rate for price in prices)


# 32: a local that a nested function reads
def nested(event, context):
    factor = None  # arose: nested
    size = 2

    def scaled(value):
        return value * factor

    return scaled(size)


# 33: passed by name into any names
def keyed(**given):
    return given["rate"] + 1


def any_names(event, context):
    rate = None
    return keyed(rate=rate)  # arose: any_names
