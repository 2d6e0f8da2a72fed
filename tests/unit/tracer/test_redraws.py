"""Progress bars in logs: the state at the end and one now and then, and no text lost that is no bar."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.engine.workers.console import ConsoleReader
from relive_tracer.record import streams
from relive_tracer.record.console_order import MARK, ConsoleOrder
from relive_tracer.record.output import CLOSE_NS
from relive_tracer.record.redraws import redrawn
from relive_tracer.record.streams import LineStream


class Lines:
    """Stands where the way out is."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def lines(self, source: str, severity: str, lines: list[str]) -> None:
        self.bodies += lines


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [100.0]
    monkeypatch.setattr(streams, "monotonic", lambda: moment[0])
    return moment


def stream() -> tuple[LineStream, list[str]]:
    out = Lines()
    return LineStream("stderr", "INFO", 2, out, 1000), out.bodies  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["\r{}", "{}\r", "\r        \r{}"])
def test_a_bar_is_its_last_state_and_one_each_second(now: list[float], form: str) -> None:
    # Given a bar that is drawn ten times a second for three seconds
    text, bodies = stream()
    for percent in range(31):
        text.write(form.format(f"{percent} of 30"))
        now[0] += 0.1
    text.write("\n")
    text.write("done\n")

    # I expect its first state, one of each second, and the last one as it stood
    assert bodies[-2:] == ["30 of 30", "done"]
    assert 4 <= len(bodies) <= 6
    assert all("\r" not in body for body in bodies)


def test_a_bar_that_never_ends_its_line_is_there_at_the_end(now: list[float]) -> None:
    text, bodies = stream()
    for percent in range(5):
        text.write(f"\r{percent}%")
    text.finish()

    assert bodies == ["0%", "4%"]


def test_text_of_one_write_loses_nothing(now: list[float]) -> None:
    text, bodies = stream()
    text.write("one\rtwo\rthree\n")
    text.write("dos\r\nunix\n\r\n")

    assert bodies == ["one", "two", "three", "dos", "unix", ""]


@given(st.lists(st.text("ab\r\n ", max_size=8), max_size=8))
def test_without_bars_dropped_every_word_is_there_in_its_order(writes: list[str]) -> None:
    rest, lines = "", []
    for text in writes:
        more, rest, _ = redrawn(rest, text, True)
        lines += more
        assert not any("\n" in line or "\r" in line for line in more)
    words = "".join([*lines, rest]).replace(" ", "").replace("\r", "")
    assert words == "".join(writes).translate({13: None, 10: None, 32: None})


@given(st.text(st.characters(blacklist_characters="\r", blacklist_categories=["Cs"])))
def test_text_without_carriage_returns_is_cut_as_ever(text: str) -> None:
    lines, rest, _ = redrawn("", text, False)
    expected = text.split("\n")
    assert [*lines, rest] == expected


def test_a_bar_of_a_subprocess_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    reader = ConsoleReader(lambda lines: found.extend(line.body for line in lines))
    for percent in range(50):
        reader.take([(f"\r{percent}% é".encode()[:-1], time.time_ns())])
        reader.take([("é".encode()[-1:], time.time_ns())])
    reader.take([(b"\nend\n", time.time_ns())])

    assert found[-2:] == ["49% é", "end"]
    assert len(found) < 20


def test_console_lines_of_one_write_and_of_the_next_have_ever_later_timestamps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a clock that stands still, as it does within one write
    found: list[tuple[int, str]] = []
    reader = ConsoleReader(lambda lines: found.extend((line.timestamp_ns, line.body) for line in lines))
    monkeypatch.setattr(time, "time_ns", lambda: 1_000)

    # When lines come together and soon after, I expect that sorting by time gives the order of writing
    reader.take([(b"c3\n\nb2\na1\n", time.time_ns())])
    reader.take([(b"h8\ng7\nlast", time.time_ns())])
    reader.end()
    assert [body for _, body in sorted(found)] == ["c3", "b2", "a1", "h8", "g7", "last"]
    assert len({at_ns for at_ns, _ in found}) == len(found)


