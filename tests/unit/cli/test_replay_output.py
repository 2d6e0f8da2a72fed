"""The line of a failure that `relive replay` prints."""

from __future__ import annotations

import pytest
from relive.commands.failures import replay


@pytest.mark.parametrize(
    ("message", "file", "line"),
    [
        ("'sku'", "main.py", "KeyError: 'sku'  main.py:7"),
        ("", "main.py", "KeyError  main.py:7"),
        (" ", "main.py", "KeyError  main.py:7"),
        ("'sku'", "", "KeyError: 'sku'"),
        ("", "", "KeyError"),
    ],
)
def test_what_is_not_there_leaves_no_gap(message: str, file: str, line: str) -> None:
    assert replay.failure_line("KeyError", message, file, 7) == line
