"""The pure parts of `why`: conditions that were near to the other way, smells, and the likeliest line."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from relive_runtime.travel.causes.arms import effects
from relive_runtime.travel.causes.likelihood import likelihoods
from relive_runtime.travel.causes.nearness import near_misses
from relive_runtime.travel.causes.smells import smells
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


def smelled(source: str) -> dict[int, set[str]]:
    """By line."""
    function = ast.parse(source).body[0]
    found = {}
    for node in ast.walk(function):
        if isinstance(node, ast.stmt) and node is not function:
            names = smells(node, function)
            if names:
                found[node.lineno] = names
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "def f(jobs):\n for job in jobs:\n  if job:\n   jobs.remove(job)",
            {4: {"changes what is gone through"}},
        ),
        ("def f(tree):\n for one in tree:\n  return g(one)", {3: {"leaves in the first round"}}),
        ("def f(key):\n return key.lstrip('data/')", {2: {"cuts letters off"}}),
        ("def f(key):\n return key.rstrip('/')", {}),
        ("def f(n):\n row = [0]\n return [row for _ in range(n)]", {3: {"repeats one object"}}),
        ("def f(x):\n n = 0\n for y in x:\n  n = g(y)\n return n", {4: {"overwrites what was added up"}}),
        ("def f(x):\n n = 0\n for y in x:\n  n = n + y\n return n", {}),
        ("def f(x):\n n = 0\n for y in x:\n  if y < n:\n   n = y\n return n", {2: {"begins a search"}}),
    ],
)
def test_smells(source: str, expected: dict[int, set[str]]) -> None:
    assert smelled(source) == expected


def test_what_a_branch_would_do() -> None:
    body = ast.parse("if x:\n a = 1\n self.b = 2\n rows.append(3)\nelse:\n return").body
    assert isinstance(body[0], ast.If)

    done, other = effects(body[0].body), effects(body[0].orelse)

    assert (done.names, done.attributes, done.changed) == ({"a"}, {"b"}, {"rows"})
    assert (done.leaves, other.leaves, other.returns) == (False, True, True)


def test_looks_of_a_line() -> None:
    found = looks(ast.parse("total = total[1:] + other - 1").body[0])

    assert {"has slice", "has one more or less"} <= set(found)
    assert "only a name" in looks(ast.parse("key = sku").body[0])


def test_likelihoods_are_shares_of_one() -> None:
    shares = likelihoods([{"near fixed": 1.0}, {"fails": 1.0}, {"unknown": 5.0}])

    assert sum(shares) == pytest.approx(1.0)
    assert shares[0] > shares[2] > shares[1]
    assert likelihoods([]) == []
