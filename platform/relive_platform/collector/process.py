"""The collector's process: `python -m relive_platform.collector.process CONTROL_FD START_FD`.

It has its own interpreter, so that converting and compressing rows never holds up the server's event loop,
and a lower priority, so that invocations come first where the machine is busy.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
from relive_base.environment import child_environment
from relive_base.errors import ReliveError
from relive_base.garbage import settle
from relive_base.priority import stand_back
from relive_store import open_store
from relive_store.writer import Writer
from relive_tracer.explore.otlp import OtlpExporter
from relive_tracer.explore.otlp_settings import DEFAULT_TIMEOUT_S, endpoint_settings

from relive_platform.collector.batches import Ack, Batch
from relive_platform.collector.ingest import Ingest
from relive_platform.collector.redaction import Redactors
from relive_platform.collector.scenes import SceneKeeper, SceneLimits, StackMemory
from relive_platform.pool.framing import FrameReader

__all__ = ["CollectorOptions", "main", "spawn"]

_NICE: Final = 5
_READ_BYTES: Final = 1_048_576
_CLOSE_S: Final = 10.0
_EXPORT_CLOSE_S: Final = 2.0
_log = logging.getLogger(__name__)


class CollectorOptions(msgspec.Struct, kw_only=True):
    """What the process needs of the server's settings."""

    store_url: str
    spool_dir: str
    scenes_dir: str
    flush_s: float = 0.25
    flush_rows: int = 10_000
    spool_bytes: int = 1 << 30
    scenes: int = 10_000
    scenes_bytes: int = 2 << 30
    scenes_days: float = 30.0
    heap_bytes: int = 32 * 1_048_576
    redact_keys: tuple[str, ...] = ()
    otlp: str = ""
    otlp_protocol: str = ""
    otlp_headers: dict[str, str] = {}
    otlp_timeout_s: float = 10.0
    otlp_queue_limit: int = 50_000


class _Start(msgspec.Struct):
    """What the process reads first, from a pipe: command line and environment of a process can be read by
    others, and this holds the store's password, headers of the export, and the server's environment."""

    options: CollectorOptions
    environment: dict[str, str]


def spawn(control: socket.socket, options: CollectorOptions, log: Path) -> subprocess.Popen[bytes]:
    """Start the process with its end of the socket; it ends when the other end is closed. Blocks."""
    module = "relive_platform.collector.process"
    start, told = os.pipe()
    with contextlib.suppress(BrokenPipeError), os.fdopen(told, "wb") as pipe:
        try:
            with log.open("ab") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", module, str(control.fileno()), str(start)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=[control.fileno(), start],
                    start_new_session=True,
                    env=child_environment(os.environ),
                )
        finally:
            os.close(start)
        pipe.write(msgspec.json.encode(_Start(options, dict(os.environ))))
    return process  # where it has ended already, the socket says so


