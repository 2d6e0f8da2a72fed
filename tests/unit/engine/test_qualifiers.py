"""Which version an event is for."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest
from relive_platform.engine.qualifiers import AliasTarget, Qualifiers, UnknownQualifier, split_qualifier


def qualifiers(*draws: float) -> Qualifiers:
    drawn = iter(draws)
    found = Qualifiers(lambda: next(drawn))
    found.apply({"f": {"live": AliasTarget(7, {}), "canary": AliasTarget(7, {8: 0.1, 9: 0.2})}})
    return found


def test_none_and_latest_are_what_is_in_service() -> None:
    assert qualifiers().version_of("f", "") == qualifiers().version_of("f", "$LATEST") == 0


def test_a_number_is_itself() -> None:
    assert qualifiers().version_of("f", "12") == 12


def test_an_alias_without_shares_needs_no_chance() -> None:
    assert qualifiers().version_of("f", "live") == 7


@pytest.mark.parametrize(
    ("draw", "version"), [(0.0, 8), (0.099, 8), (0.1, 9), (0.299, 9), (0.31, 7), (0.99, 7)]
)
def test_shares_are_parts_of_all_draws(draw: float, version: int) -> None:
    assert qualifiers(draw).version_of("f", "canary") == version


def test_shares_come_out_as_they_were_asked_for() -> None:
    # Given a hundred draws that are spread evenly
    numbers = count()
    found = Qualifiers(lambda: next(numbers) / 100)
    found.apply({"f": {"canary": AliasTarget(7, {8: 0.25})}})
    # I expect a quarter of them
    assert Counter(found.version_of("f", "canary") for _ in range(100)) == {8: 25, 7: 75}


@pytest.mark.parametrize("qualifier", ["other", "\u0667", "live ", "-1"])
def test_what_is_no_alias(qualifier: str) -> None:
    with pytest.raises(UnknownQualifier):
        qualifiers().version_of("f", qualifier)


def test_versions_of_aliases_stay_ready() -> None:
    assert qualifiers().pinned("f") == {7, 8, 9}
    assert qualifiers().pinned("g") == set()


def test_a_name_with_a_qualifier() -> None:
    assert split_qualifier("f:live") == ("f", "live")
    assert split_qualifier("f") == ("f", "")
