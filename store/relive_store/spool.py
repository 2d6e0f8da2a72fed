"""Batches on disk, between the writer and the store: one file a batch, oldest first, bounded, checked by
CRC."""

from __future__ import annotations

import os
import re
import struct
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

__all__ = ["Batch", "Spool", "SpoolCorrupt"]

_MAGIC = b"RLSP1\n"
_HEADER = struct.Struct(">II")  # CRC-32 of the body, length of the body
_NAME = re.compile(r"(\d{20})-(\d{6})-(\d+)\.batch")


_BAD_FILES = 1_000
"""Batches that the store refused are kept to be looked at: the newest, up to this many and a quarter of the
spool's limit."""


class SpoolCorrupt(Exception):
    """A spool file is not what was written."""


class Batch(msgspec.Struct, array_like=True):
    """Rows of one table: `columns` is a msgpack map of lists."""

    table: str
    rows: int
    columns: bytes


@dataclass(frozen=True, slots=True)
class _Entry:
    created_ns: int
    rows: int
    size: int


class Spool:
    """A folder of batches. A file's name is its insert token, so that a replay does nothing twice.

    Thread-safe. `limit_bytes` is kept by dropping the oldest batch that is not being delivered.
    """

    def __init__(
        self, directory: Path | str, limit_bytes: int, *, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._limit_bytes = limit_bytes
        self._clock_ns = clock_ns
        self._guard = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._in_flight = ""
        self._counter = 0
        self.dropped_rows = 0
        self.corrupt_files = 0
        self._adopt()

    def _adopt(self) -> None:
        for path in self.directory.glob("*.tmp"):
            with suppress(OSError):
                path.unlink()  # cut off before it was acknowledged to anybody
        for path in sorted(self.directory.glob("*.batch")):
            match = _NAME.fullmatch(path.name)
            if match:
                entry = _Entry(int(match.group(1)), int(match.group(3)), path.stat().st_size)
                self._entries[path.name] = entry
            else:
                self._set_aside(path)

    @property
    def rows(self) -> int:
        """Rows waiting."""
        with self._guard:
            return sum(entry.rows for entry in self._entries.values())

    @property
    def size_bytes(self) -> int:
        """Bytes waiting."""
        with self._guard:
            return sum(entry.size for entry in self._entries.values())

    @property
    def oldest_ns(self) -> int:
        """When the oldest waiting batch was written; 0 where none waits."""
        with self._guard:
            return next((entry.created_ns for entry in self._entries.values()), 0)

    def put(self, batch: Batch) -> None:
        """On disk and flushed when this returns. Raises OSError."""
        body = msgspec.msgpack.encode(batch)
        created_ns = self._clock_ns()
        with self._guard:
            self._counter = (self._counter + 1) % 1_000_000
            name = f"{created_ns:020d}-{self._counter:06d}-{batch.rows}.batch"
        temporary = self.directory / f"{name}.tmp"
        try:
            with temporary.open("wb") as file:
                file.write(_MAGIC + _HEADER.pack(zlib.crc32(body), len(body)))
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self.directory / name)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
        size = len(_MAGIC) + _HEADER.size + len(body)
        with self._guard:
            self._entries[name] = _Entry(created_ns, batch.rows, size)
            self._shrink()

    def _shrink(self) -> None:
        total = sum(entry.size for entry in self._entries.values())
        for name in list(self._entries):
            if total <= self._limit_bytes:
                return
            if name != self._in_flight:
                entry = self._entries.pop(name)
                total -= entry.size
                self.dropped_rows += entry.rows
                with suppress(OSError):
                    (self.directory / name).unlink()

    def take(self) -> str:
        """The oldest batch's name, now in flight; empty where none waits."""
        with self._guard:
            self._in_flight = next(iter(self._entries), "")
            return self._in_flight

    def read(self, name: str) -> Batch:
        """Raises SpoolCorrupt."""
        try:
            data = (self.directory / name).read_bytes()
        except OSError as error:
            raise SpoolCorrupt(f"{name}: {error}") from error
        start = len(_MAGIC) + _HEADER.size
        if not data.startswith(_MAGIC) or len(data) < start:
            raise SpoolCorrupt(f"{name}: not a batch")
        checksum, length = _HEADER.unpack_from(data, len(_MAGIC))
        body = memoryview(data)[start:]
        if len(body) != length or zlib.crc32(body) != checksum:
            raise SpoolCorrupt(f"{name}: cut off or changed")
        try:
            return msgspec.msgpack.decode(body, type=Batch)
        except msgspec.DecodeError as error:
            raise SpoolCorrupt(f"{name}: {error}") from error

    def remove(self, name: str) -> int:
        """The store has it; its rows."""
        with self._guard:
            entry = self._entries.pop(name, None)
            self._in_flight = ""
        with suppress(OSError):
            (self.directory / name).unlink()
        return entry.rows if entry else 0

    def release(self) -> None:
        """Nothing is in flight: the batch stays, for another try."""
        with self._guard:
            self._in_flight = ""

    def set_aside(self, name: str, saved: int = 0) -> int:
        """Keep a batch that cannot be delivered in `bad/`, out of the way; its rows, which count as dropped
        but for the `saved` that the store has got."""
        with self._guard:
            entry = self._entries.pop(name, None)
            self._in_flight = ""
            rows = entry.rows if entry else 0
            self.dropped_rows += max(rows - saved, 0)
        self._set_aside(self.directory / name)
        return rows

    def _set_aside(self, path: Path) -> None:
        self.corrupt_files += 1
        aside = self.directory / "bad"
        with suppress(OSError):
            aside.mkdir(exist_ok=True, mode=0o700)
            path.rename(aside / path.name)
            kept = sorted(aside.iterdir(), reverse=True)  # by time: the newest first
            size = 0
            for index, file in enumerate(kept):
                size += file.stat().st_size
                if index and (index >= _BAD_FILES or size > self._limit_bytes // 4):
                    file.unlink()
