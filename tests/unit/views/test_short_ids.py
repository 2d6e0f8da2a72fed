"""Short ids are beginnings that mean one thing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from relive_views.events import event_meant, short_event_ids
from relive_views.ids import abbreviation, shortest
from relive_views.places import place

A = "01a2283f-ae97-73e1-9e11-bb5e3c439fd8"
SAME_MS = "01a2283f-ae97-7fff-8e11-bb5e3c439fd8"
LATER = "01a2283f-ae98-73e1-9e11-bb5e3c439fd8"


def test_it_names_the_millisecond_and_more_only_where_another_shares_it() -> None:
    assert shortest([A], [LATER]) == {A: "01a2283f-ae97"}
    # the 13th digit is the UUID's version, the next tells them apart
    assert shortest([A], [SAME_MS, LATER]) == {A: "01a2283f-ae97-73"}


def test_an_id_that_is_not_one_of_ours_has_eight_characters() -> None:
    assert abbreviation("4bf92f3577b34da6a3ce929d0e0e4736") == "4bf92f35"
    assert shortest(["order-1"], []) == {"order-1": "order-1"}


@given(st.lists(st.text("01-", min_size=1, max_size=20), max_size=12, unique=True))
def test_each_begins_its_id_and_no_other_or_is_whole(idents: list[str]) -> None:
    for ident, short in shortest(idents, []).items():
        assert ident.startswith(short)
        assert short == ident or [other for other in idents if other.startswith(short)] == [ident]


def test_the_id_of_an_event_can_be_taken_from_the_list_as_it_stands() -> None:
    timers = [f"timer-tick-e8313aee-179597240486{n}" for n in range(3)]
    shown = short_event_ids([*timers, A, "order-4711"])

    assert shown["order-4711"] == "order-4711"
    assert shown[A] == A[:13]
    for ident in timers:
        assert len(shown[ident]) <= 16
        assert event_meant(shown[ident], timers) == [ident]


def test_a_file_whose_name_says_nothing_comes_with_its_folder() -> None:
    assert place("/home/me/lib/requests/__init__.py", 7) == "requests/__init__.py:7"
    assert place("cart.py", 33) == "cart.py:33"
    assert place("cart.py", 0) == "cart.py"
    assert place("", 3) == ""
