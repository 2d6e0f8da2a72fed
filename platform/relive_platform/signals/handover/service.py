"""The work of the collector's process: takes batches, spools them, says so, and finishes what servers before
it have left.

A batch is acknowledged once its rows are on disk. What comes twice, because the process was killed in
between, is told by its number: the spool has the number of the last row in it, written at once with the rows.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from relive_base.errors import ReliveError
from relive_base.garbage import GivesBack, settle
from relive_base.wire.framing import FrameReader, framed
from relive_store import Mark, SpoolInUse, Store, Writer, open_store, own_spool, require_current
from relive_tracer.explore.otlp_settings import DEFAULT_TIMEOUT_S, OtlpSettings, endpoint_settings

from relive_platform.evidence import Finished, SceneJob, StackMemory
from relive_platform.signals.exporters.scenes import SceneKeeper, SceneLimits, remove_earlier_heaps
from relive_platform.signals.exporters.subscriptions import FailureGroups, SubscribedWriter, Subscriptions
from relive_platform.signals.handover.batches import Ack, Batch, HeapJob, Telemetry, items_of
from relive_platform.signals.handover.journal import abandoned, read_segments, runs_in
from relive_platform.signals.handover.journal_place import is_ours
from relive_platform.signals.handover.recovery import Recovered, recover
from relive_platform.signals.kept import KeptDays
from relive_platform.signals.pipeline import Pipeline
from relive_platform.signals.processors.redaction import Redactors
from relive_platform.signals.signal import Counts

if TYPE_CHECKING:
    from relive_tracer.explore.otlp import OtlpExporter

    from relive_platform.signals.handover.options import CollectorOptions

__all__ = ["CollectorService"]

_READ_BYTES: Final = 1_048_576
_CLOSE_S: Final = 10.0
_ORPHAN_CLOSE_S: Final = 2.0
_ORPHAN_LIMIT_S: Final = 60.0
"""A process whose server is gone ends after this at the latest, and lets go of the spool: what it has not
done yet, the next one finds in the journal."""
_EXPORT_CLOSE_S: Final = 2.0
_SPOOLED_S: Final = 30.0
_LOCK_RETRY_S: Final = 0.05
_GONE_S: Final = 1.0
_FINISHED: Final = 1 << 62  # as the number of a run's last scene: all of the run is spooled
_BUFFER_ROWS: Final = 200_000
_ROOM_S: Final = 0.5
_ROWS_AT_ONCE: Final = 1_024
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Run:
    """What has come of one run: of the server's own, or of a gateway beside it, which the server passes on.
    `number`: of the last question that was answered; `done`: what was told to be spooled."""

    done: Mark
    received: Mark
    number: int = 0
    ended: bool = False


class CollectorService:
    """Takes batches until the server closes its end."""

    def __init__(self, control: socket.socket, options: CollectorOptions) -> None:
        self._control = control
        self._options = options
        self._run = options.run
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Batch)
        self._sending = threading.Lock()
        self._runs = {self._run: _Run(Mark(self._run), Mark(self._run))}
        self._lost = 0
        self._unreadable = 0
        self._gives_back = GivesBack()
        self._lock = self._own_spool()
        self._kept = KeptDays(options.days)
        redactors = Redactors(options.redact_keys)
        self._writer = Writer(
            self._open_store,
            Path(options.spool_dir),
            flush_interval_s=options.flush_s,
            flush_rows=options.flush_rows,
            spool_limit_bytes=options.spool_bytes,
            on_spooled=self._spooled,
        )
        self._exporter = _exporter(options)
        limits = SceneLimits(options.scenes, options.scenes_bytes, options.scenes_days, options.heap_bytes)
        stacks = StackMemory()
        given = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        told = _subscriptions(options)
        self._pipeline = Pipeline(
            self._writer, self._exporter, redactors, stacks, given, self._written, told, self._kept
        )
        self._scenes = SceneKeeper(
            Path(options.scenes_dir),
            self._writer if told is None else SubscribedWriter(self._writer, told),
            limits,
            stacks,
            redactors=redactors,
        )
        own = self._runs[self._run]
        own.done = own.received = self._writer.spool.mark(self._run)
        settle()

    def _own_spool(self) -> int:
        """Wait for the process of a server before: two never work on one spool."""
        folder = Path(self._options.spool_dir)
        told = False
        while True:
            try:
                return own_spool(folder)
            except SpoolInUse as error:
                if not told:
                    _log.warning("%s", error.message)
                    self._send(Ack(0, last_error=error.message))
                told = True
            except OSError as error:  # such as a full disk: the server goes on, and keeps what it can
                if not told:
                    _log.error("the spool cannot be used: %s", error)
                    self._send(Ack(0, last_error=f"the spool cannot be used: {error.strerror or error}"))
                told = True
            if self._is_orphan():
                raise SystemExit("its server has ended while it waited for the spool: the journal has all")
            time.sleep(_LOCK_RETRY_S)

    def _open_store(self) -> Store:
        store = open_store(self._options.store_url)
        try:
            require_current(store)
            self._kept.learn(store)
        except BaseException:
            store.close()
            raise
        return store

    # ------------------------------------------------------------ until the server is gone

    def run(self) -> None:
        """Finish what servers before have left, then serve this one."""
        self._finish_earlier_runs()
        self._send(self._state(self._run))  # where this run stands, if it is not its first process
        reader = FrameReader(self._on_batch)
        try:
            while data := self._control.recv(_READ_BYTES):
                reader.feed(data)
        except ConnectionError:
            pass  # the server died
        ended = self._runs[self._run].ended
        if not ended:
            watchdog = threading.Timer(_ORPHAN_LIMIT_S, os._exit, (1,))
            watchdog.daemon = True
            watchdog.start()
            for run, state in self._runs.items():  # a server's gateways end with it
                if run and not state.ended and self._is_gone(run):
                    self._finish(run, state.received)
        self._scenes.close()
        self._pipeline.close()
        self._writer.close(_CLOSE_S if ended else _ORPHAN_CLOSE_S)
        for run, state in self._runs.items():
            if state.ended and self._writer.spool.mark(run) == state.received:
                self._writer.spool.forget(run)
        if self._exporter is not None:
            # Last, and not for long: what a dead collector keeps waiting can be sent from the store later.
            self._exporter.close(_EXPORT_CLOSE_S)

    def _is_orphan(self) -> bool:
        return bool(self._run) and abandoned(Path(self._options.journal_dir) / f"{self._run:x}")

    def _is_gone(self, run: int) -> bool:
        """Whether the process of a run has ended: it may only have given up on this one. A moment lies
        between the end of its socket and that of its lock."""
        folder = Path(self._options.journal_dir) / f"{run:x}"
        give_up = time.monotonic() + _GONE_S
        while not (gone := abandoned(folder)) and time.monotonic() < give_up:
            time.sleep(_LOCK_RETRY_S)
        return gone

    def _of(self, run: int) -> _Run:
        """What has come of a run so far."""
        state = self._runs.get(run)
        if state is None:
            mark = self._writer.spool.mark(run)
            state = self._runs[run] = _Run(mark, mark)
        return state

    def _on_batch(self, payload: bytes) -> None:
        try:
            batch = self._decoder.decode(payload)
        except (msgspec.DecodeError, msgspec.ValidationError):
            _log.exception("a batch of the server cannot be read")
            return
        run = batch.run or self._run
        state = self._of(run)
        if batch.gone:
            if self._is_gone(run):
                self._finish(run, state.received)
            del self._runs[run]
            return
        if not batch.number:
            state.received = state.received.and_then(Mark(run, batch.rows_done, batch.scenes_done))
            state.done = state.done.and_then(state.received)
            return
        flushed = True
        try:
            if batch.rows:
                self._take_rows(batch, state)
            if batch.scenes:
                self._take_scenes(batch, state)
            state.ended = state.ended or batch.end
            if batch.flush_s:
                deadline = time.monotonic() + batch.flush_s
                self._scenes.flush(batch.flush_s)
                left_s = max(deadline - time.monotonic(), 0.0)
                flushed = self._writer.flush(left_s, ending=batch.end)
        except Exception:  # one bad batch must not end the process: the next is likely good
            _log.exception("batch %d was not written", batch.number)
        if not (batch.rows or batch.scenes):  # somebody waits for the answer
            self._send(self._state(run, batch.number, flushed))
            state.number = batch.number

    def _take_rows(self, batch: Batch, state: _Run) -> None:
        if batch.first > state.received.rows + 1:
            _log.error("rows from number %d on came too early", batch.first)
            return  # they are not acknowledged, and come again
        items = list(items_of(batch.rows))
        last = batch.first + len(items) - 1
        new = items[max(state.received.rows - batch.first + 1, 0) :]
        if not new:
            return  # it is spooled; the process before this one had no time to say so
        self._await_room()
        mark = Mark(state.received.run, rows=last)
        state.received = state.received.and_then(mark)
        try:
            self._pipeline.write([item for item in new if isinstance(item, (Telemetry, Finished))], mark)
        except Exception:
            self._unreadable += len(new)
            self._writer.add_all([], mark)  # tried again it would fail again
            raise

    def _await_room(self) -> None:
        """What is not spooled yet is bounded here, too: the server keeps the rest, and shares room out."""
        while self._writer.stats().buffered_rows > _BUFFER_ROWS and not self._is_orphan():
            self._send(self._state(self._run))
            self._writer.spooled(_ROOM_S)

    def _take_scenes(self, batch: Batch, state: _Run) -> None:
        if batch.first > state.received.scenes + 1:
            _log.error("scenes from number %d on came too early", batch.first)
            return
        for number, item in enumerate(items_of(memoryview(batch.scenes)), batch.first):
            if number > state.received.scenes and isinstance(item, (SceneJob, HeapJob)):
                mark = Mark(state.received.run, scenes=number)
                state.received = state.received.and_then(mark)
                self._scenes.submit(item, mark)

    # ------------------------------------------------------------ answers

    def _spooled(self, mark: Mark) -> None:
        """In the writer's thread: rows, or a scene, are on disk."""
        self._gives_back.now_and_then()
        self._scenes.spooled(mark)
        state = self._runs.get(mark.run)
        if state is not None:
            state.done = state.done.and_then(mark)
            self._send(self._state(mark.run))

    def _written(self) -> Counts:
        stats = self._writer.stats()
        return Counts(stats.written_rows, stats.dropped_rows + self._unreadable)

    def _stages(self) -> dict[str, tuple[int, int, int]]:
        counts = {**self._pipeline.counts(), "scenes": Counts(self._scenes.written, self._scenes.failed)}
        return {name: (found.taken, found.dropped, found.late) for name, found in counts.items()}

    def _state(self, run: int, number: int = 0, flushed: bool = True) -> Ack:
        stats = self._writer.stats()
        state = self._runs[run]
        ack = Ack(
            number or state.number,
            bool(flushed),
            stats.lag_s,
            stats.buffered_rows,
            stats.spooled_rows,
            stats.written_rows,
            stats.dropped_rows + self._unreadable,
            str(stats.last_error or ""),
            scenes_written=self._scenes.written,
            scenes_failed=self._scenes.failed,
            rows=state.done.rows,
            scenes=state.done.scenes,
            lost=self._lost,
            spool_full=stats.spooled_bytes / self._options.spool_bytes,
            stages=self._stages(),
            run=0 if run == self._run else run,
        )
        if self._exporter is not None:
            otlp = self._exporter.stats()
            ack.otlp_sent, ack.otlp_failed, ack.otlp_dropped = otlp.sent, otlp.failed, otlp.dropped
            ack.otlp_queued, ack.otlp_error = otlp.queued, otlp.last_error
            ack.otlp_skipped, ack.otlp_off = otlp.skipped, otlp.off
        return ack

    def _send(self, ack: Ack) -> None:
        message = framed(self._encoder.encode(ack))
        try:
            with self._sending:
                self._control.sendall(message)
        except OSError:
            pass  # the server is gone; `run` sees it too

    # ------------------------------------------------------------ what was left

    def _finish_earlier_runs(self) -> None:
        folder = Path(self._options.journal_dir)
        runs = runs_in(folder) if self._options.journal_dir and is_ours(folder) else []
        done = [
            self._finish(run, self._writer.spool.mark(run))
            for run in runs
            if run != self._run and abandoned(folder / f"{run:x}")
        ]
        if all(done) and self._options.run_dir:
            remove_earlier_heaps(Path(self._options.run_dir), self._run)
        for run in self._writer.spool.runs():
            if run not in runs and run != self._run:
                self._writer.spool.forget(run)

    def _finish(self, run: int, done: Mark) -> bool:
        """Write what a killed server had not handed on. Its journal goes when all of it is spooled: whether
        it is."""
        folder = Path(self._options.journal_dir) / f"{run:x}"
        try:
            segments = read_segments(folder)
            newest = max((path.stat().st_mtime_ns for path in folder.glob("*.segment")), default=0)
            just_now = run in self._runs
            found = recover(segments, done.rows, done.scenes, time.time_ns() if just_now else newest)
            if done.scenes < _FINISHED:  # else only the folder is left of it
                self._write(run, found)
        except Exception:  # the journal stays for the next process; this server must be served
            _log.exception("the journal of run %x was not finished", run)
            return False
        spooled = self._all_spooled()
        if spooled:
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():  # else the mark is what says that it is finished
                self._writer.spool.forget(run)
        return spooled

    def _all_spooled(self) -> bool:
        """Wait until rows and scenes that were taken are on disk."""
        return self._scenes.flush(_SPOOLED_S) and self._writer.spooled(_SPOOLED_S)

    def _write(self, run: int, found: Recovered) -> None:
        rows: Sequence[tuple[int, Telemetry | Finished]] = found.rows
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE]
            self._pipeline.write([item for _, item in part], Mark(run, rows=part[-1][0]))
        for number, job in found.scenes:
            self._scenes.submit(job, Mark(run, scenes=number))
        for job in found.last_scenes:
            self._scenes.submit(job)
        if not self._scenes.flush(_SPOOLED_S):
            raise TimeoutError(f"its scenes were not written within {_SPOOLED_S:g} s")
        self._pipeline.write(found.ended, Mark(run, scenes=_FINISHED))
        self._lost += found.lost
        self._unreadable += found.missing + len(found.damaged)
        told = (len(rows), len(found.scenes) + len(found.last_scenes), len(found.ended), found.lost)
        if any(told):
            _log.warning("of a killed server: %d rows, %d scenes, %d attempts, %d of them lost", *told)


