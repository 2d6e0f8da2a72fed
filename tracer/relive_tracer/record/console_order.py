"""One order for lines of Python and for what passes it by: text of C code and of subprocesses.

That text goes through the console pipe, and nobody knows when it was written. So where some of it waits in
the pipe while Python writes a line, a mark with the line's time is put behind it: what stands before the mark
was written before the line. A function that writes no such text pays one system call a line.
"""

from __future__ import annotations

import os
from fcntl import ioctl
from typing import Final

__all__ = ["MARK", "ConsoleOrder"]

MARK: Final = b"\x1e\x1frelive:%d:%d\x1f\x1e"
"""Times in ns: of the line of Python before, and of the one that follows."""

_FIONREAD: Final = 0x541B  # Linux; elsewhere the call fails, and nothing is marked
_FULL_BYTES: Final = 32_768  # of a pipe's 65,536: a mark must always have room
_COUNT: Final = bytes(4)


class ConsoleOrder:
    """Of the pipe that `descriptor` writes to; it is its own, and does not block. Never raises."""

    __slots__ = ("_descriptor", "_marked")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._marked = 0  # bytes that waited after the last mark

    def waiting(self) -> int:
        """How many bytes wait that have no mark behind them. Asked before the line gets its time: what has
        been read by then was read before."""
        found = self._count()
        return 0 if found == self._marked or found > _FULL_BYTES else found

    def mark(self, waiting: int, before_ns: int, at_ns: int) -> bool:
        """Python writes a line at `at_ns`, the one before was written at `before_ns`. True: what waited was
        being read meanwhile, without its mark; by now that is over, and only a later time is one after it."""
        mark = MARK % (max(before_ns, 0), at_ns)
        try:
            os.write(self._descriptor, mark)
        except OSError:
            return True
        too_late = self._count() < waiting + len(mark)
        self._marked = len(mark) if too_late else waiting + len(mark)
        return too_late

    def _count(self) -> int:
        """How many bytes wait."""
        try:
            return int.from_bytes(ioctl(self._descriptor, _FIONREAD, _COUNT), "little")
        except OSError:
            return 0
