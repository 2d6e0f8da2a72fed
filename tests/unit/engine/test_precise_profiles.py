from __future__ import annotations

import pytest
from relive_base.wire.messages import FunctionSpec, Result
from relive_platform.engine.precise import PreciseProfiles

MS = 1_000_000


def _policy(chance=lambda: 0.99, **values):
    return PreciseProfiles(FunctionSpec(name="f", version=1, handler="a:b", **values), chance=chance)


def _result(ms, status="ok"):
    return Result("i", status, 0, round(ms * MS))


def _chosen(policy, count=25):
    return [policy.choose() for _ in range(count)].count("precise")


def test_by_default_nothing_is_profiled_precisely():
    policy = _policy()
    for ms in (10, 10, 500):
        policy.ended(_result(ms), "")
    policy.lost()
    assert _chosen(policy) == 0


def test_the_next_so_many_on_request():
    policy = _policy()
    policy.ask(2, "precise")
    assert policy.asked
    assert [policy.choose() for _ in range(3)] == ["precise", "precise", ""]
    assert not policy.asked


def test_a_share():
    draws = iter([0.005, 0.02, 0.5, 0.0])
    policy = _policy(lambda: next(draws), precise_share=0.01)
    assert [policy.choose() for _ in range(4)] == ["precise", "", "", "precise"]


@pytest.mark.parametrize(
    ("after", "ms", "status", "expected"),
    [
        ("slow", 100, "ok", 1),
        ("slow", 25, "ok", 0),  # three times as long at least
        ("slow", 10, "error", 0),
        ("failed", 10, "error", 1),
        ("failed", 100, "ok", 0),
        ("both", 100, "ok", 1),
        ("both", 10, "timeout", 1),
    ],
)
def test_the_one_after_a_slow_or_failed_one(after, ms, status, expected):
    # Given a function that usually takes 10 ms
    policy = _policy(precise_after=after)
    for _ in range(30):
        policy.choose()
        policy.ended(_result(10), "")
    policy.ended(_result(ms, status), "")
    assert _chosen(policy) == expected


def test_a_function_that_always_fails_is_profiled_seldom():
    policy = _policy(precise_after="failed")
    chosen = []
    for _ in range(100):
        chosen.append(policy.choose())
        policy.ended(_result(10, "error"), chosen[-1])
    assert 3 <= chosen.count("precise") <= 5


def test_what_was_profiled_precisely_is_no_measure():
    policy = _policy(precise_after="slow")
    policy.ended(_result(10), "")
    policy.ended(_result(1_000), "precise")
    assert _chosen(policy) == 0