def test_console_lines_after_the_clock_was_set_back_have_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int] = []
    reader = ConsoleReader(lambda lines: found.extend(line.timestamp_ns for line in lines))
    for now_ns in (10**12, 10**9):
        monkeypatch.setattr(time, "time_ns", lambda now_ns=now_ns: now_ns)
        reader.take([(b"line\n", time.time_ns())])
    assert found == [10**12, 10**9]


def test_text_before_a_mark_stands_between_the_lines_of_python_around_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given text of a subprocess that is read when Python has printed two lines already, at 1.0 and at 1.1 s
    found: list[tuple[int, str]] = []
    reader = ConsoleReader(lambda lines: found.extend((line.timestamp_ns, line.body) for line in lines))
    monkeypatch.setattr(time, "time_ns", lambda: 1_500_000_000)
    mark = MARK % (1_000_000_000, 1_100_000_000)

    # When it comes, in any pieces
    data = b"one\ntwo\n" + mark + b"three\n"
    for place in range(len(data)):
        reader.take([(data[place : place + 1], time.time_ns())])

    # I expect it between them, and what was written after them later
    lines = {body: at_ns for at_ns, body in found}
    assert list(lines) == ["one", "two", "three"]
    assert 1_100_000_000 < lines["three"] < 1_500_001_000

    found.clear()
    reader = ConsoleReader(lambda lines: found.extend((line.timestamp_ns, line.body) for line in lines))
    reader.take([(data, time.time_ns())])
    assert 1_000_000_000 < found[0][0] < found[1][0] < 1_100_000_000 < found[2][0]


def test_a_mark_of_the_functions_own_cannot_move_a_line_far_or_into_the_future(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for at_ns in (1, 2 * 10**18, 10**19 - 1):
        found: list[int] = []
        reader = ConsoleReader(lambda lines: found.extend(line.timestamp_ns for line in lines))  # noqa: B023
        monkeypatch.setattr(time, "time_ns", lambda: 10**18)
        reader.take([(b"line\n" + MARK % (0, at_ns), time.time_ns())])
        assert abs(found[0] - 10**18) <= CLOSE_NS


def test_what_only_begins_like_a_mark_is_shown_at_once() -> None:
    found: list[str] = []
    reader = ConsoleReader(lambda lines: found.extend(line.body for line in lines))
    reader.take([(b'\x1e{"json": "seq"}\n', time.time_ns())])
    assert found == ['\x1e{"json": "seq"}']
    reader.take([(b"\x1e\x1frelive:12", time.time_ns())])
    reader.end()
    assert found[-1] == "\x1e\x1frelive:12"


def test_text_that_was_read_before_the_earlier_line_of_a_mark_stays_before_it() -> None:
    # Given text that was read at 1.0 s, a line of Python at 1.1 s that had nothing to mark, and other text
    found: list[tuple[int, str]] = []
    reader = ConsoleReader(lambda lines: found.extend((line.timestamp_ns, line.body) for line in lines))
    pieces = [
        (b"one\n", 1_000_000_000),
        (b"two\n", 1_150_000_000),
        (MARK % (1_100_000_000, 1_200_000_000), 0),
    ]

    # When the mark of the next line, at 1.2 s, is read with both
    reader.take(pieces)

    # I expect each where it was written
    assert [body for _, body in found] == ["one", "two"]
    assert found[0][0] == 1_000_000_000
    assert 1_100_000_000 < found[1][0] < 1_200_000_000


def test_a_line_is_told_that_text_was_read_before_its_mark() -> None:
    # Given a pipe with text that waits
    read_end, write_end = os.pipe()
    order = ConsoleOrder(write_end)
    try:
        os.write(write_end, b"text\n")

        # When nobody reads in between, a mark is in time, and the text is not marked twice
        assert order.waiting() == 5
        assert not order.mark(5, 1, 2)
        assert order.waiting() == 0

        # When it is read between the question and the mark, the mark is too late
        os.read(read_end, 1_000)
        os.write(write_end, b"more\n")
        waiting = order.waiting()
        os.read(read_end, waiting)
        assert order.mark(waiting, 3, 4)
        assert order.waiting() == 0
    finally:
        os.close(read_end)
        os.close(write_end)
