"""`relive doctor`: what it says of the home."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from relive.commands.start.doctor import _home


@pytest.mark.parametrize(("home", "said"), [("/tmp/relive-home", True), ("/nowhere/relive", False)])
def test_a_home_below_tmp_is_said_to_be_seen_by_functions(home: str, said: bool) -> None:
    # Given a home, When it is looked at
    session: Any = SimpleNamespace(home=Path(home))
    finding = _home(session)
    # Then it is told where functions see it
    assert ("functions see the folders that lead to it" in finding.detail) is said
