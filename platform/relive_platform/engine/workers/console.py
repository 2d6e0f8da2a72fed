"""What reaches descriptors 1 and 2 past Python: text of C code and of subprocesses."""

from __future__ import annotations

import asyncio
import codecs
import time
from collections.abc import Callable
from typing import Final

from relive_base.frames import LogLine
from relive_tracer.record.output import CLOSE_NS
from relive_tracer.record.redraws import redrawn

__all__ = ["ConsoleReader"]

LINE_LIMIT: Final = 16_384
_DRAWN_EVERY_S: Final = 1.0


class ConsoleReader(asyncio.Protocol):
    """Cuts a worker's console pipe into log lines; a line over the limit is cut in two. Each has a later
    timestamp than the one before it, so that what sorts by time shows them in the order of writing.

    A progress bar, which carriage returns draw again and again, becomes a line once a second, and at its end.
    """

    def __init__(self, on_lines: Callable[[list[LogLine]], None]) -> None:
        self._on_lines = on_lines
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._drawn = -_DRAWN_EVERY_S
        self._stamped_ns = 0  # the latest line
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        keep = now - self._drawn >= _DRAWN_EVERY_S
        lines, rest, kept = redrawn(self._rest, self._decoder.decode(data), keep)
        if kept:
            self._drawn = now
        if len(rest) > LINE_LIMIT:
            lines.append(rest)
            rest = ""
        self._rest = rest
        if lines:
            self._emit(lines)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._rest:
            self._emit([self._rest])
            self._rest = ""

    def close(self) -> None:
        """Stop reading."""
        if self._transport is not None:
            self._transport.close()

    def _emit(self, lines: list[str]) -> None:
        first_ns = time.time_ns()
        if 0 <= self._stamped_ns - first_ns < CLOSE_NS:
            first_ns = self._stamped_ns + 1
        found = [
            LogLine(first_ns + i, "INFO", line[:LINE_LIMIT].rstrip("\r"), source="console")
            for i, line in enumerate(filter(None, lines))
        ]
        self._stamped_ns = max(self._stamped_ns, first_ns + len(found) - 1)
        self._on_lines(found)
