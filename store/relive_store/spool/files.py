"""Batches on disk, between the writer and the store: one file for what was written at once, whatever its
tables, oldest first, bounded, checked by CRC."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from relive_store.errors import StoreError

__all__ = ["Batch", "Mark", "Spool", "SpoolCorrupt", "SpoolInUse", "own_spool"]

_MAGIC = b"RLSP2\n"
_HEADER = struct.Struct(">II")  # CRC-32 of the body, length of the body
_NAME = re.compile(r"(\d{20})-(\d{6})-(\d+)(?:-([0-9a-f]+)-(\d+)-(\d+))?\.batch")
_MARK = struct.Struct(">QQ")
_REFUSED = struct.Struct(">QQQ")  # of which batch, from which row on, how many
_MARK_NAME = re.compile(r"([0-9a-f]+)\.mark")

_BAD_FILES = 1_000
"""Batches that the store refused are kept to be looked at: the newest, up to this many and a quarter of the
spool's limit."""


class SpoolCorrupt(Exception):
    """A spool file is not what was written."""


class SpoolInUse(StoreError):
    """Another process works on this spool."""


def own_spool(directory: Path) -> int:
    """Take the spool for this process; a descriptor that holds it, and lets go of it with the process,
    whatever happens. Raises SpoolInUse."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / "lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "another process"
        os.close(handle)
        raise SpoolInUse(
            f"the spool is still held by process {owner}, which writes what an earlier server has left",
            where=str(directory),
            hint=f"wait until it has ended, or: kill {owner}",
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the telemetry of one run of a server has come: everything up to number `rows` is spooled, and
    of its scenes everything up to number `scenes`."""

    run: int
    rows: int = 0
    scenes: int = 0

    def and_then(self, later: Mark) -> Mark:
        """Of the same run: as far as both say."""
        return Mark(self.run, max(self.rows, later.rows), max(self.scenes, later.scenes))


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
        self._marks: dict[int, Mark] = {}
        self._kept: dict[int, Mark] = {}  # the same, as far as files of their own say it
        self._done: list[tuple[str, Mark]] = []  # files that stay until their mark is kept
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
                mark = _mark_in(path.name)
                if mark is not None:
                    self._note(mark)
            else:
                self._set_aside(path)
        self._adopt_marks()
        for path in self.directory.glob("*.refused"):
            if path.stem not in self._entries:
                path.unlink(missing_ok=True)

    def _adopt_marks(self) -> None:
        for path in self.directory.glob("*.mark"):
            match = _MARK_NAME.fullmatch(path.name)
            try:
                data = path.read_bytes()
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                continue  # the disk has lost it: that must not keep all others from being delivered
            if match and len(data) == _MARK.size:
                mark = Mark(int(match.group(1), 16), *_MARK.unpack(data))
                self._kept[mark.run] = mark
                self._note(mark)

    def _note(self, mark: Mark) -> Mark:
        known = self._marks.get(mark.run, mark)
        merged = self._marks[mark.run] = known.and_then(mark)
        return merged

    def mark(self, run: int) -> Mark:
        """How far the telemetry of a run has come."""
        with self._guard:
            return self._marks.get(run, Mark(run))

    def runs(self) -> list[int]:
        """Of which something is known."""
        with self._guard:
            return list(self._marks)

    def advance(self, mark: Mark) -> None:
        """Note, for good, how far a run has come. Raises OSError."""
        with self._guard:
            self._keep(self._note(mark))

    def _keep(self, mark: Mark) -> None:
        """Write it, and remove the files that waited for that. Raises OSError."""
        # One small write: a process that is killed has done it or has not.
        _write_at(self._mark_path(mark.run), _MARK.pack(mark.rows, mark.scenes), 0)
        self._kept[mark.run] = mark
        self._remove_done()

    def _remove_done(self) -> None:
        waiting, self._done = self._done, []
        for name, own in waiting:
            self._remove(name, own)

    def _is_kept(self, mark: Mark) -> bool:
        """Whether its own file says it, or nobody will ask for it any more."""
        kept = self._kept.get(mark.run)
        return mark.run not in self._marks or (kept is not None and kept.and_then(mark) == kept)

    def _remove(self, name: str, mark: Mark | None) -> None:
        """Unlink a file that the store has. While its mark stands in its name alone it stays: if it is sent
        again, its token says what it is; without the mark its rows would come under another."""
        if mark is not None and not self._is_kept(mark):
            self._done.append((name, mark))
            return
        with suppress(OSError):
            (self.directory / name).unlink()
            self._refusals(name).unlink(missing_ok=True)

    def forget(self, run: int) -> None:
        """Nothing of this run will ever come again."""
        with self._guard:
            self._marks.pop(run, None)
            self._kept.pop(run, None)
            with suppress(OSError):
                self._mark_path(run).unlink()
            self._remove_done()

    def _mark_path(self, run: int) -> Path:
        return self.directory / f"{run:x}.mark"

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
        """When the oldest waiting batch was written; 0 if none waits."""
        with self._guard:
            return next((entry.created_ns for entry in self._entries.values()), 0)

    def put(self, batches: Sequence[Batch], mark: Mark | None = None) -> None:
        """All of `batches` and the mark, or nothing: on disk when this returns. Raises OSError."""
        if mark is not None and mark.run not in self._kept:
            self.advance(Mark(mark.run))  # its file has its room before it is needed
        body = msgspec.msgpack.encode(batches)
        rows = sum(batch.rows for batch in batches)
        created_ns = self._clock_ns()
        with self._guard:
            self._counter = (self._counter + 1) % 1_000_000
            name = f"{created_ns:020d}-{self._counter:06d}-{rows}"
            if mark is not None:
                merged = self._marks.get(mark.run, mark).and_then(mark)
                name += f"-{merged.run:x}-{merged.rows}-{merged.scenes}"
            name += ".batch"
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
        if mark is not None:
            with suppress(OSError):  # the file's name says it as well, as long as the file is there
                self.advance(mark)
        with self._guard:
            self._entries[name] = _Entry(created_ns, rows, size)
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
        """The oldest batch's name, now in flight; empty if none waits."""
        with self._guard:
            self._in_flight = next(iter(self._entries), "")
            return self._in_flight

    def read(self, name: str) -> list[Batch]:
        """Raises SpoolCorrupt, and OSError if it cannot be read now."""
        try:
            data = (self.directory / name).read_bytes()
        except FileNotFoundError as error:
            raise SpoolCorrupt(f"{name}: {error}") from error
        start = len(_MAGIC) + _HEADER.size
        if not data.startswith(_MAGIC) or len(data) < start:
            raise SpoolCorrupt(f"{name}: not a batch")
        checksum, length = _HEADER.unpack_from(data, len(_MAGIC))
        body = memoryview(data)[start:]
        if len(body) != length or zlib.crc32(body) != checksum:
            raise SpoolCorrupt(f"{name}: cut off or changed")
        try:
            return msgspec.msgpack.decode(body, type=list[Batch])
        except msgspec.DecodeError as error:
            raise SpoolCorrupt(f"{name}: {error}") from error

    def remove(self, name: str) -> int:
        """The store has it; its rows."""
        with self._guard:
            entry = self._entries.pop(name, None)
            self._in_flight = ""
            self._settle_mark(name)
            self._remove(name, _mark_in(name))
        return entry.rows if entry else 0

    def _settle_mark(self, name: str) -> None:
        """Try once more to keep a mark that stands in a file's name alone."""
        mark = _mark_in(name)
        if mark is not None and not self._is_kept(mark):
            with suppress(OSError):
                self._keep(self._note(mark))

    def _refusals(self, name: str) -> Path:
        return self.directory / f"{name}.refused"

    def refused(self, name: str) -> list[tuple[int, int, int]]:
        """Parts of a file that the store was sent and has refused: batch, first row, rows. Raises OSError."""
        try:
            data = self._refusals(name).read_bytes()
        except FileNotFoundError:
            return []
        return list(_REFUSED.iter_unpack(data[: len(data) // _REFUSED.size * _REFUSED.size]))

    def refuse(self, name: str, parts: Sequence[tuple[int, int, int]]) -> None:
        """Note the last of these, for good. Raises OSError."""
        _write_at(self._refusals(name), _REFUSED.pack(*parts[-1]), (len(parts) - 1) * _REFUSED.size)

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
            self._settle_mark(name)
        self._set_aside(self.directory / name)
        with suppress(OSError):
            self._refusals(name).unlink(missing_ok=True)
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


def _mark_in(name: str) -> Mark | None:
    """What a file's name says."""
    match = _NAME.fullmatch(name)
    if match is None or not match.group(4):
        return None
    return Mark(int(match.group(4), 16), int(match.group(5)), int(match.group(6)))


def _write_at(path: Path, data: bytes, offset: int) -> None:
    """All of `data`. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.pwrite(handle, data, offset) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(handle)
