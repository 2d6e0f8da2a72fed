"""Writing frames: whole, in order, from many threads, whatever the reader does."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator

import pytest
from relive_base.wire.messages import FrameDecoder, LogLine, Logs, Stop
from relive_base.wire.sink import FrameSink


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def _logs(number: int, size: int = 10) -> Logs:
    return Logs(invocation_id=str(number), lines=[LogLine(0, "INFO", "x" * size)])


def test_frames_of_many_threads_stay_whole(pair: tuple[socket.socket, socket.socket]) -> None:
    sink = FrameSink(pair[0])
    threads = [
        threading.Thread(target=lambda n=n: [sink.send(_logs(n * 100 + i, 3_000)) for i in range(100)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    decoder, seen = FrameDecoder(), []
    while len(seen) < 400:
        seen.extend(frame.invocation_id for frame in decoder.feed(pair[1].recv(100_000)))  # type: ignore[union-attr]
    for thread in threads:
        thread.join()
    assert sorted(map(int, seen)) == list(range(400))
    assert sink.failed == 0


def test_a_reader_that_stalls_costs_frames_but_never_the_framing(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a reader that does not read and a short patience
    monkeypatch.setattr("relive_base.wire.sink.SEND_TIMEOUT_S", 0.02)
    sink = FrameSink(pair[0])
    # When frames are sent until no more go out
    number = 0
    while sink.send(_logs(number, 50_000)):
        number += 1
    lost = sink.failed
    assert lost >= 1
    assert sink.send(_logs(number + 1)) is False
    # Then, once it reads again, everything that was accepted arrives, and frames go through again
    decoder, seen = FrameDecoder(), []
    while len(seen) < number - 1:
        seen.extend(decoder.feed(pair[1].recv(1 << 20)))
    assert sink.send_surely(Stop())
    while not any(isinstance(frame, Stop) for frame in seen):
        seen.extend(decoder.feed(pair[1].recv(1 << 20)))
    numbers = [frame.invocation_id for frame in seen if isinstance(frame, Logs)]
    assert numbers == [str(n) for n in range(number)]


def test_a_reader_that_is_gone_is_no_error(pair: tuple[socket.socket, socket.socket]) -> None:
    sink = FrameSink(pair[0])
    pair[1].close()
    assert sink.send(Stop()) is False
    assert sink.send_surely(Stop(), timeout_s=5) is False


def test_a_forked_child_writes_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    sink = FrameSink(pair[0])
    pid = os.fork()
    if pid == 0:
        os._exit(3 if sink.send(Stop()) else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert sink.send(Stop()) is True


def test_what_cannot_be_encoded_is_counted(pair: tuple[socket.socket, socket.socket]) -> None:
    sink = FrameSink(pair[0])
    assert sink.send(Logs(invocation_id="x", lines=[object()])) is False  # type: ignore[list-item]
    assert sink.failed == 1


class _Interrupted(Exception):
    """What the test's signal handler raises."""


def test_what_must_arrive_has_left_to_the_last_byte(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a reader that begins only after the patience of one send is over
    monkeypatch.setattr("relive_base.wire.sink.SEND_TIMEOUT_S", 0.02)
    sink = FrameSink(pair[0])
    decoder, seen = FrameDecoder(), []

    def read() -> None:
        while not sink._rest:
            pass
        while not seen:
            seen.extend(decoder.feed(pair[1].recv(1 << 20)))

    reader = threading.Thread(target=read)
    reader.start()

    # When a frame that the socket cannot hold is sent, and nothing after it
    assert sink.send_surely(_logs(7, 2_000_000))

    # I expect it to arrive whole
    reader.join(120.0)
    assert [frame.invocation_id for frame in seen] == ["7"]


def test_a_signal_handler_that_prints_in_the_middle_of_a_send_waits_for_it(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    # Given a signal handler that sends a frame, and a send that takes long
    sink = FrameSink(pair[0])
    before = signal.signal(signal.SIGUSR1, lambda *_: sink.send(_logs(2)))
    decoder, seen = FrameDecoder(), []

    def read() -> None:
        while not sink._rest:
            pass
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        while len(seen) < 2:
            seen.extend(decoder.feed(pair[1].recv(1 << 20)))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        # When the signal comes during the send
        assert sink.send(_logs(1, 2_000_000))
        reader.join(120.0)
    finally:
        signal.signal(signal.SIGUSR1, before)

    # I expect both frames, one after the other
    assert [frame.invocation_id for frame in seen] == ["1", "2"]


def test_a_signal_handler_that_raises_leaves_the_framing_whole(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    # Given a signal handler that raises, as an alarm of the user's does
    sink = FrameSink(pair[0])

    def raises(*_: object) -> None:
        raise _Interrupted

    before = signal.signal(signal.SIGUSR1, raises)
    decoder, seen = FrameDecoder(), []
    interrupted = threading.Event()

    def read() -> None:
        while not sink._rest:
            pass
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        interrupted.wait(120.0)
        while len(seen) < 2:
            seen.extend(decoder.feed(pair[1].recv(1 << 20)))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        # When it raises in the middle of a frame
        with pytest.raises(_Interrupted):
            sink.send(_logs(1, 2_000_000))
    finally:
        signal.signal(signal.SIGUSR1, before)
    interrupted.set()

    # I expect what began to be finished before the next frame
    assert sink.send_surely(_logs(2))
    reader.join(120.0)
    assert [frame.invocation_id for frame in seen] == ["1", "2"]


def test_what_cannot_be_encoded_is_not_tried_again(pair: tuple[socket.socket, socket.socket]) -> None:
    sink = FrameSink(pair[0])
    assert sink.send_surely(Logs(invocation_id="i", lines=[object()])) is False  # type: ignore[list-item]
    assert sink.failed == 1
    assert sink.open
