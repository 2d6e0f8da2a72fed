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
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from relive_base.errors import ReliveError

from relive_platform.durable.copying import copy_database
from relive_platform.durable.model import Clock, CommitLimits, DiskFull, QueueBusy, QueueError
from relive_platform.durable.space import FileSpace

__all__ = ["Committer"]

T = TypeVar("T")
_log = logging.getLogger(__name__)

_BATCH: Final = 1_000
_BALLAST_RETRY_NS: Final = 1_000_000_000
_PAGES: Final = 1_000  # of WAL before a checkpoint: 4 MiB, so the ballast should be larger
_PAGES_WHILE_FULL: Final = 50
_LOW_SPACE_BYTES: Final = 1024 * 1024
_TIDY_NS: Final = 5_000_000_000
_TIDY_MORE_NS: Final = 20_000_000  # while there is more to do, beside what comes in


@dataclass(slots=True)
class _Operation:
    run: Callable[[], Any]
    adds_to: str  # whose thing it adds: refused while the disk is full; "" for the rest
    future: Future[Any] = field(default_factory=Future)
    apart: bool = False  # it runs by itself, in no transaction
    outcome: Any = None
    error: BaseException | None = None


class Committer:
    """Runs operations on the queue's connection in batches. `open` makes what they work on, in the thread."""

    def __init__(self, path: Path, clock: Clock, limits: CommitLimits) -> None:
        self._path = path
        self._ballast = path.with_name(f"{path.name}.ballast")
        self._clock = clock
        self._limits = limits
        self._waiting: queue.SimpleQueue[_Operation | None] = queue.SimpleQueue()
        self._adding: dict[str, int] = {}  # things of each owner that wait for a commit
        self._adding_lock = threading.Lock()
        self._full = False
        self._next_try_ns = 0
        self._closed = threading.Event()
        self._apart: deque[_Operation] = deque()
        self._ending = False
        self._db = self._connect()
        self.space = FileSpace(self._db, path, self.free_bytes)
        self._tidy_at_ns = 0
        self.reload: Callable[[], None] = lambda: None  # after a rollback
        self.tidy: Callable[[], bool] = lambda: False  # now and then, in a transaction; whether there is more
        self.idle: Callable[[], bool] = lambda: False  # whether there is nothing to deliver
        self.before_commit: Callable[[], None] = lambda: None  # in its transaction
        self.committed: Callable[[], None] = lambda: None  # after a commit, before its futures are told
        self._thread = threading.Thread(target=self._work, name=limits.thread, daemon=True)

    @property
    def db(self) -> sqlite3.Connection:
        """The one connection; only operations may use it once the thread runs."""
        return self._db

    @property
    def disk_full(self) -> bool:
        """Whether the disk is full, or as good as full."""
        return self._full or self.free_bytes() < _LOW_SPACE_BYTES

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
                    message, hint = (
                        f"{self._limits.what} cannot be opened: {error}",
                        "look at the disk's space",
                    )
                    raise QueueError(message, where=str(self._path), hint=hint) from error
                self._release_ballast()

    def submit(self, run: Callable[[], T], *, adds_to: str = "") -> Future[T]:
        """Run `run` in the next batch. The future ends only after the commit that makes it durable.

        Only what adds an event (to the function `adds_to`) is ever refused for what waits already.
        """
        operation = _Operation(run, adds_to)
        if self._closed.is_set():
            operation.future.set_exception(QueueError(f"{self._limits.what} is closed"))
        elif adds_to and not self._line_up(adds_to):
            limits = self._limits
            message = f"{limits.backlog} {limits.thing} of {adds_to} wait for {limits.what}'s next commit"
            hint = f"send more slowly, or raise {limits.setting}"
            operation.future.set_exception(QueueBusy(message, hint=hint))
        else:
            return self._put(operation)
        return operation.future

    def copy(self, target: Path, limit_s: float, wanted: Callable[[], bool] = lambda: True) -> Future[None]:
        """The file as it is at one moment, as `target`; commits go on meanwhile. `wanted`: whether anybody
        still waits for it. Fails with CopyFailed, QueueError."""
        operation = _Operation(lambda: self._copy(target, limit_s, wanted), "", apart=True)
        if self._closed.is_set():
            operation.future.set_exception(QueueError(f"{self._limits.what} is closed"))
        else:
            return self._put(operation)
        return operation.future

    def _put(self, operation: _Operation) -> Future[Any]:
        self._waiting.put(operation)
        if self._closed.is_set() and operation.future.cancel():  # the thread may have ended before it came
            failed: Future[Any] = Future()
            failed.set_exception(QueueError(f"{self._limits.what} is closed"))
            return failed
        return operation.future

    def _line_up(self, function: str) -> bool:
        with self._adding_lock:
            waiting = self._adding.get(function, 0)
            if waiting >= self._limits.backlog:
                return False
            self._adding[function] = waiting + 1
            return True

    def _take(self, timeout_s: float) -> _Operation | None:
        """The next operation; None for the end. Raises queue.Empty."""
        item = self._waiting.get(timeout=timeout_s) if timeout_s else self._waiting.get_nowait()
        if item is not None and item.adds_to:
            with self._adding_lock:
                left = self._adding.pop(item.adds_to) - 1
                if left:
                    self._adding[item.adds_to] = left
        return item

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
            db.execute("BEGIN IMMEDIATE")
            db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                message, hint = f"another server uses {self._limits.what}", "stop it, or use another --home"
            else:
                message, hint = (
                    f"{self._limits.what} cannot be opened: {error}",
                    "look at the folder's permissions",
                )
            raise QueueError(message, where=str(self._path), hint=hint) from error
        except (sqlite3.DatabaseError, OSError) as error:
            message = f"{self._limits.what} cannot be opened: {error}"
            hint = "move the file away to begin with an empty one; keep it for repair"
            raise QueueError(message, where=str(self._path), hint=hint) from error
        return db

    def _work(self) -> None:
        while not self._ending:
            self._serve(max((self._tidy_at_ns - self._clock.monotonic_ns()) / 1e9, 0.001))
            while self._apart:
                self._run_apart(self._apart.popleft())
            if not self._ending and self._clock.monotonic_ns() >= self._tidy_at_ns:
                self._keep_house()
        self._drain()
        with contextlib.suppress(sqlite3.Error):  # the WAL stays and is read at the next start
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()

    def _serve(self, wait_s: float) -> None:
        """Commit what waits, or comes within `wait_s`."""
        batch, end = self._gather(wait_s)
        self._ending |= end
        if batch:
            self._batch(batch)

    def _run_apart(self, operation: _Operation) -> None:
        try:
            outcome = operation.run()
        except Exception as error:  # it must not cost the thread
            operation.future.set_exception(error)
        else:
            operation.future.set_result(outcome)

    def _copy(self, target: Path, limit_s: float, wanted: Callable[[], bool]) -> None:
        def between() -> None:
            self._serve(0.0)
            if self._ending:
                raise QueueError(f"{self._limits.what} is closed", where=str(self._path))
            if not wanted():
                raise QueueError("nobody waits for the copy any more", where=str(self._path))

        copy_database(self._db, target, limit_s, between)

    def _gather(self, wait_s: float) -> tuple[list[_Operation], bool]:
        """What waits, up to a batch, or nothing after `wait_s`; and whether to end."""
        batch: list[_Operation] = []
        with contextlib.suppress(queue.Empty):
            item = self._take(wait_s)
            while item is not None:
                if item.future.set_running_or_notify_cancel():
                    (self._apart if item.apart else batch).append(item)
                if len(batch) >= _BATCH:
                    return batch, False
                item = self._take(0.0)
            return batch, True
        return batch, False

    def _keep_house(self) -> None:
        """One step: drop what is too old or too much, then give room back to the disk."""
        try:
            more = self.keep_house()
        except Exception:  # it costs room, and must not cost the queue
            _log.exception("%s could not be tidied", self._limits.what)
            more = False
        self._tidy_at_ns = self._clock.monotonic_ns() + (_TIDY_MORE_NS if more else _TIDY_NS)

    def keep_house(self) -> bool:
        """As above, in the thread or before it begins. Whether there is more to do."""
        step = _Operation(self.tidy, "")
        self._commit([step])
        return bool(step.outcome) | self.space.give_back(self.idle())

    def _drain(self) -> None:
        """Operations that slipped in while the queue was being closed."""
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._take(0.0)
                if item is not None and item.future.set_running_or_notify_cancel():
                    item.future.set_exception(QueueError(f"{self._limits.what} is closed"))

    def _batch(self, batch: list[_Operation]) -> None:
        try:
            self._commit(batch)
        except sqlite3.Error as error:
            if not self._is_full(error):
                self._tell_all(
                    batch, QueueError(f"{self._limits.what} failed: {error}", where=str(self._path))
                )
                return
            # One operation that finds no room spoils the batch: run each by itself.
            self._release_ballast()
            self._one_by_one(batch)
        except Exception:  # one that is wrong in itself: it must cost neither the others nor the thread
            _log.exception("an operation on %s failed", self._limits.what)
            self._one_by_one(batch)
        self._tell(batch)

    def _one_by_one(self, batch: list[_Operation]) -> None:
        for operation in batch:
            try:
                self._commit([operation])
            except sqlite3.Error as error:
                operation.error = self._no_room(error)
            except Exception as error:
                message = f"{self._limits.what} could not do this: {type(error).__name__}: {error}"
                operation.error = QueueError(message, where=str(self._path))

    def _commit(self, batch: list[_Operation]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for operation in batch:
                self._run(operation)
            self.before_commit()
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself on some errors
                self._db.execute("ROLLBACK")
            self.reload()
            raise
        self.committed()

    def _run(self, operation: _Operation) -> None:
        operation.outcome = operation.error = None
        if operation.adds_to and self._full and not self._room_again():
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
        return code == sqlite3.SQLITE_IOERR and self.free_bytes() < _LOW_SPACE_BYTES

    def free_bytes(self) -> int:
        """What the disk has left."""
        found = os.statvfs(self._path.parent)
        return found.f_bavail * found.f_frsize

    def _no_room(self, error: sqlite3.Error | None) -> ReliveError:
        if error is not None and not self._is_full(error):
            return QueueError(f"{self._limits.what} failed: {error}", where=str(self._path))
        what = self._limits.thing
        message = f"the disk is full: no {what} are accepted, and none were acknowledged"
        return DiskFull(
            message, where=str(self._path), hint=f"free disk space; {what} that were accepted are safe"
        )

    def _release_ballast(self) -> None:
        """Make room so that what is in the queue can be worked off."""
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
        return self.free_bytes() >= _LOW_SPACE_BYTES
