"""What `why` says below a line is true of the line in that run: of what ran, with the values that it had."""

from __future__ import annotations

from pathlib import Path

import pytest
from proving import holds

OWN = """
import datetime
import itertools
from datetime import timezone
from itertools import groupby

utc = timezone.utc
BLANK = " "
ROW = {"n": 0}


class Codec:
    def len(self, text):
        return 2 * 3

    def encode(self, order, how):
        return order

    def strip(self, text):
        return text


class Lowered(dict):
    def pop(self, key, *default):
        return dict.pop(self, key.lower(), *default)


STORED = {"a": 1}


def store():
    return STORED


def strip(text):
    return text


NAME = "Jürgen"


def renamed():
    global NAME
    NAME = "plain"
    return NAME


def zone():
    return utc


class Row:
    name = "Jürgen"

    def saved(self):
        self.name = "plain"
        return self


def grouped(names):
    groups = {}
    for name in names:
        groups.setdefault(name[0], []).append(name)
    return groups
"""
ZERO = "near falsy"
LETTERS = "seen: counted letters, not bytes"
POP = "seen: found nothing to take out"
TEXTS = "seen: ordered numbers as texts"
FLAG = "seen: took a flag for a number"
TIME = "seen: gave a time without a zone"
CUT = "seen: cut bytes"
STRIP = "smells: cuts letters off"
ZONE = "way: replaces the time zone"
PAGES = "way: counts pages"
GROUPS = "way: groups what is in no order"
LEFT = "way: leaves letters out"
CHANGE = "way: takes the result of a change"


@pytest.mark.parametrize(
    ("feature", "body"),
    [
        (ZERO, "count = ROW['n']\nif not count:  # here\n    count = 1"),
        (ZERO, "count = ROW['n'] or 7  # here"),
        (ZERO, "text = 'abc'\nwhile text.find('a'):  # here\n    break"),
        (ZERO, "count = 0\nfound = 'some' if count else None  # here"),
        (ZERO, "count = 0\nif True and count:  # here\n    pass"),
        (LETTERS, "name = 'Jürgen'\nsize = len(name) if name else 0  # here"),
        (LETTERS, "name = 'Jürgen'\nif name and len(name) > 3:  # here\n    pass"),
        (POP, "cache = {'a': 1}\nfound = cache.pop('b', None)  # here"),
        (POP, "cache, name = {}, 'a'\nfound = cache.pop(f'key:{name}', None)  # here"),
        (CUT, "name = 'Jürgen'\nhead = name.encode('utf-8')[:2]  # here"),
        (
            TEXTS,
            "def bare(all):\n    return [one[1:] for one in all]\na = sorted(bare(['v10', 'v9']))  # here",
        ),
        (TEXTS, "names = ['10', '9']\nlast = max(names)  # here"),
        (FLAG, "value = True\nif isinstance(value, int):  # here\n    pass"),
        (FLAG, "value = True\nfound = 1 if isinstance(value, (int, float)) else 0  # here"),
        (TIME, "when = datetime.datetime.fromisoformat('2024-01-01')  # here"),
        (CUT, "data = 'Jürgen'.encode()\nhead = data[:2]  # here"),
        (STRIP, "key = 'data/tad'\nname = key.lstrip('data/')  # here"),
        (STRIP, "key = 'a data/tad'\nname = key.split()[1].lstrip('data/')  # here"),
        (ZONE, "when = datetime.datetime(2024, 1, 1)\nat = when.replace(tzinfo=utc)  # here"),
        (ZONE, "at = datetime.datetime.fromisoformat('2024-01-01').replace(tzinfo=timezone.utc)  # here"),
        (ZONE, "when = datetime.datetime(2024, 1, 1)\nat = when.replace(tzinfo=zone())  # here"),
        (PAGES, "total = 10\npages = total // 5 + 1  # here"),
        (GROUPS, "names = ['a', 'b', 'a']\nfor name, group in groupby(names):  # here\n    pass"),
        (GROUPS, "names = ['a', 'b', 'a']\nfor name, group in itertools.groupby(names):  # here\n    pass"),
        (LEFT, "name = 'Jürgen'\ndata = name.encode('ascii', 'ignore')  # here"),
        (LEFT, "name = ['Jürgen']\ndata = name.pop().encode('ascii', errors='replace')  # here"),
        (CHANGE, "rows = [2, 1]\nordered = rows.sort()  # here"),
    ],
)
def test_what_a_line_did_is_said(feature: str, body: str, tmp_path: Path) -> None:
    assert holds(tmp_path, feature, body, OWN)


