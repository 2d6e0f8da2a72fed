"""Completion in the debugger: whatever is typed, and whatever lies in the frame, nothing of it is run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from relive_runtime.debugger.chain import exception_chain, exception_name, user_frames
from relive_runtime.debugger.completion import complete_line, frame_namespaces

COMMANDS = ["p", "pp", "where"]


class Loud:
    """Complains of every look at it."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(name)

    def __repr__(self) -> str:
        raise AssertionError("repr")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("eq")

    def __hash__(self) -> int:
        return 5


class LoudDict(dict[Any, Any]):
    def __getitem__(self, key: Any) -> Any:
        raise AssertionError(key)

    def keys(self) -> Any:
        raise AssertionError("keys")

    items = keys


class Computed:
    def __get__(self, obj: object, kind: object) -> Any:
        raise AssertionError("descriptor")


class Owner:
    computed = Computed()
    plain = "text"

    def __init__(self) -> None:
        self.loud = Loud()
        self.table = {"key": [1, 2.5], 7: "seven"}
        self.quiet_dict = LoudDict(a=1)


def spaces() -> list[Sequence[tuple[str, Any]]]:
    owner, loud, loud_dict = Owner(), Loud(), LoudDict(a=1)
    mixed = {loud: 1, "key": (1, "two")}
    assert (owner, loud_dict, mixed) is not None
    return frame_namespaces(sys._getframe())


TEXTS = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            [
                "owner",
                "loud",
                "mixed",
                ".",
                "loud_dict",
                "[0]",
                "['key']",
                "[7]",
                "table",
                "computed",
                "(",
                " ",
                "p ",
                "x",
            ]
        ),
        max_size=8,
    ).map("".join),
)


@given(TEXTS)
def test_whatever_is_typed_has_an_answer_and_runs_nothing(text: str) -> None:
    start, items = complete_line(text, spaces(), COMMANDS)

    assert 0 <= start <= len(text)
    assert all(item.startswith(text[start:]) for item in items)
    assert len(items) <= 200


def test_what_is_stored_is_found() -> None:
    def items(text: str) -> list[str]:
        return complete_line(text, spaces(), COMMANDS)[1]

    assert items("p owner.") == ["computed", "loud", "plain", "quiet_dict", "table"]
    assert items("owner.table['key'][1].is_") == ["is_integer"]
    assert "isascii" in items("owner.plain.isa")
    assert items("owner.computed.") == []
    assert items("mixed['key'][1].zf") == ["zfill"]
    assert items("owner.quiet_dict['a'].") == []  # a class of its own: its __getitem__ would have to run
    assert items("wher") == ["where"]
    assert items("p wher") == []


def test_the_chain_is_that_of_pdb_and_never_asks_the_exceptions() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise AssertionError("str")

        def __eq__(self, other: object) -> bool:
            raise AssertionError("eq")

        __hash__ = None  # type: ignore[assignment]

    caught: BaseException
    try:
        try:
            {}["sku"]
        except KeyError as error:
            raise Mute("no price") from error
    except Mute as error:
        caught = error

    chain = exception_chain(caught)

    assert [exception_name(error).rpartition("Mute")[2] for error in chain] == [
        "KeyError: 'sku'",
        ": no price",
    ]
    assert len(user_frames(chain[0])) == 1
    chain[0].__context__ = caught  # a circle
    assert len(exception_chain(caught)) == 2
