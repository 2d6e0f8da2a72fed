"""Code of ours that interrupts the user's, where that has taken builtins away."""

from __future__ import annotations

import builtins
import types

import pytest
from relive_base.kept_builtins import KEPT, intact

SOURCE = """
__builtins__ = KEPT
def longest(texts):
    return max(len(text) for text in texts)
"""


def test_a_module_that_keeps_them_does_without() -> None:
    # Given a module that keeps the builtins
    module = types.ModuleType("kept")
    vars(module)["KEPT"] = KEPT
    exec(SOURCE, vars(module))  # noqa: S102 - as an import would

    # When somebody takes some away
    taken, builtins.max = builtins.max, None  # type: ignore[assignment]
    try:
        longest, whole = module.longest(["a", "bcd"]), intact()
    finally:
        builtins.max = taken

    # I expect its functions to work, and it to be known
    assert longest == 3
    assert not whole


def test_another_function_in_the_place_of_a_builtin_is_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtins, "print", lambda *words: None)
    assert intact()
