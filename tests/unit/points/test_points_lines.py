"""Lines that are watched: each is told when it is passed, no other is, and nothing is left at the end."""

from __future__ import annotations

import signal
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from relive_base.wire.messages import Statement
from relive_platform.engine.statements import Statements
from relive_runtime.points.expressions import Condition, LogText
from relive_runtime.points.lines import CannotWatch, watched_lines

CODE = """
def squares(count):
    found = []
    for number in range(count):
        square = number * number
        found.append(square)
    return found

def numbers():
    yield 1
    yield 2

def shared():
    count = 0
    def more():
        nonlocal count
        count += 1
        return count
    more()
    done = True
    return count
"""
Seen = list[tuple[int, dict[str, Any]]]


def places(module: types.ModuleType, *lines: int, source: str = CODE) -> dict[str, frozenset[Statement]]:
    """What is watched for these lines."""
    statements = Statements(source.encode(), "watched.py")
    found = [statements.at(line) for line in lines]
    return {str(module.__file__): frozenset(one[0] for one in found if one is not None)}


@pytest.fixture
def module(tmp_path: Path) -> types.ModuleType:
    module = types.ModuleType("watched")
    module.__file__ = str(tmp_path / "watched.py")
    exec(compile(CODE, module.__file__, "exec"), module.__dict__)  # noqa: S102 - it is in this file
    return module


@contextmanager
def watching(module: types.ModuleType, *lines: int) -> Iterator[Seen]:
    seen: Seen = []

    def hit(frame: FrameType, file: str, _statement: Statement) -> None:
        assert file == module.__file__
        seen.append((frame.f_lineno, dict(frame.f_locals)))

    traced = sys.gettrace()
    sys.settrace(None)  # coverage's, if there is one
    watched = watched_lines(places(module, *lines), hit)
    try:
        yield seen
    finally:
        watched.stop()
        sys.settrace(traced)


def test_a_line_is_told_before_it_runs_each_time(module: types.ModuleType) -> None:
    # Given a function that has run before
    module.squares(2)

    with watching(module, 6) as seen:
        module.squares(3)

    # I expect the frame as it was
    assert [line for line, _ in seen] == [6, 6, 6]
    assert [names["square"] for _, names in seen] == [0, 1, 4]
    assert seen[1][1]["found"][0] == 0
    module.squares(3)
    assert len(seen) == 3
    assert sys.gettrace() is None or "points" not in repr(sys.gettrace())


def test_they_can_be_others_and_a_generator_that_runs_is_seen(module: types.ModuleType) -> None:
    running = module.numbers()
    next(running)
    with watching(module, 5):
        module.squares(1)
    with watching(module, 7, 11) as seen:
        module.squares(1)
        if sys.version_info >= (3, 12):
            next(running)

    assert [line for line, _ in seen] == ([7, 11] if sys.version_info >= (3, 12) else [7])


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there it is no trace function")
def test_who_traces_already_goes_on(module: types.ModuleType) -> None:
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        with pytest.raises(CannotWatch, match="settrace"):
            watched_lines(places(module, 6), lambda *_: None)
    finally:
        sys.settrace(before)


def test_what_others_do_to_shared_variables_meanwhile_stays(module: types.ModuleType) -> None:
    # Given a line whose condition changes a variable of the function that others share
    condition = Condition("more() and False")
    told = []
    traced = sys.gettrace()
    sys.settrace(None)
    watched = watched_lines(places(module, 21), lambda frame, *_: told.append(condition.holds(frame)))
    try:
        count = module.shared()
    finally:
        watched.stop()
        sys.settrace(traced)

    # I expect it to be as it was left
    assert told == [(False, "")]
    assert count == 2


def test_lines_are_watched_again_after_a_thread_has_ended_it(module: types.ModuleType) -> None:
    # Given lines that are watched in this thread until another one stops it, as the last hit does
    traced = sys.gettrace()
    sys.settrace(None)
    watched = places(module, 6)
    first = watched_lines(watched, lambda *_: None)
    thread = threading.Thread(target=first.stop)
    thread.start()
    thread.join()
    seen: list[int] = []
    try:
        # When they are to be watched once more, and are no more
        again = watched_lines(watched, lambda frame, *_: seen.append(frame.f_lineno))
        module.squares(1)
        thread = threading.Thread(target=again.stop)
        thread.start()
        thread.join()
        module.squares(1)
        left = sys.gettrace()
    finally:
        sys.settrace(traced)

    # I expect the hits of the second time, and nothing left in this thread
    assert seen == [6]
    assert left is None


