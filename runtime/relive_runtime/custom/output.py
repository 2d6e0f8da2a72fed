"""What the program writes, as log lines of the attempt that it runs: stdout, stderr, and the records of
runtimes that know their level (`_LAMBDA_TELEMETRY_LOG_FD`)."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
from relive_base.wire.messages import Invoke, LogLine, Logs
from relive_base.wire.sink import FrameSink

__all__ = ["LineCutter", "LogWriter", "RecordCutter", "Stream"]

_READ_BYTES: Final = 65_536
_MAX_LINE: Final = 16_384  # characters; as for Python functions
_KEPT_LINES: Final = 20  # of those over the limit, for an attempt that fails
_KEPT_CHARS: Final = 2_000
_TAIL_LINES: Final = 100  # of stderr, for a program that ends
_TAIL_CHARS: Final = 16_000
_SAID_LINES: Final = 2_000
_DRAIN_READS: Final = 64  # 4 MiB: more than a pipe holds

_LEVELS: Final = {
    "trace": "TRACE", "debug": "DEBUG", "info": "INFO", "information": "INFO", "notice": "INFO",
    "warn": "WARN", "warning": "WARN", "error": "ERROR", "err": "ERROR", "critical": "FATAL",
    "fatal": "FATAL", "panic": "FATAL",
    "10": "TRACE", "20": "DEBUG", "30": "INFO", "40": "WARN", "50": "ERROR", "60": "FATAL",
}  # fmt: skip
"""The numbers are those of pino and bunyan."""

_MAGIC: Final = b"\xa5\x5a\x00"
_HEAD_BYTES: Final = 16  # type, length, microseconds since the epoch
_RECORD_LEVELS: Final = ("", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_MAX_RECORD: Final = 1_048_576


class _Leveled(msgspec.Struct):
    """Of a line of JSON what says how grave it is."""

    level: str | int = ""
    severity: str | int = ""


_leveled = msgspec.json.Decoder(_Leveled)


def severity_of(text: str, usual: str) -> str:
    """Of a line of JSON, or in the form of one of AWS's runtimes ("[ERROR]"; time, id, ERROR and tabs), its
    own level; the line stays as it is."""
    if text[:1] == "[":
        return _LEVELS.get(text[1:12].partition("]")[0].lower(), usual)
    if text[:1] != "{" or text[-1:] != "}":
        parts = text[:120].split("\t", 3)
        return _LEVELS.get(parts[2].lower(), usual) if len(parts) == 4 else usual
    try:
        found = _leveled.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return usual
    return _LEVELS.get(str(found.level or found.severity).lower(), usual)


class LogWriter:
    """Sends lines up, each with the ids of the attempt that runs, within its limit."""

    def __init__(self, sink: FrameSink, limit_bytes: int) -> None:
        self._sink = sink
        self._limit_bytes = limit_bytes
        self._invoke: Invoke | None = None
        self._used = 0
        self._kept: deque[LogLine] = deque(maxlen=_KEPT_LINES)
        self.written = 0
        self.dropped = 0
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._said: list[str] | None = None

    def divert(self) -> None:
        """From now on what it writes to stderr is what the host has asked for, and no line of the log."""
        self._said = []

    @property
    def said(self) -> list[str]:
        """That."""
        return self._said or []

    def _take_away(self, lines: list[LogLine], said: list[str]) -> list[LogLine]:
        said += [line.body for line in lines if line.source == "stderr"][: _SAID_LINES - len(said)]
        return [line for line in lines if line.source != "stderr"]

    def begin(self, invoke: Invoke | None) -> None:
        """What comes from now on belongs to this one; None: to none."""
        self._invoke = invoke
        self._used = self.written = self.dropped = 0
        self._kept.clear()
        self._tail.clear()

    def write(self, lines: list[LogLine]) -> None:
        """Send lines, in one message."""
        invoke = self._invoke
        if self._said is not None:
            lines = self._take_away(lines, self._said)
        room: list[LogLine] = []
        for line in lines:
            if line.source == "stderr":
                self._tail.append(line.body)
            if invoke is not None:
                line.trace_id, line.span_id = invoke.trace_id, invoke.span_id
            self._used += len(line.body)
            if self._used <= self._limit_bytes:
                room.append(line)
            else:
                self.dropped += 1
                line.body = line.body[:_KEPT_CHARS]
                self._kept.append(line)
        if room:
            self.written += len(room)
            self._send(room)

    def say(self, severity: str, text: str) -> None:
        """A line of the platform's own."""
        self._send([self._own(severity, text)])
        self.written += 1

    def end(self, *, failed: bool) -> None:
        """Tell what the limit has cut off: how much, and the last of it if the attempt failed."""
        if self.dropped:
            text = f"{self.dropped} lines dropped: the output limit of this invocation was reached"
            self._send([self._own("WARN", text), *(self._kept if failed else ())])

    def tail(self) -> str:
        """The last lines of stderr, of this attempt."""
        return "\n".join(self._tail)[-_TAIL_CHARS:]

    def _own(self, severity: str, text: str) -> LogLine:
        invoke = self._invoke
        trace_id, span_id = (invoke.trace_id, invoke.span_id) if invoke is not None else ("", "")
        return LogLine(time.time_ns(), severity, text, trace_id, span_id, "platform")

    def _send(self, lines: list[LogLine]) -> None:
        invocation_id = self._invoke.invocation_id if self._invoke is not None else ""
        self._sink.record(Logs(invocation_id=invocation_id, lines=lines))