@pytest.mark.parametrize(
    ("feature", "body"),
    [
        # nothing asks whether the number is something
        (ZERO, "count = ROW['n']  # here"),
        (ZERO, "total = 0\ncount = total  # here"),
        (ZERO, "rows = []\ncount = len(rows)  # here"),
        (ZERO, "text = 'x'\nat = text.find('x')  # here"),
        (ZERO, "at = step = 2\nat -= step  # here\nstep = at"),
        (ZERO, "total = n = 0\ntotal += n  # here"),
        (ZERO, "name, count = 'x', 0\nfound = name and count  # here"),
        # it did not run, or ran later, or over something else
        (LETTERS, "name = 'Jürgen'\nsize = len(name) if not name else -1  # here"),
        (LETTERS, "c, name = None, 'Jürgen'\nfound = c and len(name) > 3  # here"),
        (LETTERS, "name = 'Jürgen'\nkey = lambda name: len(name)  # here"),
        (LETTERS, "word = 'Jürgen'\nn = sum(len(word) for word in ['a', 'b'])  # here"),
        (POP, "c, options = False, {}\nfound = options.pop('limit', 0) if c else 10  # here"),
        (TEXTS, "c, names = False, ['10', '9']\nfound = sorted(names)[0] if c else 1  # here"),
        (FLAG, "c, value = False, True\nfound = 1 if c and isinstance(value, int) else None  # here"),
        # it found something
        (POP, "cache = {'b': 1}\ncache['b'] = cache.pop('b', None)  # here"),
        (POP, "cache = {n: n for n in range(300)}\nfound = cache.pop(0, None)  # here"),
        (POP, "found = store().pop('a', None)  # here"),
        (POP, "cache = Lowered(a=1)\nfound = cache.pop('A', None)  # here"),
        (POP, "cache = {}\nfound = cache.update(b=1) or cache.pop('b', None)  # here"),
        # it was another value by then
        (LETTERS, "row = Row()\nfound = row.saved() and len(row.name)  # here"),
        (LETTERS, "word = 'Jürgen'\nfound = (word := 'plain') and len(word)  # here"),
        (LETTERS, "found = renamed() and len(NAME)  # here"),
        # the function is another one
        (LETTERS, "codec, name = Codec(), 'Jürgen'\nsize = codec.len(name)  # here"),
        (LEFT, "codec, order = Codec(), 'Jürgen'\ndata = codec.encode(order, 'replace')  # here"),
        (STRIP, "text = 'some words'\nname = strip(text)  # here"),
        (STRIP, "text = 'some words'\nname = str.strip(text)  # here"),
        (STRIP, "codec, text = Codec(), 'some words'\nname = codec.strip(text)  # here"),
        (GROUPS, "groupby = grouped\nfor name in groupby(['a', 'b']):  # here\n    pass"),
        # it takes one blank off, or all of them
        (STRIP, "text = ' x '\nname = text.strip(None)  # here"),
        (STRIP, "text = ' x '\nname = text.strip(BLANK)  # here"),
        # what it says is arranged for
        (GROUPS, "ordered: list = sorted(['b', 'a'])\nfor name in groupby(ordered):  # here\n    pass"),
        (GROUPS, "names = ['b', 'a']\nlist.sort(names)\nfor name in groupby(names):  # here\n    pass"),
        (PAGES, "n = 10\npages = (n - 1) // 5 + 1  # here"),
        (PAGES, "n = 11\npages = n // 5 + 1  # here"),
        (ZONE, "when = datetime.datetime.now(utc)\nat = when.replace(tzinfo=None)  # here"),
        (ZONE, "when = datetime.datetime.now()\nat = when.replace(hour=0, tzinfo=utc)  # here"),
        (FLAG, "v = True\nif isinstance(v, int) and not isinstance(v, bool):  # here\n    pass"),
        (TEXTS, "names = ['10', '9']\nfound = sorted(names, **{'key': int})  # here"),
        (CUT, "data = bytes(range(250, 256))\nhead = data[:2]  # here"),
        # it gave nothing, as an error came first
        (
            TIME,
            """
            when = datetime.datetime(2024, 1, 1)
            try:
                when = datetime.datetime.fromisoformat('soon')  # here
            except ValueError:
                pass
            """,
        ),
    ],
)
def test_what_a_line_did_not_do_is_not_said(feature: str, body: str, tmp_path: Path) -> None:
    assert not holds(tmp_path, feature, body, OWN)


