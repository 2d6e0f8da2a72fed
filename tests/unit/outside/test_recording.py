"""relive.record: what it gives behaves as what it was given, and failures are handed over."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Any

import pytest
from relive_outside.record.handed import Handed
from relive_outside.record.recorder import Recorder
from relive_outside.record.settings import OutsideSettings
from relive_outside.recording import encoded_call, record, recorded_by


class Hand:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[Handed] = []
        self.room = 1_000

    def has_room(self) -> bool:
        return len(self.given) < self.room

    def over(self, handed: Handed, wait_s: float) -> str:
        self.given.append(handed)
        return ""

    def take_up(self) -> str:
        return ""

    def close(self) -> str:
        return ""


def made(tmp_path: Any, **settings: Any) -> tuple[Recorder, Hand, list[str]]:
    hand, said = Hand(), []
    given = OutsideSettings(state=str(tmp_path / "state"), source=str(tmp_path), **settings)
    return Recorder(given, "call", say=said.append, hand=hand), hand, said


def test_results_and_exceptions_are_the_same(tmp_path: Any) -> None:
    # Given a function that is recorded
    recorder, hand, said = made(tmp_path)

    def share(total: int, parts: int = 2) -> float:
        """Divides."""
        return total / parts

    recorded = recorded_by(share, recorder)
    # When it succeeds and fails, I expect its own result, its own exception, and one scene
    assert recorded(10) == 5.0
    assert recorded.__doc__ == "Divides."
    with pytest.raises(ZeroDivisionError):
        recorded(1, parts=0)
    (handed,) = hand.given
    assert json.loads(handed.event) == {"args": [1], "kwargs": {"parts": 0}}
    assert handed.record is not None
    assert handed.record.error is not None
    assert handed.record.error.type == "ZeroDivisionError"
    assert handed.scene is not None
    assert b'"parts"' in handed.scene.members["exception.json"]
    assert said == []


def test_a_handler_of_lambda_is_told_by_its_parameters(tmp_path: Any) -> None:
    recorder, hand, _ = made(tmp_path)

    def handler(event: Any, context: Any) -> Any:
        return event["missing"]

    with pytest.raises(KeyError):
        recorded_by(handler, recorder)({"password": "hunter2-hunter2"}, None)
    (handed,) = hand.given
    assert handed.host.kind == "event"
    assert json.loads(handed.event) == {"password": "hunter2-hunter2"}  # the helper redacts it


async def test_coroutines_that_run_beside_each_other_are_told_apart(tmp_path: Any) -> None:
    recorder, hand, _ = made(tmp_path)

    async def work(number: int) -> int:
        await asyncio.sleep(0)
        if number % 2:
            raise ValueError(number)
        return number

    recorded = recorded_by(work, recorder)
    found = await asyncio.gather(*(recorded(number) for number in range(4)), return_exceptions=True)
    assert [type(one).__name__ for one in found] == ["int", "ValueError", "int", "ValueError"]
    assert [json.loads(one.event)["args"] for one in hand.given] == [[1], [3]]
    assert len({one.record.invocation_id for one in hand.given if one.record}) == 2


def test_an_exception_that_is_raised_further_has_one_scene(tmp_path: Any) -> None:
    recorder, hand, _ = made(tmp_path)

    def inner() -> None:
        raise RuntimeError("once")

    called = recorded_by(inner, recorder)

    def outer() -> None:
        called()

    with pytest.raises(RuntimeError):
        recorded_by(outer, recorder)()
    assert [one.record.function for one in hand.given if one.record] == ["inner"]


def test_a_storm_of_failures_makes_a_few_scenes(tmp_path: Any) -> None:
    recorder, hand, said = made(tmp_path, per_minute=3)

    def fail() -> None:
        raise ValueError

    recorded = recorded_by(fail, recorder)
    for _ in range(10):
        with pytest.raises(ValueError):
            recorded()
    assert len(hand.given) == 3
    recorder.close()
    assert said == ["7 failures were over 3 scenes a minute"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_what_ends_from_outside_is_no_failure(tmp_path: Any, kind: type[BaseException]) -> None:
    recorder, hand, _ = made(tmp_path)

    def work() -> None:
        raise kind

    with pytest.raises(kind):
        recorded_by(work, recorder)()
    assert hand.given == []


def test_of_many_killed_processes_all_are_told_one_after_the_other(tmp_path: Any) -> None:
    # Given six processes that were killed, and a hand that takes four at once
    began, begins = os.pipe()
    children = []
    for _ in range(6):
        children.append(os.fork())
        if not children[-1]:
            recorded_by(lambda: (os.write(begins, b"."), signal.pause()), made(tmp_path)[0])()
    for _ in children:
        os.read(began, 1)
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
    now_ns = 10**9
    hand, said = Hand(), []
    hand.room = 4
    settings = OutsideSettings(state=str(tmp_path / "state"), source=str(tmp_path))
    recorder = Recorder(settings, "call", say=said.append, hand=hand, clock_ns=lambda: now_ns)
    recorded = recorded_by(lambda: 1, recorder)
    # When it calls at once, and a second later when there is room again
    assert recorded() == 1
    hand.room = 1_000
    assert recorded() == 1
    assert len(hand.given) == 4
    now_ns += 1_000_000_000
    assert recorded() == 1
    # I expect each told once
    assert len({handed.record.worker_pid for handed in hand.given if handed.record}) == 6
    assert len(hand.given) == 6
    assert said == []


def test_a_recorder_that_fails_is_not_seen_by_the_function(tmp_path: Any) -> None:
    # Given a hand that raises
    class Broken(Hand):
        def over(self, handed: Handed, wait_s: float) -> str:
            raise OSError("no memory")

    said: list[str] = []
    settings = OutsideSettings(state=str(tmp_path), source=str(tmp_path))
    recorder = Recorder(settings, "call", say=said.append, hand=Broken())

    def fail() -> None:
        raise ValueError("its own")

    # When the function fails, I expect its own exception, and a line for the operator
    with pytest.raises(ValueError, match="its own"):
        recorded_by(fail, recorder)()
    assert said == ["a failure was not recorded: OSError: no memory"]


@pytest.mark.parametrize("problem", [MemoryError, RecursionError])
def test_a_recorder_without_memory_or_stack_is_not_seen_by_the_function(
    tmp_path: Any, problem: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a recorder of which nothing works, not even saying so
    def nothing(*_: Any, **__: Any) -> Any:
        raise problem

    recorder, _, _ = made(tmp_path)
    recorded = [recorded_by(function, recorder) for function in (lambda: 1, lambda: [][0])]
    recorder._say_to = nothing
    for part, name in ((recorder._marks, "begin"), (recorder._marks, "end"), (recorder._marks, "close")):
        monkeypatch.setattr(part, name, nothing)
    # When it is called, I expect the function's own result, and its own exception
    assert recorded[0]() == 1
    with pytest.raises(IndexError):
        recorded[1]()
    recorder.close()
    for name in ("begin", "ended", "failed"):
        monkeypatch.setattr(recorder, name, nothing)
    assert recorded[0]() == 1
    with pytest.raises(IndexError) as caught:
        recorded[1]()
    assert [frame.name for frame in caught.traceback][1:] == ["<lambda>"]
    assert caught.value.__context__ is None


def test_what_could_not_begin_leaves_nothing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a recorder that fails in the middle of beginning, for a while
    recorder, hand, said = made(tmp_path)
    recorded = recorded_by(lambda key: {"a": 1}[key], recorder)
    recorded("a")
    free = len(recorder._marks._free)
    with monkeypatch.context() as without:
        without.setattr(recorder, "_recorder", None)
        for _ in range(40):
            recorded("a")
    # When it does not any more, I expect all of its notes to be free, and a scene of what fails
    assert len(recorder._marks._free) == free
    with pytest.raises(KeyError):
        recorded("b")
    assert len(hand.given) == 1
    assert len(said) == 20


def test_inside_relive_it_is_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELIVE_FUNCTION", "checkout")

    def handler(event: Any, context: Any) -> Any:
        return event

    assert record(handler) is handler
    assert record(name="other")(handler) is handler


@pytest.mark.parametrize(
    ("value", "lost"),
    [
        ({"args": [1, "a", None, 2.5, True, [{}]], "kwargs": {}}, ""),
        ({"args": [{1, 2}], "kwargs": {}}, "set"),
        ({"args": [object()], "kwargs": {}}, "object"),
        ({"args": [b"bytes"], "kwargs": {}}, "bytes"),
    ],
)
def test_what_json_would_not_give_back_is_named(value: Any, lost: str) -> None:
    data, found = encoded_call(value)
    assert found == lost
    assert bool(data) == (not lost)


def test_off_is_off(tmp_path: Any) -> None:
    recorder, hand, _ = made(tmp_path, enabled=False)

    def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):
        recorded_by(fail, recorder)()
    assert hand.given == []