class _Service:
    """Takes batches, acknowledges each."""

    def __init__(self, control: socket.socket, options: CollectorOptions) -> None:
        self._control = control
        redactors = Redactors(options.redact_keys)
        self._writer = Writer(
            lambda: open_store(options.store_url),
            Path(options.spool_dir),
            flush_interval_s=options.flush_s,
            flush_rows=options.flush_rows,
            spool_limit_bytes=options.spool_bytes,
        )
        self._exporter = _exporter(options)
        limits = SceneLimits(options.scenes, options.scenes_bytes, options.scenes_days, options.heap_bytes)
        stacks = StackMemory()
        self._ingest = Ingest(
            self._writer,
            self._exporter,
            redactors,
            stacks.learn,
            os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""),
        )
        self._scenes = SceneKeeper(Path(options.scenes_dir), self._writer, limits, stacks)
        self._decoder = msgspec.msgpack.Decoder(Batch)
        self._encoder = msgspec.msgpack.Encoder()

    def run(self) -> None:
        """Until the server closes its end."""
        reader = FrameReader(self._on_batch)
        try:
            while data := self._control.recv(_READ_BYTES):
                reader.feed(data)
        except ConnectionError:
            pass  # the server died: what it sent is safe below
        self._scenes.close()
        self._writer.close(_CLOSE_S)
        if self._exporter is not None:
            # Last, and not for long: what a dead collector keeps waiting can be sent from the store later.
            self._exporter.close(_EXPORT_CLOSE_S)

    def _on_batch(self, payload: bytes) -> None:
        flushed = True
        try:
            batch = self._decoder.decode(payload)
        except (msgspec.DecodeError, msgspec.ValidationError):
            _log.exception("a batch of the server cannot be read")
            return
        try:
            _tell_missing_scenes(batch, self._scenes.room())
            self._ingest.write(batch)
            _tell_attributes(batch)
            for job in batch.scenes:
                self._scenes.submit(job)
            for heap in batch.heaps:
                self._scenes.submit(heap)
            if batch.flush_s:
                self._scenes.flush()
                flushed = self._writer.flush(batch.flush_s)
        except Exception:  # one bad batch must not end the process: the next is likely good
            _log.exception("batch %d was not written", batch.number)
        self._answer(batch.number, flushed)

    def _answer(self, number: int, flushed: bool) -> None:
        stats = self._writer.stats()
        ack = Ack(
            number,
            bool(flushed),
            stats.lag_s,
            stats.buffered_rows,
            stats.spooled_rows,
            stats.written_rows,
            stats.dropped_rows,
            str(stats.last_error or ""),
            scenes=self._scenes.written,
            scenes_failed=self._scenes.failed,
        )
        if self._exporter is not None:
            otlp = self._exporter.stats()
            ack.otlp_sent, ack.otlp_failed, ack.otlp_dropped = otlp.sent, otlp.failed, otlp.dropped
            ack.otlp_queued, ack.otlp_error = otlp.queued, otlp.last_error
            ack.otlp_skipped, ack.otlp_off = otlp.skipped, otlp.off
        body = self._encoder.encode(ack)
        try:
            self._control.sendall(len(body).to_bytes(4, "big") + body)
        except ConnectionError:
            pass  # the server is gone; `run` sees it too


def _tell_attributes(batch: Batch) -> None:
    """What the function put on its invoke span is in its scene, too."""
    told = {
        (item.record.invocation_id, item.record.attempt): item.record.attributes
        for item in batch.finished
        if item.span_updates
    }
    for job in batch.scenes if told else ():
        key = (job.record.invocation_id, job.record.attempt)
        job.record.attributes = told.get(key, job.record.attributes)


def _tell_missing_scenes(batch: Batch, room: int) -> None:
    """A record says that it has a scene: not where there is no room for it among those to be written."""
    missing = {(job.record.invocation_id, job.record.attempt) for job in batch.scenes[room:]}
    if missing:
        for item in batch.finished:
            if (item.record.invocation_id, item.record.attempt) in missing:
                item.record.has_scene = False


def _exporter(options: CollectorOptions) -> OtlpExporter | None:
    """By our own settings, else by the standard variables. The server has checked both before."""
    try:
        if not options.otlp:
            return OtlpExporter.from_environment(os.environ, options.otlp_queue_limit)
        chosen = endpoint_settings(
            options.otlp,
            options.otlp_protocol,
            options.otlp_headers,
            options.otlp_timeout_s if options.otlp_timeout_s != DEFAULT_TIMEOUT_S else None,
            env=os.environ,
        )
        return OtlpExporter(settings=chosen, queue_limit=options.otlp_queue_limit)
    except ReliveError as error:  # such as a certificate that is gone by now: recording goes on
        _log.error("there is no export: %s", error)
        return None


def main(arguments: list[str]) -> None:
    """Serve until the server is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the server's end of the socket says when
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    with os.fdopen(int(arguments[1]), "rb") as pipe:
        start = msgspec.json.decode(pipe.read(), type=_Start)
    os.environ.update(start.environment)  # no thread runs yet
    control = socket.socket(fileno=int(arguments[0]))
    control.setblocking(True)
    service = _Service(control, start.options)
    settle()
    stand_back(_NICE)
    service.run()


if __name__ == "__main__":
    main(sys.argv[1:])
