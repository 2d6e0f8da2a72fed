"""Functions that hear of each other's records in a circle are refused, however long it is."""

from __future__ import annotations

import pytest
from relive_platform.registry.application.model import FunctionConfig
from relive_platform.registry.circles import check_circles, find_circle
from relive_platform.registry.model import DeployError
from relive_platform.subscriptions.rules import Hears
from relive_platform.triggers.records.config import FailureTrigger, LogsTrigger


def named(*functions: str) -> list[Hears]:
    return [Hears(functions)]


@pytest.mark.parametrize(
    ("listening", "circle"),
    [
        ({}, []),
        ({"a": named("b"), "b": []}, []),
        ({"a": named("b"), "b": named("c"), "c": []}, []),
        ({"a": named("*"), "b": [], "c": []}, []),  # all but itself
        ({"a": named("b"), "b": named("a")}, ["a", "b"]),
        ({"a": named("*"), "b": named("*")}, ["a", "b"]),
        ({"a": named("c"), "b": named("a"), "c": named("b"), "d": named("a", "b", "c")}, ["a", "b", "c"]),
        ({"a": [Hears(exclude=("b",))], "b": named("*")}, []),
        ({"a": [*named("x"), *named("b")], "b": named("a"), "x": []}, ["a", "b"]),
    ],
)
def test_circles(listening: dict[str, list[Hears]], circle: list[str]) -> None:
    assert sorted(find_circle(listening)) == circle


def test_a_long_chain_needs_no_recursion() -> None:
    chain = {f"f{number:05}": named(f"f{number + 1:05}") for number in range(300)}
    assert not find_circle({**chain, "f00300": []})
    assert len(find_circle({**chain, "f00300": named("f00000")})) == 301


def config(name: str, *triggers: LogsTrigger | FailureTrigger) -> FunctionConfig:
    return FunctionConfig(name=name, handler="app:handler", triggers=triggers)


def test_a_deploy_with_a_circle_is_refused() -> None:
    with pytest.raises(DeployError, match="its own records"):
        check_circles([config("a", LogsTrigger(functions=("b", "a")))], [])
    # across applications and kinds
    with pytest.raises(DeployError, match="in a circle: "):
        check_circles([config("a", LogsTrigger(functions=("b",)))], [config("b", FailureTrigger())])
    check_circles([config("a", LogsTrigger(functions=("b",)))], [config("b")])
    check_circles([config("a")], [config("b", FailureTrigger())])
