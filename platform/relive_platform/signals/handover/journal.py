"""The server's journal: what it has recorded and the collector's process has not spooled yet, in files that
are mapped into memory. Writing costs no system call, and what was written survives a `kill -9` of the server.
It is not redacted yet: the files are no files on a disk (journal_place.py).

    folder/NUMBER.segment   one page of header, then items (batches.py)
        0   magic  8 bytes
        8   index  u64: order of the segments; 0: unused
       16   rows   u64: how many rows were recorded before this segment
       24   scenes u64: how many scenes were
       32   end    u64: where the items end

Each segment begins with what it takes to know the attempts that run: a segment that is settled can go.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import time
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from relive_base.wire.framing import FrameError

from relive_platform.signals.handover.batches import Item, items_of

__all__ = ["HEADER_BYTES", "Journal", "Segment", "abandoned", "read_segments", "runs_in"]

HEADER_BYTES: Final = 4_096
SEGMENT_BYTES: Final = 4 * 1_048_576
_OWNER: Final = "owner"
_MAGIC: Final = b"RLJRN1\0\0"
_INDEX, _ROWS, _SCENES, _END = 1, 2, 3, 4  # in words of 8 bytes
_WORDS: Final = 5
_FREE_SEGMENTS: Final = 2
_RETRY_S: Final = 5.0
_log = logging.getLogger(__name__)


class _File:
    """A segment that is mapped for writing."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.rows = self.scenes = 0  # the last ones in it, once it is full
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # All of it now: writing to a mapped page that finds no room would kill the process.
            os.posix_fallocate(handle, 0, size)
            self.map = mmap.mmap(handle, size)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        self.map[: len(_MAGIC)] = _MAGIC
        self.words = memoryview(self.map)[: _WORDS * 8].cast("Q")

    def begin(self, index: int, rows: int, scenes: int) -> None:
        """Use it from the start."""
        words = self.words
        words[_END] = HEADER_BYTES  # first: what was in it is void
        words[_INDEX], words[_ROWS], words[_SCENES] = index, rows, scenes

    def discard(self) -> None:
        """Close and remove it."""
        self.words.release()
        self.map.close()
        with suppress(OSError):
            self.path.unlink()


