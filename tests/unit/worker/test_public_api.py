"""`import relive` outside of a function."""

from __future__ import annotations

import pytest
import relive
from relive.calls import NotInFunction


@pytest.mark.parametrize("call", [relive.invoke, relive.send])
def test_it_says_that_it_works_inside_functions_only(call: object) -> None:
    with pytest.raises(NotInFunction, match="inside a function") as caught:
        call("pricing", {})  # type: ignore[operator]
    assert "relive invoke pricing" in caught.value.hint