def frame_of(**names: Any) -> FrameType:
    total, items = names.get("total", 3), names.get("items", [1, 2])
    assert total
    assert items
    return sys._getframe()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("total={total}", "total=3"),
        ("{total!r:>4}|{{}}", "   3|{}"),
        ("{sum(one * total for one in items)}", "9"),
        ("{items[5]} {total}", "(IndexError: list index out of range) 3"),
        ("{missing}", "(NameError: name 'missing' is not defined)"),
        ("{'it is' + \" quoted\"}", "it is quoted"),
        ("{exit()}", "(SystemExit: None)"),
        ("plain", "plain"),
    ],
    ids=str,
)
def test_a_text_is_made_of_what_its_expressions_give_or_raise(text: str, said: str) -> None:
    assert LogText(text).of(frame_of()) == said


def test_a_text_has_an_end_and_conditions_say_what_they_raise() -> None:
    assert len(LogText("{'x' * 10_000_000}").of(frame_of())) == 2_000
    assert Condition("total > 2 and any(one == total - 1 for one in items)").holds(frame_of()) == (True, "")
    assert Condition("").holds(frame_of()) == (True, "")
    assert Condition("total.missing").holds(frame_of())[0] is False
    assert "AttributeError" in Condition("total.missing").holds(frame_of())[1]
    for wrong in ("{a", "}", "'\"\"\"'''\""):
        with pytest.raises(SyntaxError):
            LogText(wrong)


def test_an_expression_binds_nothing_of_the_function_or_its_module() -> None:
    # Given expressions that bind names, in comprehensions too
    frame = frame_of(items=[1, 2])

    assert LogText("{[bound := one for one in items]} {bound}").of(frame).startswith("[1, 2] ")
    assert LogText("{([bound := one for one in items], bound)[1]}").of(frame) == "2"
    assert LogText("{(total := 5)} {total}").of(frame) == "5 3"
    assert LogText("{([total := one for one in items], total)[1]}").of(frame) == "2"
    assert "bound" not in globals()
    assert "total" not in globals()


def raises_timeout(*_: object) -> None:
    raise TimeoutError("of the alarm")


@pytest.mark.parametrize(
    ("handler", "raised"),
    [(raises_timeout, TimeoutError), (signal.default_int_handler, KeyboardInterrupt)],
    ids=["alarm", "Ctrl-C"],
)
def test_what_a_signal_handler_raises_meanwhile_goes_on(handler: Any, raised: type[BaseException]) -> None:
    before = signal.signal(signal.SIGINT, handler)
    try:
        for evaluated in (
            Condition("__import__('signal').raise_signal(2)").holds,
            LogText("{__import__('signal').raise_signal(2)}").of,
        ):
            with pytest.raises(raised):
                evaluated(frame_of())
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{password}", "[redacted]"),
        ("{password!r:>40}", "[redacted]"),
        ("{password=}", "password=[redacted]"),
        ("{user.password} of {user.name}", "[redacted] of ada"),
        ("{d['api_key']} {d.get('api_key')} {d['n']}", "[redacted] [redacted] 7"),
        ("{password[:4]} {password.upper()} {len(password)}", "[redacted] [redacted] 8"),
        ("{token} {password.isalpha()}", "None False"),
        ("{iban}", "[redacted]"),
    ],
)
def test_a_value_under_a_secret_name_is_redacted(text: str, said: str) -> None:
    def passing(password: str, token: None, iban: str) -> Any:
        user = type("User", (), {"password": password, "name": "ada"})()
        d = {"api_key": password, "n": 7}
        assert user
        assert d
        return sys._getframe()

    assert LogText(text, ["iban"]).of(passing("hunter22", None, "DE12 3456")) == said
