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
        (TEXTS, "names = ['10', '9']\nlast = max(names)  # here"),
        (FLAG, "value = True\nif isinstance(value, int):  # here\n    pass"),
        (FLAG, "value = True\nfound = 1 if isinstance(value, (int, float)) else 0  # here"),
        (TIME, "when = datetime.datetime.fromisoformat('2024-01-01')  # here"),
        (CUT, "data = 'Jürgen'.encode()\nhead = data[:2]  # here"),
        (STRIP, "key = 'data/tad'\nname = key.lstrip('data/')  # here"),
        (STRIP, "key = 'a data/tad'\nname = key.split()[1].lstrip('data/')  # here"),
        (ZONE, "when = datetime.datetime(2024, 1, 1)\nat = when.replace(tzinfo=utc)  # here"),
        (ZONE, "at = datetime.datetime.fromisoformat('2024-01-01').replace(tzinfo=timezone.utc)  # here"),
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
