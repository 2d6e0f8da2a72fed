"""What is taken off a traceback, and what is not."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

import pytest
from relive_base.unseen import UNSEEN, without_this_frame


def function(name: str, folder: str, source: str, **known: Any) -> Callable[[], None]:
    """A function of a file in that folder."""
    names: dict[str, Any] = {"UNSEEN": UNSEEN, "without_this_frame": without_this_frame, **known}
    lines = "\n".join(f"    {line}" for line in source.splitlines())
    exec(compile(f"def {name}():\n{lines}", f"{folder}/{name}.py", "exec"), names)  # noqa: S102
    made: Callable[[], None] = names[name]
    return made


def frames(call: Callable[[], None]) -> list[str]:
    """Functions of the traceback, this test's own left out."""
    with pytest.raises(LookupError) as caught:
        call()
    return [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][1:]


STRIPPED = """
try:
    below()
except BaseException as error:
    without_this_frame(error)
    raise
"""


def test_frames_of_our_folder_go_up_to_the_first_of_another() -> None:
    # Given two functions of ours, above one of somebody else's that calls another one of ours
    deepest = function("deepest", "/ours", "raise LookupError")
    theirs = function("theirs", "/ours/not", "below()", below=deepest)
    inner = function("inner", "/ours", "below()", below=theirs)
    # When the first of ours leaves its frames out, I expect those to be gone that come before theirs
    assert frames(function("outer", "/ours", STRIPPED, below=inner)) == ["theirs", "deepest"]
    assert frames(function("outer", "/ours", "with UNSEEN:\n    below()", below=inner)) == [
        "theirs",
        "deepest",
    ]
    # ... all of them if there is nobody else, and none if nothing is left out
    assert frames(function("outer", "/ours", STRIPPED, below=deepest)) == []
    assert frames(function("outer", "/ours", "below()", below=deepest)) == ["outer", "deepest"]


def test_an_error_that_is_kept_keeps_nothing_of_ours() -> None:
    # Given a call of what is written in C, with something in a local of ours
    class Held:
        pass

    kept: list[Any] = []
    source = f"held = Held()\nkept.append(ref(held)){STRIPPED}"
    call = function("outer", "/ours", source, below=partial({}.pop, "a"), Held=Held, kept=kept, ref=ref)
    # When it fails, and its error is kept
    with pytest.raises(LookupError) as caught:
        call()
    # I expect the local to be gone
    assert caught.value.__traceback__ is not None
    assert kept[0]() is None


def test_nothing_of_an_errors_own_class_is_called() -> None:
    class Odd(LookupError):
        @property
        def __traceback__(self) -> Any:  # type: ignore[override]
            raise KeyboardInterrupt

        def with_traceback(self, _trace: Any) -> Any:
            raise KeyboardInterrupt

    def below() -> None:
        raise Odd

    with pytest.raises(Odd):
        function("outer", "/ours", STRIPPED, below=below)()
