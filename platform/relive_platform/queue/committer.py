"""One thread, one connection: many operations, one commit to disk.

SQLite before 3.51.3 can lose data when two connections checkpoint one WAL: there is never a second one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from relive_base.errors import ReliveError

from relive_platform.queue.model import Clock, DiskFull, QueueBusy, QueueError, QueueFull, QueueLimits

__all__ = ["Committer"]

T = TypeVar("T")
_log = logging.getLogger(__name__)

_BATCH: Final = 1_000
_PAGE_BYTES: Final = 4096
_BALLAST_RETRY_NS: Final = 1_000_000_000
_PAGES: Final = 1_000  # of WAL before a checkpoint: 4 MiB, so the ballast should be larger
_PAGES_WHILE_FULL: Final = 50
_LOW_SPACE_BYTES: Final = 1024 * 1024


@dataclass(slots=True)
class _Operation:
    run: Callable[[], Any]
    grows: bool  # it adds an event: refused while the disk is full
    future: Future[Any] = field(default_factory=Future)
    outcome: Any = None
    error: BaseException | None = None


class Committer:
    """Runs operations on the queue's connection in batches. `open` makes what they work on, in the thread."""

    def __init__(self, path: Path, clock: Clock, limits: QueueLimits) -> None:
        self._path = path
        self._ballast = path.with_name(f"{path.name}.ballast")
        self._clock = clock
        self._limits = limits
        self._waiting: queue.SimpleQueue[_Operation | None] = queue.SimpleQueue()
        self._full = False
        self._next_try_ns = 0
        self._closed = threading.Event()
        self._db = self._connect()
        self.reload: Callable[[], None] = lambda: None  # after a rollback
        self.committed: Callable[[], None] = lambda: None  # after a commit, before its futures are told
        self._thread = threading.Thread(target=self._work, name="relive-events", daemon=True)

    @property
    def db(self) -> sqlite3.Connection:
        """The one connection; only operations may use it once the thread runs."""
        return self._db

    @property
    def disk_full(self) -> bool:
        """Whether events are refused because the disk is full."""
        return self._full

    def start(self) -> None:
        """Lay the ballast and begin to work."""
        self._full = not self._lay_ballast()
        self._thread.start()

    def prepare(self, run: Callable[[], None]) -> None:
        """Run `run` before the thread begins; the ballast makes room on a full disk. Raises QueueError."""
        for last in (False, True):
            try:
                run()
                return
            except sqlite3.Error as error:
                if last or not self._is_full(error):
                    message, remedy = f"the event queue cannot be opened: {error}", "look at the disk's space"
                    raise QueueError(message, where=str(self._path), remedy=remedy) from error
                self._release_ballast()

    def submit(self, run: Callable[[], T], *, grows: bool = False) -> Future[T]:
        """Run `run` in the next batch. The future ends only after the commit that makes it durable."""
        operation = _Operation(run, grows)
        if self._closed.is_set():
            operation.future.set_exception(QueueError("the event queue is closed"))
        elif self._waiting.qsize() >= self._limits.backlog:
            message = f"{self._limits.backlog} operations wait for the event queue"
            remedy = "send more slowly, or raise RELIVE_QUEUE_BACKLOG"
            operation.future.set_exception(QueueBusy(message, remedy=remedy))
        else:
            self._waiting.put(operation)
        return operation.future

    def close(self, timeout_s: float = 10.0) -> None:
        """Work off what waits, then close the file. Safe to call twice."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._waiting.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        else:
            self._db.close()

    # ------------------------------------------------------------ the thread

    def _connect(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=2.0)
            db.execute("PRAGMA locking_mode = EXCLUSIVE")  # a second server on this home is refused here
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA fullfsync = ON")
            db.execute(f"PRAGMA wal_autocheckpoint = {_PAGES:d}")
            db.execute("PRAGMA journal_size_limit = 67108864")
            pages = max(self._limits.file_bytes // _PAGE_BYTES, 64)
            db.execute(f"PRAGMA max_page_count = {pages:d}")  # a pragma takes no parameters
            db.execute("BEGIN IMMEDIATE")
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                message, remedy = "another server uses this event queue", "stop it, or use another --home"
            else:
                message, remedy = (
                    f"the event queue cannot be opened: {error}",
                    "look at the folder's permissions",
                )
            raise QueueError(message, where=str(self._path), remedy=remedy) from error
        except (sqlite3.DatabaseError, OSError) as error:
            message = f"the event queue cannot be opened: {error}"
            remedy = "move the file away to begin with an empty queue; keep it for repair"
            raise QueueError(message, where=str(self._path), remedy=remedy) from error
        return db

    def _work(self) -> None:
        stop = False
        while not stop:
            batch: list[_Operation] = []
            item = self._waiting.get()
            while item is not None:
                if item.future.set_running_or_notify_cancel():
                    batch.append(item)
                if len(batch) >= _BATCH:
                    break
                try:
                    item = self._waiting.get_nowait()
                except queue.Empty:
                    break
            stop = item is None
            if batch:
                self._batch(batch)
        self._drain()
        with contextlib.suppress(sqlite3.Error):  # the WAL stays and is read at the next start
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()

    def _drain(self) -> None:
        """Operations that slipped in while the queue was being closed."""
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._waiting.get_nowait()
                if item is not None and item.future.set_running_or_notify_cancel():
                    item.future.set_exception(QueueError("the event queue is closed"))

    def _batch(self, batch: list[_Operation]) -> None:
        try:
            self._commit(batch)
        except sqlite3.Error as error:
            if not self._is_full(error):
                self._tell_all(batch, QueueError(f"the event queue failed: {error}", where=str(self._path)))
                return
            # One operation that finds no room spoils the batch: run each by itself.
            self._release_ballast()
            self._one_by_one(batch)
        except Exception:  # one that is wrong in itself: it must cost neither the others nor the thread
            _log.exception("an operation on the event queue failed")
            self._one_by_one(batch)
        self._tell(batch)

    def _one_by_one(self, batch: list[_Operation]) -> None:
        for operation in batch:
            try:
                self._commit([operation])
            except sqlite3.Error as error:
                operation.error = self._no_room(error)
            except Exception as error:
                message = f"the event queue could not do this: {type(error).__name__}: {error}"
                operation.error = QueueError(message, where=str(self._path))

    def _commit(self, batch: list[_Operation]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for operation in batch:
                self._run(operation)
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself on some errors
                self._db.execute("ROLLBACK")
            self.reload()
            raise
        self.committed()

    def _run(self, operation: _Operation) -> None:
        operation.outcome = operation.error = None
        if operation.grows and self._full and not self._room_again():
            operation.error = self._no_room(None)
            return
        try:
            operation.outcome = operation.run()
        except ReliveError as error:
            operation.error = error  # it checked first and changed nothing

    def _tell(self, batch: list[_Operation]) -> None:
        for operation in batch:
            if operation.error is not None:
                operation.future.set_exception(operation.error)
            else:
                operation.future.set_result(operation.outcome)

    def _tell_all(self, batch: list[_Operation], error: BaseException) -> None:
        for operation in batch:
            operation.error = error
        self._tell(batch)

    # ------------------------------------------------------------ a full disk

    def _is_full(self, error: sqlite3.Error) -> bool:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return True
        return code == sqlite3.SQLITE_IOERR and self._free_bytes() < _LOW_SPACE_BYTES

    def _free_bytes(self) -> int:
        found = os.statvfs(self._path.parent)
        return found.f_bavail * found.f_frsize

    def _file_bytes(self) -> int:
        return int(self._db.execute("PRAGMA page_count").fetchone()[0]) * _PAGE_BYTES

    def _no_room(self, error: sqlite3.Error | None) -> ReliveError:
        if error is not None and not self._is_full(error):
            return QueueError(f"the event queue failed: {error}", where=str(self._path))
        if not self._full:
            message = f"the event queue's file has reached {self._limits.file_bytes} bytes, its limit"
            return QueueFull(message, where=str(self._path), remedy="raise RELIVE_QUEUE_BYTES")
        return DiskFull(where=str(self._path), remedy="free disk space; events that were accepted are safe")

    def _release_ballast(self) -> None:
        """Make room so that what is in the queue can be worked off. The file's own limit is no full disk."""
        if self._file_bytes() + 64 * _PAGE_BYTES >= self._limits.file_bytes:
            return
        self._full = True
        self._next_try_ns = self._clock.monotonic_ns() + _BALLAST_RETRY_NS
        self._ballast.unlink(missing_ok=True)
        # What the WAL holds moves to the file, into the room just made; then the WAL's own room is free too.
        with contextlib.suppress(sqlite3.Error):
            self._db.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_WHILE_FULL:d}")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _room_again(self) -> bool:
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._next_try_ns:
            return False
        self._next_try_ns = now_ns + _BALLAST_RETRY_NS
        self._full = not self._lay_ballast()
        if not self._full:
            self._db.execute(f"PRAGMA wal_autocheckpoint = {_PAGES:d}")
        return not self._full

    def _lay_ballast(self) -> bool:
        """Whether the ballast is there and the disk has some room beside it."""
        size = self._limits.ballast_bytes
        try:
            with self._ballast.open("ab") as file:
                if size and file.tell() != size:
                    file.truncate(0)
                    os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            self._ballast.unlink(missing_ok=True)
            return False
        return self._free_bytes() >= _LOW_SPACE_BYTES
