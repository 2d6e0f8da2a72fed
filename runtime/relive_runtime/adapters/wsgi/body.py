"""A request's body as WSGI reads it, while it still comes."""

from __future__ import annotations

import io
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

__all__ = ["BodyReader"]


class BodyReader(io.RawIOBase):
    """Blocks the thread that reads until there is more. `taken` is told how many bytes it has read."""

    def __init__(self, beginning: bytes, taken: Callable[[int], object]) -> None:
        self._queue: SimpleQueue[tuple[bytes, bool]] = SimpleQueue()
        self._queue.put((beginning, True))
        self._piece = memoryview(b"")
        self._more = True
        self._gone = False
        self._taken = taken

    def feed(self, data: bytes, more: bool) -> None:
        """The body goes on; from another thread."""
        self._queue.put((data, more))

    def leave(self) -> None:
        """The client has gone: no more comes."""
        self._gone = True
        self._queue.put((b"", False))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._piece and self._more:
            data, self._more = self._queue.get()
            self._piece = memoryview(data)
        if not self._piece and self._gone:
            raise ConnectionAbortedError("the client has gone before all of its request's body had come")
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        if count:
            self._taken(count)
        return count
