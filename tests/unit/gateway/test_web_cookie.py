"""The session of the pages in the browser is no function's business."""

from __future__ import annotations

import pytest
from relive_platform.triggers.http.access import _own_cookies


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("relive_web=abc", ""),
        ("a=1; relive_web=abc; b=2", "a=1; b=2"),
        ("relive_web=abc; b=2", "b=2"),
        ("a=1;relive_web=abc", "a=1"),
        ("a=1; b=2", "a=1; b=2"),
        ("not_relive_web=1", "not_relive_web=1"),
    ],
)
def test_only_that_cookie_is_taken_off(given: str, left: str) -> None:
    assert _own_cookies(given) == left
