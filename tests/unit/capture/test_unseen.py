"""What the limits cut is searched for secrets without running anybody's code."""

from __future__ import annotations

from typing import Any

import hostile
from relive_capture.record.budget import Budget
from relive_capture.record.values.unseen import UnseenSecrets


def searched(value: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    search = UnseenSecrets(
        lambda name, _value: name == "password", lambda name, secret: found.append((name, secret)), Budget()
    )
    search.search(value)
    return found


def test_secrets_are_found_three_levels_deep() -> None:
    # Given names on three levels and one more, in dicts, lists, tuples and attributes
    class Account:
        def __init__(self) -> None:
            self.password = "third"

    value = {
        "password": "first",
        "rows": [{"password": "second"}],
        "pair": (Account(), {"a": {"password": 1}}),
    }

    # I expect what stands on the first three
    assert [secret for _, secret in searched(value)] == ["first", "second", "third"]


def test_what_is_searched_runs_nothing() -> None:
    # Given values whose classes' classes are hostile, at every place
    cls = hostile.make_hostile(object, hostile.EverythingMeta)
    odd = cls.__new__(cls)
    value = {"odd": odd, "rows": [odd, (odd,), {"password": "secret"}], "type": cls}

    # When they are searched while every call counts
    hostile.calls.clear()
    hostile.armed.append(True)
    try:
        found = [searched(value), searched(odd), searched(cls)]
    finally:
        hostile.armed.clear()

    # I expect the secret, and no call
    assert found == [[("password", "secret")], [], []]
    assert hostile.calls == []