THINGS = """
import contextlib
import copy
import csv
import io
import itertools
import statistics
from collections import Counter, deque
from contextlib import nullcontext, suppress
from copy import deepcopy

FRESH = []


class Numbers:
    def __init__(self, most):
        self.most = most

    def __iter__(self):
        return self

    def __next__(self):
        if not self.most:
            raise StopIteration
        self.most -= 1
        return self.most


class Locks:
    def suppress(self, name):
        return nullcontext()


class Box:
    rows = ()

    def set(self, rows):
        self.rows = [*rows]


class Order:
    def __init__(self, lines):
        self.lines = list(lines)


class Cart:
    def __init__(self, lines):
        self.lines = lines


class Again:
    def __iter__(self):
        self.left = [1, 2]
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        return self.left.pop()


class Queue:
    def __init__(self, rows):
        self.rows = rows

    def __iter__(self):
        return iter(list(self.rows))

    def remove(self, row):
        self.rows.remove(row)


def fromkeys(names, value):
    return {name: list(value) for name in names}


def first(rows):
    for row in rows:
        if row is None:
            continue
        return row  # here


def polled(rows):
    while True:
        row = rows.pop(0)
        if row is None:
            continue
        return row  # here


def add(item, into=[]):  # here
    into.append(item)
    return into


def note(item, *, into=[]):
    into.append(item)
    return into
"""
SWALLOWED = "seen: an error was swallowed in it"
COPY = "seen: copies, but shares parts that are changed later"
PLACE = "seen: shares a local that is changed later"
TWICE = "seen: gave an iterator that is read twice"
OVER = "smells: overwrites what was added up"
FIRST = "smells: leaves in the first round"
CLOSURE = "way: closure of a loop"
ITSELF = "way: goes over what it changes"
HANDLER = "way: in a handler of errors"
ONE = "way: one object for all"
DEFAULT = "way: has one default for all calls"


@pytest.mark.parametrize(
    ("feature", "body"),
    [
        (SWALLOWED, "with suppress(KeyError):  # here\n    {}['a']"),
        (
            SWALLOWED,
            "with contextlib.suppress(LookupError, ValueError):  # here\n    x = 1\n    {}['a']\ny = 2",
        ),
        (COPY, "base = {'tags': []}\nmine = dict(base)  # here\nmine['tags'].append(1)"),
        (COPY, "base = {'tags': []}\nmine = {**base, 'n': 1}  # here\nmine['tags'].append(1)"),
        (COPY, "rows = [[1], [2]]\nmine = rows[:]  # here\nrows[0].append(1)"),
        (COPY, "rows = [[1], [2]]\nmine = copy.copy(rows)  # here\nmine[0].append(1)"),
        (COPY, "base = {'tags': []}\nrows = []\nrows.append(base.copy())  # here\nbase['tags'].append(1)"),
        (PLACE, "rows = []\nothers = rows  # here\nothers.append(1)"),
        (PLACE, "a, b = [], []\nothers = a if b else b  # here\nb.append(1)"),
        (PLACE, "rows = []\ncart = Cart(rows)  # here\nrows.append(1)"),
        (PLACE, "rows, held = [], []\nheld.append({'rows': rows})  # here\nrows.append(1)"),
        (PLACE, "book, fresh = {}, []\nbook.setdefault('x', fresh)  # here\nfresh.append(1)"),
        (PLACE, "rows, box = [], Box()\nbox.rows = rows  # here\nrows.append(1)"),
        (TWICE, "rows = map(int, '12')  # here\nn = sum(rows)\nfor row in rows:\n    pass"),
        (TWICE, "rows = csv.reader(io.StringIO('a'))  # here\nn = list(rows)\nm = [row for row in rows]"),
        (
            TWICE,
            """
            rows = (int(one) for one in '12')  # here
            total = sum(rows)
            try:
                best = min(rows)
            except ValueError:
                pass
            """,
        ),
        (TWICE, "rows = map(int, '12')  # here\nm = statistics.fmean(rows)\nk = set(rows)"),
        (TWICE, "rows = (one for one in [1])  # here\na = sum(one for one in rows)\nb = str(sorted(rows))"),
        (
            TWICE,
            """
            rows = iter(['a', 'b'])  # here
            for row in rows:
                if not row:
                    break
            for row in rows:
                row.strip()
            """,
        ),
        (OVER, "total = 0\nfor n in [1, 2]:\n    total = n  # here"),
        (FIRST, "def last(rows):\n    for row in rows:\n        return row  # here\nlast([1, 2])"),
        (CLOSURE, "makes = []\nfor n in [1, 2]:\n    makes.append(lambda: n)  # here"),
        (CLOSURE, "makes = [lambda: n for n in [1, 2]]  # here"),
        (CLOSURE, "makes = [(n, lambda: n) for n in [1, 2]]  # here"),
        (
            CLOSURE,
            "makes = []\nfor n in [1, 2]:\n    def make():  # here\n        return n\n    makes.append(make)",
        ),
        (ITSELF, "rows = [1, 2, 3]\nfor row in rows:  # here\n    rows.remove(row)"),
        (HANDLER, "try:\n    n = int('x')\nexcept ValueError:\n    n = 0  # here"),
        (
            HANDLER,
            "def f():\n    try:\n        n = int('x')\n    except ValueError:\n        return 0  # here\nf()",
        ),
        (ONE, "rows = [[0]] * 3  # here"),
        (ONE, "row = []\nrows = [row for _ in range(3)]  # here"),
        (ONE, "rows = dict.fromkeys('ab', [])  # here"),
        (FIRST, "first([1, 2])"),
        (DEFAULT, "add(1)\nadd(2)"),
    ],
)
def test_what_became_of_it_is_said(feature: str, body: str, tmp_path: Path) -> None:
    assert holds(tmp_path, feature, body, things(body))


