"""Progress bars in logs: the state at the end and one now and then, and no text lost that is no bar."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.engine.workers.console import ConsoleReader
from relive_tracer.record import streams
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
    reader.connection_made(asyncio.Transport())
    for percent in range(50):
        reader.data_received(f"\r{percent}% é".encode()[:-1])
        reader.data_received("é".encode()[-1:])
    reader.data_received(b"\nend\n")

    assert found[-2:] == ["49% é", "end"]
    assert len(found) < 20


def test_console_lines_of_one_write_and_of_the_next_have_ever_later_timestamps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a clock that stands still, as it does within one write
    found: list[tuple[int, str]] = []
    reader = ConsoleReader(lambda lines: found.extend((line.timestamp_ns, line.body) for line in lines))
    reader.connection_made(asyncio.Transport())
    monkeypatch.setattr(time, "time_ns", lambda: 1_000)

    # When lines come together and soon after, I expect that sorting by time gives the order of writing
    reader.data_received(b"c3\n\nb2\na1\n")
    reader.data_received(b"h8\ng7\nlast")
    reader.connection_lost(None)
    assert [body for _, body in sorted(found)] == ["c3", "b2", "a1", "h8", "g7", "last"]
    assert len({at_ns for at_ns, _ in found}) == len(found)


def test_console_lines_after_the_clock_was_set_back_have_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int] = []
    reader = ConsoleReader(lambda lines: found.extend(line.timestamp_ns for line in lines))
    for now_ns in (10**12, 10**9):
        monkeypatch.setattr(time, "time_ns", lambda now_ns=now_ns: now_ns)
        reader.data_received(b"line\n")
    assert found == [10**12, 10**9]
