"""The points of a worker: which hits it forgets, and what goes on to the user's code."""

from __future__ import annotations

import signal
import socket
import sys
import types
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from relive_base.wire.messages import AnyFrame, CallResult, Point, PointHit, Statement, encode_frame
from relive_runtime.points.armed import Armed
from relive_runtime.worker.channel import Channel

CODE = "def f(one):\n    two = one\n    return two\n"
AT = Statement("f", 1, (2, 4, 2, 13))


class Server:
    """The other end: answers each hit by the next of `answers`; None: not at all."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.answers: list[bool | None] = []
        self.hits = 0
        self.problems: list[str] = []

    def send(self, frame: AnyFrame) -> bool:
        assert isinstance(frame, PointHit)
        if frame.problem:
            self.problems.append(frame.problem)
            return True
        self.hits += 1
        answer = self.answers.pop(0)
        if answer is not None:
            self._connection.sendall(encode_frame(CallResult(call_id=frame.call_id, ok=answer)))
        return True


class Bench:
    def __init__(self, folder: Path, ours: socket.socket, theirs: socket.socket) -> None:
        self.server = Server(theirs)
        self.events: list[str] = []
        numbers = count(1)
        telemetry: Any = SimpleNamespace(
            invocation_id="one", event=lambda _name, said, _where: self.events.append(said)
        )
        caller: Any = SimpleNamespace(next_id=lambda: next(numbers))
        sink: Any = self.server
        self.armed = Armed([str(folder)], sink, Channel(ours), caller, telemetry, None)
        module = types.ModuleType("watched")
        exec(compile(CODE, str(folder / "watched.py"), "exec"), module.__dict__)  # noqa: S102 - it is in this file
        self.f = module.f


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr("relive_runtime.points.armed._ANSWER_S", 0.05)
    ours, theirs = socket.socketpair()
    traced = sys.gettrace()
    sys.settrace(None)  # coverage's, if there is one
    bench = Bench(tmp_path, ours, theirs)
    try:
        yield bench
    finally:
        bench.armed.disarm()
        sys.settrace(traced)
        ours.close()
        theirs.close()


def test_a_point_is_forgotten_when_the_server_says_so_and_not_when_it_is_late(bench: Bench) -> None:
    # Given a server that is late twice, says yes, then no
    bench.server.answers = [None, None, True, False]
    bench.armed.arm([Point(number=1, file="watched.py", line=2, text="one={one}", statement=AT)])

    for number in range(5):
        bench.f(number)

    # I expect the hit that was meant, one word of those that were late, and no question after the no
    assert bench.events == ["one=2"]
    assert bench.server.hits == 4
    assert len(bench.server.problems) == 1
    assert bench.server.problems[0].startswith("a hit was not logged, though it may be counted")


def test_who_is_not_to_be_held_is_not_asked_about_again_and_the_next_one_is(bench: Bench) -> None:
    # Given a server that will not have an invocation held, and a breakpoint
    bench.server.answers = [False, False]
    bench.armed._hold = lambda *_: pytest.fail("it was held")
    bench.armed.arm([Point(number=1, file="watched.py", line=2, statement=AT)])

    for ident in ("one", "one", "two", "two"):
        bench.armed._telemetry.invocation_id = ident  # type: ignore[misc]
        bench.f(1)

    # I expect one question for each of the two
    assert bench.server.hits == 2


def test_a_signal_handler_of_the_users_reaches_the_function(bench: Bench) -> None:
    def raises(*_: object) -> None:
        raise TimeoutError("of the alarm")

    bench.armed.arm([Point(1, "watched.py", 2, "x", "__import__('signal').raise_signal(14)", statement=AT)])
    before = signal.signal(signal.SIGALRM, raises)
    try:
        with pytest.raises(TimeoutError, match="of the alarm"):
            bench.f(1)
    finally:
        signal.signal(signal.SIGALRM, before)
    if sys.version_info < (3, 12):
        assert "does not see it any more" in bench.server.problems[0]


def test_an_expression_that_cannot_be_compiled_is_said(bench: Bench) -> None:
    bench.armed.arm([Point(1, "watched.py", 2, "x", "-" * 100_000 + "1")])

    assert len(bench.server.problems) == 1