class LineCutter:
    """Bytes of a stream to lines."""

    def __init__(self, source: str, severity: str) -> None:
        self._source = source
        self._severity = severity
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[LogLine]:
        """The lines that `data` completes."""
        self._rest += data
        *whole, rest = self._rest.split(b"\n")
        self._rest = rest
        lines = [line for piece in whole for line in self._lines(piece)]
        if len(rest) >= _MAX_LINE:
            lines += self._lines(rest)
            self._rest = bytearray()
        return lines

    def flush(self) -> list[LogLine]:
        """What has begun and not ended."""
        rest, self._rest = self._rest, bytearray()
        return self._lines(rest) if rest else []

    def _lines(self, raw: bytearray) -> list[LogLine]:
        now_ns = time.time_ns()
        text = raw.decode("utf-8", "backslashreplace").rstrip("\r")
        severity = severity_of(text, self._severity)
        pieces = text.split("\r") if "\r" in text else [text]
        cut = [piece[at : at + _MAX_LINE] for piece in pieces for at in range(0, len(piece) or 1, _MAX_LINE)]
        return [LogLine(now_ns, severity, piece, source=self._source) for piece in cut]


class RecordCutter:
    """Records as AWS Lambda's runtimes write them: type and level, length, time, text. What is none is taken
    as text from there on."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._plain: LineCutter | None = None

    def feed(self, data: bytes) -> list[LogLine]:
        """The records that `data` completes."""
        if self._plain is not None:
            return self._plain.feed(data)
        self._rest += data
        rest, found = self._rest, list[LogLine]()
        while len(rest) >= _HEAD_BYTES:
            size = int.from_bytes(rest[4:8], "big")
            if rest[:3] != _MAGIC or size > _MAX_RECORD:
                self._plain = LineCutter("logging", "INFO")
                self._rest = bytearray()
                return found + self._plain.feed(bytes(rest))
            if len(rest) < _HEAD_BYTES + size:
                break
            found.append(self._record(rest, size))
            del rest[: _HEAD_BYTES + size]
        return found

    def _record(self, rest: bytearray, size: int) -> LogLine:
        micros = int.from_bytes(rest[8:16], "big")
        text = rest[_HEAD_BYTES : _HEAD_BYTES + size].decode("utf-8", "backslashreplace").rstrip("\r\n")
        level = (rest[3] >> 2) & 7
        severity = _RECORD_LEVELS[level] if level < len(_RECORD_LEVELS) else ""
        now_ns = time.time_ns()
        told_ns = micros * 1_000
        near = abs(told_ns - now_ns) < 3_600_000_000_000
        return LogLine(
            told_ns if near else now_ns,
            severity or severity_of(text, "INFO"),
            text[:_MAX_LINE],
            source="logging",
        )

    def flush(self) -> list[LogLine]:
        """A record that never ended."""
        return self._plain.flush() if self._plain is not None else []


class Stream:
    """The reading end of a pipe that the program writes to."""

    def __init__(
        self, descriptor: int, cutter: LineCutter | RecordCutter, tell: Callable[[list[LogLine]], None]
    ) -> None:
        os.set_blocking(descriptor, False)
        self._cutter = cutter
        self._tell = tell
        self.descriptor = descriptor
        self.open = True

    def read(self, reads: int = 1) -> None:
        """Take what is there, in so many reads at most."""
        for _ in range(reads):
            try:
                data = os.read(self.descriptor, _READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.open = False
                return
            if lines := self._cutter.feed(data):
                self._tell(lines)

    def drain(self) -> None:
        """Take all that the program has written until now, also what has no end yet."""
        if self.open:
            self.read(_DRAIN_READS)
        if lines := self._cutter.flush():
            self._tell(lines)
