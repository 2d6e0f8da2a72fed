"""What stands in a dict is found without a comparison of somebody's own."""

from __future__ import annotations

import enum
from typing import Any

import pytest
from relive_runtime.travel.causes.lookups import MISSING, looked_up


class Key:
    """Has the hash of what it stands for, and is compared with nothing."""

    def __init__(self, like: object) -> None:
        self.like = like

    def __hash__(self) -> int:
        return hash(self.like)

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")


class Color(enum.Enum):
    RED = 1


SOME = Key("same")


@pytest.mark.parametrize(
    ("held", "key", "expected"),
    [
        ({"a": 1}, "a", 1),
        ({"a": 1}, "b", MISSING),
        ({1: "one"}, True, "one"),
        ({1: "one"}, 1.0, "one"),
        ({("a", 1): 2}, ("a", 1), 2),
        ({Color.RED: 3}, Color.RED, 3),
        ({int: 4}, int, 4),
        ({Key(1): 5}, 1, MISSING),
        ({Key("a"): 5, "b": 6}, "b", 6),
        ({(Key(1),): 5}, (1,), MISSING),
        ({SOME: 7}, SOME, 7),
    ],
)
def test_a_key_is_found_and_none_is_asked(held: dict[Any, Any], key: Any, expected: Any) -> None:
    assert looked_up(held, key) == expected


def test_new_keys_of_a_large_dict_are_seen() -> None:
    # Given a dict that is too large to be looked through each time, and was
    held: dict[Any, Any] = {str(number): number for number in range(5_000)}
    assert looked_up(held, "4999") == 4_999

    # When keys go and others come, one of them somebody's own
    for number in range(50):
        del held[str(number)]
        held[f"{number} more"] = number
    assert looked_up(held, "49 more") == 49
    held[Key("nothing")] = 1
    held["last"] = 2

    # I expect that it is not asked, nor when the newest keys are gone
    assert looked_up(held, "nothing") is MISSING
    del held["last"]
    assert looked_up(held, "nothing") is MISSING
