"""Requests that were accepted and are not spooled yet, in files of the journals' place: memory (/dev/shm),
since nothing in them is redacted, and it survives a kill of the process."""

from __future__ import annotations

import os
import shutil
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from relive_base.wire.framing import FrameError, framed, whole_frames

from relive_platform.signals.handover.journal_place import leave_place, open_place

__all__ = ["Entry", "Ledger"]

_FILE_BYTES: Final = 4 * 1_048_576
_FOLDER: Final = "otlp"
_SUFFIX: Final = ".requests"
_DAMAGED: Final = (FrameError, msgspec.DecodeError, UnicodeDecodeError)


class Entry(msgspec.Struct, array_like=True):
    """One request as it was read; numbers count from 1 in a home."""

    number: int
    signal: str
    content_type: str
    body: bytes


class Ledger:
    """Of one process. `place` "": none is kept. `done`: the number of the last one that is spooled."""

    def __init__(self, place: str, home: str, done: int) -> None:
        self.problem = ""
        self._place = Path(place) if place else None
        self._folder = Path(place) / _FOLDER
        self._last = self._settled = done
        self._files: deque[tuple[Path, int]] = deque()  # and the last number in each
        self._file = -1
        self._size = 0
        self._lock = threading.Lock()
        if self._place is not None:
            try:
                open_place(self._place, Path(home))
                self._folder.mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                self._give_up(error)

    def left(self) -> Iterator[Entry]:
        """What a process before has accepted and not spooled. A file that is cut off counts up to there."""
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")) if self._place is not None else ():
            last = 0
            with suppress(*_DAMAGED, OSError):
                for frame in whole_frames(path.read_bytes()):
                    entry = msgspec.msgpack.decode(frame, type=Entry)
                    last = entry.number
                    self._last = max(self._last, last)
                    if entry.number > self._settled:
                        yield entry
            with self._lock:
                self._files.append((path, last))

    def add(self, signal: str, content_type: str, body: bytes) -> int:
        """Its number. Without room for it, it is taken all the same, and `problem` says so."""
        with self._lock:
            self._last += 1
            if self._place is not None:
                data = framed(msgspec.msgpack.encode(Entry(self._last, signal, content_type, body)))
                try:
                    self._write(data)
                    self.problem = ""
                except OSError as error:
                    self._close()
                    self._give_up(error)
            return self._last

    def _write(self, data: bytes) -> None:
        if self._file < 0:
            path = self._folder / f"{self._last:016x}{_SUFFIX}"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            self._files.append((path, self._last))
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        self._files[-1] = (self._files[-1][0], self._last)
        self._size += len(data)
        if self._size > _FILE_BYTES:
            self._close()

    def settled(self, number: int) -> None:
        """All up to `number` are spooled."""
        with self._lock:
            self._settled = max(self._settled, number)
            while self._files and self._files[0][1] <= self._settled:
                if len(self._files) == 1:
                    self._close()  # the next one begins a file
                path, _ = self._files.popleft()
                with suppress(OSError):
                    path.unlink()

    def close(self) -> None:
        """Leaves nothing behind, unless something is not spooled."""
        with self._lock:
            self._close()
            if self._place is not None and not self._files:
                shutil.rmtree(self._folder, ignore_errors=True)
                leave_place(self._place)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = -1, 0

    def _give_up(self, error: OSError) -> None:
        self.problem = f"a kill may lose what was just received: {error.strerror or error}"