class Journal:
    """One writer, on the event loop. While the disk has no room, or `limit_bytes` are full, nothing is
    written: `problem` says why, and what is recorded is safe only from the end of the collector's process."""

    def __init__(
        self,
        folder: Path,
        limit_bytes: int,
        segment_bytes: int = SEGMENT_BYTES,
        clock: Callable[[], float] = time.monotonic,
        open_place: Callable[[], None] = lambda: None,
        leave_place: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder = folder
        self._open_place = open_place
        self._leave_place = leave_place
        self.problem = ""
        self.rows = 0  # recorded so far
        self.scenes = 0
        self._limit_bytes = limit_bytes
        self._segment_bytes = segment_bytes
        self._clock = clock
        self._open: dict[Hashable, list[bytes]] = {}  # what is known of the attempts that run
        self._current: _File | None = None
        self._map: mmap.mmap | None = None  # of the current one
        self._words = memoryview(b"")
        self._at = self._size = 0
        self._full: deque[_File] = deque()
        self._free: list[_File] = []
        self._bytes = 0
        self._index = 0
        self._again_at = 0.0
        self._closed = False
        self._owner = -1  # the descriptor of the lock
        try:
            self._own()
        except OSError as error:
            self._off(f"it cannot be written: {error.strerror or error}")

    def _own(self) -> None:
        """Take the lock that says that this server lives. Raises OSError."""
        self._open_place()
        self.folder.mkdir(exist_ok=True, mode=0o700)
        self._owner = os.open(self.folder / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @property
    def attempts(self) -> int:
        """How many run."""
        return len(self._open)

    def begin(self, key: Hashable, data: bytes) -> None:
        """An attempt begins; `data` is a Begun item, `key` is what the attempt goes by here."""
        self._open[key] = [data]
        self._put(data)

    def add(self, key: Hashable, data: bytes) -> None:
        """More is known of an attempt that runs: an Answered or Tentative item."""
        known = self._open.get(key)
        if known is not None:
            known.append(data)
            self._put(data)

    def row(self, data: bytes) -> None:
        """A row, the next in number."""
        self._put(data)
        self.rows += 1

    def end(self, key: Hashable, data: bytes) -> None:
        """The last row of an attempt: its record."""
        self._put(data)
        self.rows += 1
        self._open.pop(key, None)

    def forget(self, key: Hashable) -> None:
        """An attempt has ended, and its record was dropped."""
        self._open.pop(key, None)

    def scene(self, data: bytes) -> None:
        """A scene, the next in number."""
        self._put(data)
        self.scenes += 1

    def settled(self, rows: int, scenes: int) -> None:
        """The collector's process has spooled everything up to these numbers."""
        full = self._full
        while full and full[0].rows <= rows and full[0].scenes <= scenes:
            file = full.popleft()
            if file.size == self._segment_bytes and len(self._free) < _FREE_SEGMENTS:
                file.words[_INDEX] = 0
                self._free.append(file)
            else:
                self._bytes -= file.size
                file.discard()

    def close(self, *, remove: bool) -> None:
        """Write no more. `remove`: everything in it is spooled, and nothing runs."""
        self._closed = True
        files = [*self._full, *self._free, *([self._current] if self._current is not None else [])]
        self._leave()
        for file in files:
            if remove:
                file.discard()
            else:
                file.words.release()
                file.map.close()
        if remove:
            with suppress(OSError):
                (self.folder / _OWNER).unlink()
                self.folder.rmdir()
            self._leave_place()
        if self._owner >= 0:
            os.close(self._owner)
            self._owner = -1

    def _put(self, data: bytes) -> None:
        at = self._at
        end = at + len(data)
        if end > self._size or self._map is None:
            self._roll(data)
            return
        self._map[at:end] = data
        # A process that is killed has done all that comes before an instruction, and nothing behind it.
        self._words[_END] = self._at = end

    def _roll(self, data: bytes) -> None:
        """On in a new segment, which begins with what is known of the attempts that run."""
        if self._closed or (self.problem and self._clock() < self._again_at):
            return
        known = b"".join(item for items in self._open.values() for item in items if item is not data)
        try:
            file = self._next(HEADER_BYTES + len(known) + len(data))
        except OSError as error:
            self._off(f"it cannot be written: {error.strerror or error}")
            return
        if file is None:
            self._off(f"its {self._limit_bytes} bytes are full: the collector's process is behind")
            return
        if self._current is not None:
            self._retire(self._current)
        self.problem = ""
        self._index += 1
        file.begin(self._index, self.rows, self.scenes)
        self._current, self._map, self._words = file, file.map, file.words
        self._at, self._size = HEADER_BYTES, file.size
        self._put(known + data)

    def _leave(self) -> None:
        """There is no current segment."""
        self._current = self._map = None
        self._words = memoryview(b"")
        self._at = self._size = 0

    def _retire(self, file: _File) -> None:
        file.rows, file.scenes = self.rows, self.scenes
        self._full.append(file)

    def _off(self, reason: str) -> None:
        if not self.problem:
            _log.warning("the journal is off: %s", reason)
        self.problem = reason
        self._again_at = self._clock() + _RETRY_S
        if (
            self._current is not None
        ):  # numbers are missing from here on: the next segment says where it begins
            self._retire(self._current)
            self._leave()

    def _next(self, needed: int) -> _File | None:
        """A segment with room for `needed` bytes and as much again; None over the limit. Raises OSError."""
        size = self._segment_bytes
        if needed > size // 2:
            size = -(-2 * needed // HEADER_BYTES) * HEADER_BYTES
        elif self._free:
            return self._free.pop()
        if self._bytes + size > self._limit_bytes:
            return None
        if self._owner < 0:
            self._own()
        file = _File(self.folder / f"{self._index + 1}.segment", size)
        self._bytes += size
        return file


def runs_in(folder: Path) -> list[int]:
    """The runs of servers that have a journal in `folder`, the oldest first."""
    found = []
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(ValueError):
                found.append(int(path.name, 16))
    return sorted(found)


def abandoned(folder: Path) -> bool:
    """Whether the server that writes this journal has ended: it holds a lock that ends with it."""
    try:
        handle = os.open(folder / _OWNER, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as it was left. `damaged` says what of it cannot be read."""

    index: int
    rows: int  # recorded before it
    scenes: int
    items: list[Item]
    damaged: str = ""


def read_segments(folder: Path) -> list[Segment]:
    """What a journal holds, in its order. Never raises for what is in the files."""
    found = [segment for path in folder.glob("*.segment") if (segment := _read(path)) is not None]
    return sorted(found, key=lambda segment: segment.index)


def _read(path: Path) -> Segment | None:
    try:
        data = path.read_bytes()
    except OSError as error:
        _log.error("%s cannot be read: %s", path, error)
        return None
    if len(data) < HEADER_BYTES or data[: len(_MAGIC)] != _MAGIC:
        return None  # it was being made
    words = memoryview(data)[: _WORDS * 8].cast("Q")
    if not words[_INDEX]:
        return None
    items: list[Item] = []
    damaged = ""
    try:
        for item in items_of(memoryview(data)[HEADER_BYTES : min(words[_END], len(data))]):
            items.append(item)
    except (FrameError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        damaged = f"{path.name}: {error}"  # the machine went down: not all pages have reached the disk
        _log.error("a part of the journal cannot be read: %s", damaged)
    return Segment(words[_INDEX], words[_ROWS], words[_SCENES], items, damaged)