def things(body: str) -> str:
    """With the mark of the function that the last line of the body calls, unless the body has one."""
    called = "" if "# here" in body else body.rsplit("\n", 1)[-1].split("(")[0]
    parts = THINGS.split("\n\n\n")
    return "\n\n\n".join(
        part if called and part.startswith(f"def {called}(") else part.replace("  # here", "")
        for part in parts
    )


@pytest.mark.parametrize(
    ("feature", "body"),
    [
        (SWALLOWED, "with suppress(KeyError):  # here\n    for one in Numbers(3):\n        pass"),
        (SWALLOWED, "with suppress(Exception):  # here\n    for one in Numbers(3):\n        pass"),
        (
            SWALLOWED,
            "try:\n    with suppress(KeyError):  # here\n        int('x')\nexcept ValueError:\n    print()",
        ),
        (
            SWALLOWED,
            "try:\n    with Locks().suppress('x'):  # here\n        int('x')\nexcept ValueError:\n    pass",
        ),
        (
            SWALLOWED,
            """
            with suppress(ValueError):  # here
                try:
                    int('x')
                except ValueError:
                    pass
            """,
        ),
        # what was changed is not what the copy has, or no longer
        (COPY, "base = {'tags': []}\nmine = {**base, 'tags': ['x']}  # here\nmine['tags'].append(1)"),
        (COPY, "base = {'tags': []}\nmine = dict(base, tags=['x'])  # here\nbase['tags'].append(1)"),
        (COPY, "base, other = {'t': []}, {'t': []}\nmine = {**base, **other}  # here\nbase['t'].append(1)"),
        (COPY, "rows = [[1], [2]]\nrest = rows[1:]  # here\nrows[0].append(1)"),
        (COPY, "groups = {'a': []}\nnames = list(groups)  # here\ngroups['a'].append(1)"),
        (COPY, "rows = [[1], [2], [3]]\ndel rows[2:]  # here\nrows[0].append(1)"),
        (
            COPY,
            "from copy import deepcopy as copy\nrows = [[1]]\nmine = copy(rows)  # here\nrows[0].append(1)",
        ),
        (COPY, "rows, box = [[1]], Box()\nbox.set(rows)  # here\nrows.append(1)"),
        (COPY, "base = {'tags': []}\nmine = dict(base)  # here\nmine['tags'] = []\nmine['tags'].append(1)"),
        # it got no second name, or place
        (PLACE, "a, b = [], []\nothers = a if b else b  # here\na.append(1)"),
        (PLACE, "words = ['a']\ncounts = Counter(words)  # here\nwords.append('b')"),
        (PLACE, "lines = ['a']\norder = Order(lines)  # here\nlines.append('b')"),
        (PLACE, "book, fresh = {'x': []}, []\nbook.setdefault('x', fresh)  # here\nfresh.append(1)"),
        (PLACE, "rows = []\nrows  # here\nrows.append(1)"),
        (PLACE, "rows = [1, 2]\na, b = rows  # here\nrows.append(1)"),
        # it starts again, or only one line goes through it
        (TWICE, "rows = iter([1, 2])  # here\nheader = next(rows)\nfor row in rows:\n    pass"),
        (TWICE, "rows, seen = iter([1]), []\nmine = rows  # here\nseen.append(rows)\nn = list(rows)"),
        (TWICE, "rows = iter([1])  # here\nprint('%s', rows, end='')\nn = list(rows)"),
        (TWICE, "text = io.StringIO()  # here\nprint(1, file=text)\nprint(2, file=text)"),
        (TWICE, "data = io.BytesIO()  # here\na = str(data)\nb = repr(data)"),
        (TWICE, "ids = itertools.count()  # here\na = next(ids)\nb = next(ids)"),
        (TWICE, "rows = Again()  # here\na = list(rows)\nb = list(rows)"),
        (
            TWICE,
            """
            rows = iter(['a', '', 'b'])  # here
            for row in rows:
                if not row:
                    break
            rest = list(rows)
            """,
        ),
        (TWICE, "rows = (one for one in [1])  # here\na = (one for one in rows)\nb = list(rows)"),
        (
            TWICE,
            """
            def each(rows):
                for row in rows:
                    yield row
            rows = iter([1, 2])  # here
            first = next(each(rows))
            rest = list(rows)
            """,
        ),
        (
            TWICE,
            """
            rows = iter(['1', 'x', '2'])  # here
            try:
                for row in rows:
                    int(row)
            except ValueError:
                rest = list(rows)
            """,
        ),
        # it is not the first round, or nothing was there
        (FIRST, "first([None, None, 1])"),
        (FIRST, "polled([None, None, 1])"),
        (
            OVER,
            """
            for i, n in enumerate([1, 2]):
                if i == 0:
                    total = n  # here
                else:
                    total += n
            """,
        ),
        # the loop does not change it
        (
            CLOSURE,
            "makes = []\nfor row in [[1], [2]]:\n    makes.append(lambda g: len([row for row in g]))  # here",
        ),
        (CLOSURE, "makes = []\nfor rows in [[1], [2]]:\n    makes.append(lambda *rows: sum(rows))  # here"),
        (CLOSURE, "for n in [1, 2]:\n    make = lambda: n  # here\n    break"),
        (ITSELF, "rows = [1, 2]\nfor row in rows:  # here\n    rows = rows.copy()\n    rows.remove(row)"),
        (ITSELF, "rows = Queue([1, 2])\nfor row in rows:  # here\n    rows.remove(row)"),
        # nothing is given instead
        (HANDLER, "failed = 0\ntry:\n    n = int('x')\nexcept ValueError:\n    failed += 1  # here"),
        (HANDLER, "failed = 0\ntry:\n    n = int('x')\nexcept ValueError:\n    failed = 1  # here"),
        (
            HANDLER,
            """
            try:
                try:
                    n = int('x')
                except ValueError as error:
                    raise LookupError('x') from error  # here
            except LookupError:
                pass
            """,
        ),
        # they are several
        (ONE, "red, blue = [], []\nrows = [red, blue] * 2  # here"),
        (ONE, "rows = [[1], [2]]\nrows = [*rows] * 2  # here"),
        (ONE, "total = 0\nsums = [total for n in [1, 2] if (total := total + n)]  # here"),
        (ONE, "rows = fromkeys('ab', [])  # here"),
        # each call passes one
        (DEFAULT, "bag = []\nadd(1, bag)\nadd(2, bag)"),
        (DEFAULT, "bag = []\nadd(1, into=bag)\nadd(2, into=bag)"),
        (DEFAULT, "bag = []\nadd(1, *[bag])\nadd(2, *[bag])"),
    ],
)
def test_what_did_not_become_of_it_is_not_said(feature: str, body: str, tmp_path: Path) -> None:
    assert not holds(tmp_path, feature, body, things(body))


@pytest.mark.parametrize(("made", "said"), [("[[0]] * 3", True), ("[[0], [0], [0]]", False)])
def test_what_was_made_before_the_handler_is_one_object_or_not(made: str, said: bool, tmp_path: Path) -> None:
    # Given a table of the module, which a handler changes
    # I expect its rows to be said to be one object if they were
    assert holds(tmp_path, ONE, "TABLE[0].append(1)", f"TABLE = {made}  # here") is said