def _subscriptions(options: CollectorOptions) -> Subscriptions | None:
    """What tells of records that functions want to hear of."""
    if not options.subscriptions_dir:
        return None
    folder = Path(options.subscriptions_dir)
    groups = None
    try:
        groups = FailureGroups(folder.with_suffix(".db"))
    except (OSError, sqlite3.Error) as error:
        _log.error("which failures are the first of their group is not known: %s", error)
    return Subscriptions(folder, options.subscription_bytes, groups)


def _exporter(options: CollectorOptions) -> OtlpExporter | None:
    """By our own settings, else by the standard variables. The server has checked both before."""
    try:
        chosen = _endpoint(options)
        if chosen is None:
            return None
        from relive_tracer.explore.otlp import OtlpExporter  # here: gRPC is half of what this process imports

        return OtlpExporter(settings=chosen, queue_limit=options.otlp_queue_limit)
    except ReliveError as error:  # such as a certificate that is gone by now: recording goes on
        _log.error("there is no export: %s", error)
        return None


def _endpoint(options: CollectorOptions) -> OtlpSettings | None:
    if not options.otlp:
        return OtlpSettings.from_environment(os.environ)
    return endpoint_settings(
        options.otlp,
        options.otlp_protocol,
        options.otlp_headers,
        options.otlp_timeout_s if options.otlp_timeout_s != DEFAULT_TIMEOUT_S else None,
        env=os.environ,
    )
