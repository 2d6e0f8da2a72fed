"""What reaches descriptors 1 and 2 past Python: text of C code and of subprocesses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from relive_base.frames import LogLine

__all__ = ["ConsoleReader"]

LINE_LIMIT: Final = 16_384


class ConsoleReader(asyncio.Protocol):
    """Cuts a worker's console pipe into log lines; a line over the limit is cut in two."""

    def __init__(self, on_lines: Callable[[list[LogLine]], None]) -> None:
        self._on_lines = on_lines
        self._rest = b""
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        if len(rest) > LINE_LIMIT:
            lines.append(rest)
            rest = b""
        self._rest = rest
        if lines:
            self._emit(lines)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._rest:
            self._emit([self._rest])
            self._rest = b""

    def close(self) -> None:
        """Stop reading."""
        if self._transport is not None:
            self._transport.close()

    def _emit(self, lines: list[bytes]) -> None:
        now = time.time_ns()
        self._on_lines(
            [
                LogLine(
                    now, "INFO", line[:LINE_LIMIT].decode("utf-8", "replace").rstrip("\r"), source="console"
                )
                for line in lines
                if line
            ]
        )
