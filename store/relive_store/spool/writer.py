"""The writer: takes columns at once, spools them, and inserts them into the store. It loses nothing and
never blocks."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from relive_store.errors import StoreError
from relive_store.interface import Store
from relive_store.spool.delivery import Delivered, Delivery
from relive_store.spool.files import Mark, Spool
from relive_store.spool.packs import Group, Pack, Piece, chunks, packed, piece_of

__all__ = ["Writer", "WriterStats"]

BUFFER_ROWS = 500_000
BUFFER_BYTES = 256 * 1024 * 1024
"""Of bytes cells, such as pieces of scenes; other cells are counted as rows."""
FLUSH_BYTES = 16 * 1024 * 1024
FIRST_BACKOFF_S = 0.25
LAST_BACKOFF_S = 5.0
AWAY_TRIES = 3
"""After so many failed tries in a row the store is away: who ends does not wait, the rows are on disk."""
BUSY_INTERVAL_S = 2.5
BUSY_FACTOR = 10
"""While the store has work left, or rests, larger batches: ten times as many rows cost it about twice as
much."""
REST_ROWS = 2_000
REST_FACTOR = 3.0
REST_LAG_S = 3.0
LEAST_REST_S = 0.5
"""After a large insert the store rests three times as long as it took, so that a burst of invocations has the
machine to itself; not if rows have waited for 3 s. After any other it rests half a second, as the smallest
costs it tens of milliseconds. Never if somebody waits for a flush."""


@dataclass(frozen=True, slots=True)
class WriterStats:
    """`lag_s`: age of the oldest row that the store has not got. Rows count from the writer's start.
    `last_error`: why rows wait now; if none do, what last cost some."""

    lag_s: float
    buffered_rows: int
    spooled_rows: int
    spooled_bytes: int
    written_rows: int
    dropped_rows: int
    last_error: str


class Writer:
    """Two threads: one spools every `flush_interval_s` or `flush_rows`, one delivers, oldest first.

    Rows are dropped, and counted, only if the buffer (`buffer_rows`, BUFFER_BYTES) or the spool
    (`spool_limit_bytes`,
    oldest first) is full, or if the store refuses the data itself (kept in `<spool>/bad`).
    """

    def __init__(
        self,
        store_factory: Callable[[], Store],
        spool_dir: Path | str,
        *,
        flush_interval_s: float = 0.25,
        flush_rows: int = 10_000,
        spool_limit_bytes: int = 1 << 30,
        buffer_rows: int = BUFFER_ROWS,
        insert_timeout_s: float = 60.0,
        clock_ns: Callable[[], int] = time.time_ns,
        on_spooled: Callable[[Mark], None] = lambda mark: None,
    ) -> None:
        self._on_spooled = on_spooled
        self._interval_s = flush_interval_s
        self._flush_rows = flush_rows
        self._buffer_rows = buffer_rows
        self._clock_ns = clock_ns
        self.spool = self._spool = Spool(spool_dir, spool_limit_bytes, clock_ns=clock_ns)
        self._delivery = Delivery(self._spool, store_factory, insert_timeout_s)
        self._changed = threading.Condition()
        self._groups: deque[Group] = deque()
        self._unspooled: deque[Pack] = deque()  # if the disk refused them
        self._added = 0  # groups, since the beginning
        self._spooled = 0
        self._on_disk = 0  # on disk, while others that were added before may not be
        self._buffered = 0
        self._buffered_bytes = 0
        self._written = 0
        self._dropped = 0
        self._last_error = ""  # that cost rows: it stays
        self._waiting_error = ""  # that is tried again: it goes when the store takes rows
        self._disk_error = ""  # the same, of the spool
        self._flushing = False
        self._flushers = 0
        self._tries = 0  # that failed since a file was last taken
        self._delivering = False  # or at rest after it
        self._closing = False
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._spool_forever, name="store-spool", daemon=True),
            threading.Thread(target=self._deliver_forever, name="store-deliver", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    # ------------------------------------------------------------ any thread

    def add(self, table: str, columns: Mapping[str, Sequence[object]]) -> None:
        """Take rows; the columns must not be changed afterwards. Never blocks, never raises."""
        self.add_all([(table, columns)])

    def add_all(
        self, tables: Sequence[tuple[str, Mapping[str, Sequence[object]]]], mark: Mark | None = None
    ) -> None:
        """As `add`, for rows that belong together: one file of the spool gets all of them, and `mark` too.
        Rows over a limit are dropped and counted; the mark counts nevertheless."""
        pieces = [piece for table, columns in tables if (piece := self._piece(table, columns)) is not None]
        rows = sum(piece.rows for piece in pieces)
        if not rows and mark is None:
            return
        size = sum(piece.size for piece in pieces)
        with self._changed:
            full = self._buffered + rows > self._buffer_rows or self._buffered_bytes + size > BUFFER_BYTES
            if rows and (full or self._closing):
                self._dropped += rows
                self._last_error = "the writer is closed" if self._closing else "the writer's buffer is full"
                pieces, rows, size = [], 0, 0
                if mark is None or self._closing:
                    return
            self._groups.append(Group(pieces, rows, size, self._clock_ns(), mark))
            self._added += 1
            self._buffered += rows
            self._buffered_bytes += size
            if self._buffered >= self._flush_rows or self._buffered_bytes >= FLUSH_BYTES:
                self._changed.notify_all()

    def _piece(self, table: str, columns: Mapping[str, Sequence[object]]) -> Piece | None:
        try:
            return piece_of(table, columns)
        except (StoreError, TypeError) as error:
            longest = max(
                (len(column) for column in columns.values() if hasattr(column, "__len__")), default=1
            )
            self._count_dropped(longest, f"{table}: {error}")
            return None

    def spooled(self, timeout_s: float) -> bool:
        """Wait until what was added before is on disk; False if it took longer than `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            wanted = self._added
            self._flushing = True
            self._changed.notify_all()
            while self._spooled < wanted:
                left = deadline - time.monotonic()
                if left <= 0 or self._stopped.is_set():
                    return False
                self._changed.wait(min(left, 0.05))
            return True

    def flush(self, timeout_s: float = 10.0, *, ending: bool = False) -> bool:
        """Wait until the store has what was added before; False if it took longer than `timeout_s`, or, for
        one that is `ending`, if the store is away and all of it is on disk."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._flushing = True
            self._flushers += 1
            self._changed.notify_all()
            try:
                while self._buffered or self._spool.rows:
                    left = deadline - time.monotonic()
                    away = ending and self._tries >= AWAY_TRIES and not self._buffered
                    if left <= 0 or away or self._stopped.is_set():
                        return False
                    self._changed.wait(min(left, 0.05))
            finally:
                self._flushers -= 1
            return True

    def stats(self) -> WriterStats:
        """Where things stand."""
        with self._changed:
            return WriterStats(
                lag_s=self._lag_ns() / 1e9,
                buffered_rows=self._buffered,
                spooled_rows=self._spool.rows,
                spooled_bytes=self._spool.size_bytes,
                written_rows=self._written,
                dropped_rows=self._dropped + self._spool.dropped_rows,
                last_error=self._waiting_error or self._disk_error or self._last_error,
            )

    def _lag_ns(self) -> int:
        """Age of the oldest row that the store has not got."""
        oldest = [group.added_ns for group in list(self._groups)[:1]]
        spooled = self._spool.oldest_ns
        oldest += [spooled] if spooled else []
        return max(self._clock_ns() - min(oldest), 0) if oldest else 0

    def close(self, timeout_s: float = 10.0) -> bool:
        """Take nothing more, spool what is buffered, deliver for up to `timeout_s`, less if the store is
        away. What is left stays spooled: the next writer on this folder delivers it. False if any is."""
        with self._changed:
            self._closing = True
        done = self.flush(timeout_s, ending=True)
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=2.0)
        if not self._threads[1].is_alive():
            self._delivery.close()
        return done

    # ------------------------------------------------------------ the spooling thread

    def _spool_forever(self) -> None:
        while True:
            with self._changed:
                self._await_batch()
                groups, self._groups = self._groups, deque()
                self._flushing = False
            for chunk in chunks(groups):
                file = packed(chunk)
                for rows, reason in file.lost:
                    self._count_dropped(rows, reason)
                self._unspooled.append(file)
            self._to_disk()
            if self._stopped.is_set():
                return
            if self._unspooled:
                self._stopped.wait(self._interval_s)

    def _await_batch(self) -> None:
        """Until it is time to spool: an interval has gone by, or enough rows are there."""
        busy = self._busy
        rows = self._flush_rows * (BUSY_FACTOR if busy else 1)
        until = time.monotonic() + (max(self._interval_s, BUSY_INTERVAL_S) if busy else self._interval_s)
        while not (self._flushing or self._stopped.is_set() or self._buffered >= rows):
            left = until - time.monotonic()
            if left <= 0 or (busy and not self._busy):
                return
            self._changed.wait(left)

    @property
    def _busy(self) -> bool:
        """Whether what is spooled now would have to wait: then it had better be one large file."""
        return self._delivering or self._spool.rows > 0

    def _to_disk(self) -> None:
        while self._unspooled:
            file = self._unspooled[0]
            try:
                if file.batches:
                    self._spool.put(file.batches, file.mark)
                elif file.mark is not None:
                    self._spool.advance(file.mark)
            except OSError as error:
                self._disk_error = f"cannot write the spool: {error}"
                return
            self._disk_error = ""
            self._unspooled.popleft()
            self._settle(file)

    def _settle(self, file: Pack) -> None:
        with self._changed:
            self._buffered -= file.rows
            self._buffered_bytes -= file.size
            self._on_disk += file.groups
            if not self._unspooled:  # files of several runs are not in the order in which rows were added
                self._spooled += self._on_disk
                self._on_disk = 0
            self._changed.notify_all()
        if file.mark is not None:
            try:
                self._on_spooled(file.mark)
            except Exception as error:  # this thread must not end
                self._failed(error)

    def _count_dropped(self, rows: int, reason: str) -> None:
        with self._changed:
            self._dropped += rows
            self._last_error = reason[:500]

    # ------------------------------------------------------------ the delivering thread

    def _deliver_forever(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while not self._stopped.is_set():
            name = self._spool.take()
            if not name:
                with self._changed:
                    self._changed.wait(self._interval_s)
                continue
            self._delivering = True
            began, written = time.monotonic(), self._written
            if self._apply(name, self._delivery.deliver(name, self._tries + 1)):
                backoff_s, self._tries = FIRST_BACKOFF_S, 0
                self._rest(time.monotonic() - began, self._written - written)
                with self._changed:
                    self._delivering = False
                    self._changed.notify_all()
            else:
                self._delivering = False
                self._tries += 1
                self._spool.release()
                self._stopped.wait(backoff_s)
                backoff_s = min(backoff_s * 2, LAST_BACKOFF_S)

    def _rest(self, took_s: float, rows: int) -> None:
        """Leave the machine to others for a while (REST_ROWS)."""
        rest_s = REST_FACTOR * took_s if rows >= REST_ROWS else 0.0
        until = time.monotonic() + max(rest_s, LEAST_REST_S)
        with self._changed:
            while not (self._flushers or self._closing or self._lag_ns() > REST_LAG_S * 1e9):
                left = until - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)

    def _apply(self, name: str, done: Delivered) -> bool:
        """Whether the file is done with, one way or the other."""
        if done.again and done.error is not None:
            self._waits(done.error)
            return False
        self._settled(done.error)
        with self._changed:
            if done.refused:
                self._spool.set_aside(name, done.rows)
            else:
                self._spool.remove(name)
            self._written += done.rows
            self._changed.notify_all()
        return True

    def _failed(self, error: Exception) -> None:
        with self._changed:
            self._last_error = _told(error)

    def _settled(self, error: Exception | None = None) -> None:
        """Rows wait no more: the store has them, or `error` cost them."""
        with self._changed:
            self._waiting_error = ""
            if error is not None:
                self._last_error = _told(error)

    def _waits(self, error: Exception) -> None:
        """For an error after which the same rows are tried again."""
        with self._changed:
            self._waiting_error = _told(error)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
