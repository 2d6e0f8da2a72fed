"""What can set an invocation off is named once."""

from __future__ import annotations

from relive_base.records import TRIGGERS
from relive_platform.triggers.table import KINDS
from relive_tui.models.lists.filtering import parse_filter


def test_every_kind_of_trigger_can_be_asked_for() -> None:
    # Given all kinds that a function can have, and the two ways that need none
    kinds = {*KINDS, "api", "call"}

    # I expect them to be what a record may say, and the terminal UI to filter by each
    assert set(TRIGGERS) == kinds
    assert {parse_filter(f"trigger:{kind}").trigger for kind in kinds} == kinds
