"""What reaches descriptors 1 and 2 past Python: text of C code and of subprocesses."""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fcntl import ioctl
from typing import Final

from relive_base.wire.messages import LogLine
from relive_tracer.record.console_order import MARK
from relive_tracer.record.output import CLOSE_NS
from relive_tracer.record.redraws import redrawn

__all__ = ["ConsoleReader"]

LINE_LIMIT: Final = 16_384
_DRAWN_EVERY_S: Final = 1.0
_MARK: Final = re.compile(MARK.replace(b"%d", rb"([0-9]{1,19})"))
_MARK_BEGINS: Final = MARK.partition(b"%d")[0]
_MARK_BYTES: Final = 64  # a mark is never longer
_FIONREAD: Final = 0x541B  # of Linux
_COUNT: Final = bytes(4)
_READ_BYTES: Final = 65_536
_ROUNDS: Final = 16  # of reading at once
_MARKED_NS: Final = 5_000_000_000  # a mark says when text was written, up to so long ago


class ConsoleReader:
    """Cuts a worker's console pipe into log lines; a line over the limit is cut in two. Each has a later
    timestamp than the one before it, so that what sorts by time shows them in the order of writing. Marks in
    the pipe (relive_tracer.record.console_order) say where lines of Python belong.

    A progress bar, which carriage returns draw again and again, becomes a line once a second, and at its end.
    """

    def __init__(self, on_lines: Callable[[list[LogLine]], None]) -> None:
        self._on_lines = on_lines
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._drawn = -_DRAWN_EVERY_S
        self._stamped_ns = 0  # the latest line
        self._unread = b""  # the beginning of a mark
        self._descriptor = -1

    def open(self, descriptor: int) -> None:
        """Read a pipe from now on, and close it at its end. On the event loop."""
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._readable)

    def close(self) -> None:
        """Stop reading."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _readable(self) -> None:
        """How much there is, the time, then no more than that: so it was written before. And on until nothing
        is left: a mark may stand behind it."""
        pieces = []
        ended = False
        for _ in range(_ROUNDS):
            waiting = _waiting(self._descriptor)
            at_ns = time.time_ns()
            try:
                data = os.read(self._descriptor, max(waiting, 1))
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                ended = True
                break
            pieces.append((data, at_ns))
        self.take(pieces)
        if ended:
            self.close()
            self.end()

    def take(self, pieces: Sequence[tuple[bytes, int]]) -> None:
        """What was read: text, and a time before which it was written."""
        texts: list[_Text] = []
        for data, at_ns in pieces:
            data = self._unread + data
            position = 0
            for mark in _MARK.finditer(data):
                texts.append(_Text(data[position : mark.start()], at_ns))
                position = mark.end()
                for text in texts:
                    text.between(int(mark[1]), int(mark[2]))
            self._unread = _half_mark(data[position:])
            texts.append(_Text(data[position : len(data) - len(self._unread)], at_ns))
        for text in texts:
            if text.data:
                self._text(text)

    def end(self) -> None:
        """The pipe has ended: tell what has no line break."""
        rest = _Text(self._unread, time.time_ns())
        self._unread = b""
        self._text(rest)
        if self._rest:
            self._emit([self._rest], rest)
            self._rest = ""

    def _text(self, text: _Text) -> None:
        now = time.monotonic()
        keep = now - self._drawn >= _DRAWN_EVERY_S
        lines, rest, kept = redrawn(self._rest, self._decoder.decode(text.data), keep)
        if kept:
            self._drawn = now
        if len(rest) > LINE_LIMIT:
            lines.append(rest)
            rest = ""
        self._rest = rest
        if lines:
            self._emit(lines, text)

    def _emit(self, lines: list[str], text: _Text) -> None:
        shown = [line[:LINE_LIMIT].rstrip("\r") for line in lines if line]
        first_ns = text.at_ns
        if text.before_ns:
            first_ns = max(text.before_ns - len(shown), min(text.after_ns + 1, text.before_ns))
        if 0 <= self._stamped_ns - first_ns < CLOSE_NS:
            first_ns = self._stamped_ns + 1
        found = [LogLine(first_ns + i, "INFO", line, source="console") for i, line in enumerate(shown)]
        self._stamped_ns = max(self._stamped_ns, first_ns + len(found) - 1)
        self._on_lines(found)


@dataclass(slots=True)
class _Text:
    """Text that was written before `at_ns`; where that is known (else 0), between two lines of Python."""

    data: bytes
    at_ns: int
    after_ns: int = 0
    before_ns: int = 0

    def between(self, after_ns: int, before_ns: int) -> None:
        """A mark stands behind it. One of the function's own making says no more than one of ours could. What
        had been read before the earlier of the two lines was written before that one, too."""
        if self.at_ns <= after_ns:
            return
        if not self.before_ns and self.at_ns - _MARKED_NS < before_ns < self.at_ns + CLOSE_NS:
            self.after_ns, self.before_ns = after_ns, before_ns


def _waiting(descriptor: int) -> int:
    try:
        return int.from_bytes(ioctl(descriptor, _FIONREAD, _COUNT), "little")
    except OSError:
        return _READ_BYTES


def _half_mark(data: bytes) -> bytes:
    """The end of `data` that is the beginning of a mark."""
    start = data.rfind(_MARK_BEGINS[:1], -_MARK_BYTES)
    half = data[start:] if start >= 0 else b""
    begins = half[: len(_MARK_BEGINS)]
    return half if _MARK_BEGINS.startswith(begins) and b"\n" not in half else b""
