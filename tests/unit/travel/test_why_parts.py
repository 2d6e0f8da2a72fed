"""The pure parts of `why`: conditions that were near to the other way, smells, and the likeliest line."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest
from relive_runtime.travel.causes.arms import effects
from relive_runtime.travel.causes.idioms import idioms
from relive_runtime.travel.causes.likelihood import WEIGHTS, is_led_to, likelihoods
from relive_runtime.travel.causes.nearness import near_misses
from relive_runtime.travel.causes.reasons import WORDS, reason
from relive_runtime.travel.causes.smells import smells
from relive_runtime.travel.causes.surroundings import Surroundings
from relive_runtime.travel.causes.texts import looks
from relive_runtime.travel.causes.values import MISSING


def near(test: str, **names: Any) -> set[str]:
    """Of a condition, with the values of what it reads."""

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        return names.get(ast.unparse(node), MISSING)

    return near_misses(ast.parse(test, mode="eval").body, value)


@pytest.mark.parametrize(
    ("test", "names", "expected"),
    [
        ("count < least", {"count": 5, "least": 5}, {"edge"}),
        ("count < least", {"count": 6, "least": 5}, {"next"}),
        ("count < least", {"count": 9, "least": 5}, set()),
        ("flag is True", {"flag": "yes"}, {"types"}),
        ("code == 'SPRING'", {"code": "spring "}, {"alike"}),
        ("code == 'SPRING'", {"code": "SUMMER"}, set()),
        ("number == '7'", {"number": 7}, {"types"}),
        ("kind == 'payment' or 'fee'", {"kind": "refund"}, {"fixed"}),
        ("kind in kinds", {"kind": 7, "kinds": ["7", "8"]}, {"types"}),
        ("total", {"total": 0}, {"falsy"}),
        ("name.startswith('#')", {"name": "  # note"}, {"alike"}),
        ("unknown < least", {"least": 5}, set()),
    ],
)
def test_a_condition_near_the_other_way_is_told(test: str, names: dict[str, Any], expected: set[str]) -> None:
    assert near(test, **names) == expected


class Hostile:
    def __eq__(self, other: object) -> bool:
        raise AssertionError("the user's code has run")

    __hash__ = object.__hash__

    def __lt__(self, other: object) -> bool:
        raise AssertionError("the user's code has run")

    def __contains__(self, other: object) -> bool:
        raise AssertionError("the user's code has run")


def test_conditions_run_nothing_of_the_users() -> None:
    one, other = Hostile(), Hostile()
    for test in ("one == other", "one < other", "one in other", "one in [other]", "one is other", "not one"):
        assert near(test, one=one, other=other) == set()


def of_lines(source: str, names: Callable[[ast.stmt, ast.AST], set[str]]) -> dict[int, set[str]]:
    """By line, of the statements of a function."""
    function = ast.parse(source).body[0]
    nodes = [node for node in ast.walk(function) if isinstance(node, ast.stmt) and node is not function]
    return {node.lineno: found for node in nodes if (found := names(node, function))}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(tree):\n for one in tree:\n  return g(one)", {3: {"leaves in the first round"}}),
        ("def f(key):\n return key.lstrip('data/')", {2: {"cuts letters off"}}),
        ("def f(key):\n return key.rstrip('/')", {}),
        ("def f(x):\n n = 0\n for y in x:\n  n = g(y)\n return n", {4: {"overwrites what was added up"}}),
        ("def f(x):\n n = 0\n for y in x:\n  n = n + y\n return n", {}),
        ("def f(x):\n n = 0\n for y in x:\n  if y < n:\n   n = y\n return n", {2: {"begins a search"}}),
    ],
)
def test_smells(source: str, expected: dict[int, set[str]]) -> None:
    assert of_lines(source, smells) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(jobs):\n for job in jobs:\n  jobs.remove(job)", {2: {"goes over what it changes"}}),
        ("def f(jobs):\n for job in list(jobs):\n  jobs.remove(job)", {}),
        ("def f(x):\n for n in x:\n  x[n] = lambda y: y + n", {3: {"closure of a loop"}}),
        ("def f(x):\n for n in x:\n  x[n] = lambda y, n=n: y + n", {}),
        ("def f(x):\n try:\n  g(x)\n except E:\n  return 0", {5: {"in a handler of errors"}}),
        ("def f(x):\n try:\n  g(x)\n except E:\n  print(x)", {}),
        (
            "def f(c, a, b):\n k = a\n if k not in c:\n  c[k] = g(a, b)\n return c[k]",
            {2: {"key of a cache"}, 3: {"looks in a cache"}},
        ),
        ("def f(c, k):\n if k not in c:\n  c[k] = c.get(k, 0) + 1", {}),
        ("def f(x):\n for k, g in groupby(x):\n  h(g)", {2: {"groups what is in no order"}}),
        ("def f(x):\n x = sorted(x)\n for k, g in groupby(x):\n  h(g)", {}),
    ],
)
def test_what_stands_around_a_line_is_told(source: str, expected: dict[int, set[str]]) -> None:
    assert of_lines(source, lambda statement, around: Surroundings(around).of(statement)) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("rows = [[]] * 3", "one object for all"),
        ("rows = dict.fromkeys(names, [])", "one object for all"),
        ("rows = [row for _ in range(3)]", "one object for all"),
        ("pages = total // size + 1", "counts pages"),
        ("def f(x, seen=set()): pass", "has one default for all calls"),
        ("order = rows.sort()", "takes the result of a change"),
        ("if a and b or c: pass", "mixes and with or"),
        ("at = at.replace(tzinfo=utc)", "replaces the time zone"),
        ("text = data.decode('utf-8', errors='ignore')", "leaves letters out"),
        ("share = part / whole", "divides"),
    ],
)
def test_idioms(source: str, expected: str) -> None:
    assert expected in idioms(ast.parse(source).body[0])


@pytest.mark.parametrize(
    "source",
    [
        "rows = [None] * 3",
        "rows = dict.fromkeys(names, 0)",
        "rows = [row for row in x]",
        "a = b.replace(c, d)",
    ],
)
def test_what_is_written_well_is_none(source: str) -> None:
    assert idioms(ast.parse(source).body[0]) <= {"cuts"}


def test_what_a_branch_would_do() -> None:
    body = ast.parse("if x:\n a = 1\n self.b = 2\n rows.append(3)\nelse:\n return").body
    assert isinstance(body[0], ast.If)

    done, other = effects(body[0].body), effects(body[0].orelse)

    assert (done.names, done.attributes, done.changed) == ({"a"}, {"b"}, {"rows"})
    assert (done.leaves, other.leaves, other.returns) == (False, True, True)


def test_looks_of_a_line() -> None:
    found = looks(ast.parse("hour = when.replace(tzinfo=zone).hour + row.get('add', 1)").body[0])

    assert {"has time", "has time part", "has default"} <= set(found)
    assert "does nothing" in looks(ast.parse("key = sku").body[0])


def test_likelihoods_are_shares_of_one() -> None:
    shares = likelihoods([{"way: closure of a loop": 1.0}, {"fails": 1.0}, {"unknown": 5.0}])

    assert sum(shares) == pytest.approx(1.0)
    assert shares[0] > shares[2] > shares[1]
    assert likelihoods([]) == []


def test_a_line_that_no_way_leads_to_counts_if_something_speaks_against_it() -> None:
    assert not is_led_to({"by ran": 1.0, "work": 2.0})
    assert not is_led_to({"by defined": 1.0, "way: divides": 1.0})
    assert is_led_to({"by ran": 1.0, "way: closure of a loop": 1.0})
    assert is_led_to({"by given": 1.0})


def test_each_reason_is_of_something_that_weighs() -> None:
    assert {name for name in WORDS if WEIGHTS.get(name, 0.0) <= 0} == set()
    assert reason({"work": 2.0}, lambda name: True) == ""


def test_the_heaviest_reason_that_is_true_is_said() -> None:
    features = {"seen: found nothing to take out": 1.0, "near falsy": 1.0}

    assert reason(features, lambda name: True) == "at least once it found nothing to take out"
    assert reason(features, lambda name: name == "near falsy") == "a zero counts as nothing here"
    assert reason(features, lambda name: False) == ""
