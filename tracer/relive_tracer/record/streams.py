"""What stands in for `sys.stdout` and `sys.stderr` in a worker: text in, log lines out."""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Callable, Hashable, Iterable
from threading import get_ident
from time import monotonic
from types import CodeType
from typing import Any, Final

from relive_base.wire.begun import BegunSlot

from relive_tracer.record.output import Output
from relive_tracer.record.redraws import redrawn

__all__ = ["LineStream"]

_DRAWN_EVERY_S: Final = 1.0
TakeRecord = Callable[[Any, str], bool]


class _Bytes(io.BufferedIOBase):
    """`sys.stdout.buffer`: bytes are decoded as UTF-8 and go the way of the text."""

    def __init__(self, stream: LineStream) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def flush(self) -> None:
        """Nothing waits here but the beginning of a line."""

    def close(self) -> None:
        """Stays open: the worker's next invocation needs it."""

    def write(self, data: Any, /) -> int:
        chunk = bytes(data)
        self._stream.write(self._decoder.decode(chunk))
        return len(chunk)


class LineStream(io.TextIOBase):
    """A text stream that hands on each line when it is complete.

    Every thread has its own unfinished line, so lines of two threads never mix. An unfinished line is handed
    on when it is over `line_chars` and at the end of the invocation, not by `flush`. Until then it is in
    `begun`, if there is one, for the server to find when the process ends before.
    """

    def __init__(
        self,
        name: str,
        severity: str,
        descriptor: int,
        output: Output,
        line_chars: int,
        begun: BegunSlot | None = None,
    ) -> None:
        self.name = f"<{name}>"
        self.mode = "w"
        self._source = name
        self._severity = severity
        self._descriptor = descriptor
        self._output = output
        self._line_chars = line_chars
        self._writer: Callable[[], Hashable] = get_ident
        self._owner: Callable[[], tuple[str, str, str]] | None = None
        self._partials: dict[Hashable, str] = {}
        self._drawn: dict[Hashable, float] = {}  # when a thread's bar was last handed on
        self._begun = begun
        self._begun_by: Hashable = 0  # the thread whose line is in there; 0: none
        self._buffer = _Bytes(self)
        self._emit_code: CodeType | None = None
        self._take_record: TakeRecord | None = None
        self._note: Callable[[str], None] | None = None

    def watch_records(self, emit_code: CodeType, take_record: TakeRecord) -> None:
        """Ask `take_record` about every write that comes from the function with `emit_code`."""
        self._emit_code = emit_code
        self._take_record = take_record

    def tell_apart(self, writer: Callable[[], Hashable], owner: Callable[[], tuple[str, str, str]]) -> None:
        """Invocations run beside each other: `writer` says whose line it is, as a thread may write for many,
        `owner` gives the ids of the one whose code it is."""
        self._writer = writer
        self._owner = owner

    def watch_text(self, note: Callable[[str], None]) -> None:
        """Show `note` every text that is written, but for log records."""
        self._note = note

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    @property
    def line_buffering(self) -> bool:
        return True

    @property
    def buffer(self) -> _Bytes:
        return self._buffer

    def reconfigure(self, **_options: object) -> None:
        """Accepted and ignored: encoding and buffering are the worker's."""

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def flush(self) -> None:
        """Complete lines have left already."""

    def close(self) -> None:
        """Stays open: the worker's next invocation needs it."""

    def writelines(self, lines: Iterable[str], /) -> None:  # type: ignore[override]
        for line in lines:
            self.write(line)

    def write(self, text: str, /) -> int:
        if type(text) is not str:
            if not isinstance(text, str):
                raise TypeError(f"write() argument must be str, not {type(text).__name__}")
            text = str.__str__(text)
        if self._take_record is not None:
            frame = sys._getframe(1)
            if frame.f_code is self._emit_code and self._take_record(frame.f_locals.get("record"), text):
                return len(text)
        if self._note is not None:
            self._note(text)
        self._write(text)
        return len(text)

    def _write(self, text: str) -> None:
        thread = self._writer()
        if "\r" in text or (self._partials and self._partials.get(thread, "").endswith("\r")):
            self._draw(thread, text)
            return
        end = text.rfind("\n")
        if end < 0:
            partial = self._partials.pop(thread, "") + text
            over = len(partial) - self._line_chars
            if over > 0:  # the rest stays: what ends the line may be the next thing written
                whole_pieces = -(-over // self._line_chars) * self._line_chars
                self._hand_on([partial[:whole_pieces]])
                partial = partial[whole_pieces:]
            self._keep(thread, partial)
            return
        whole = self._partials.pop(thread, "") + text[:end]
        if "\n" in whole or len(whole) > self._line_chars:
            self._hand_on(whole.split("\n"))
        else:
            self._output.lines(self._source, self._severity, [whole])
        if end + 1 < len(text) or self._begun_by == thread:
            self._keep(thread, text[end + 1 :])

    def _keep(self, thread: Hashable, rest: str) -> None:
        """What the thread's line has begun with; "" if none has."""
        begun = self._begun
        if rest:
            self._partials[thread] = rest
            if begun is not None:
                if self._owner is not None:
                    begun.owner = self._owner()
                self._begun_by = thread
                begun.put(rest)
        elif begun is not None and self._begun_by == thread:
            self._begun_by = 0
            begun.clear()

    def _draw(self, thread: Hashable, text: str) -> None:
        """Text with carriage returns: a bar becomes a line once a second, and at its end."""
        now = monotonic()
        keep = now - self._drawn.get(thread, -_DRAWN_EVERY_S) >= _DRAWN_EVERY_S
        lines, rest, kept = redrawn(self._partials.pop(thread, ""), text, keep)
        if kept:
            self._drawn[thread] = now
        if lines:
            self._hand_on(lines)
        if len(rest) > self._line_chars:
            self._hand_on([rest.removesuffix("\r")])
            rest = ""
        self._keep(thread, rest)

    def _hand_on(self, lines: list[str]) -> None:
        limit = self._line_chars
        pieces = [
            line[start : start + limit] for line in lines for start in range(0, max(len(line), 1), limit)
        ]
        self._output.lines(self._source, self._severity, pieces)

    def write_through(self) -> None:
        """From now on each line goes to the descriptor, and what is flushed: in a child that the user's code
        forked.

        What its parent has begun to write is the parent's to finish.
        """
        self._partials.clear()
        # Writes in the worker itself pay nothing for it.
        self._write = self._write_line  # type: ignore[method-assign]
        self.flush = self.finish = self._write_rest  # type: ignore[method-assign]

    def _write_line(self, text: str) -> None:
        thread = self._writer()
        whole, newline, rest = (self._partials.pop(thread, "") + text).rpartition("\n")
        if rest:
            self._partials[thread] = rest
        if newline:  # in one piece: others write there, too
            self._output.to_console(self._source, f"{whole}\n")

    def _write_rest(self) -> None:
        while self._partials:
            try:
                _, partial = self._partials.popitem()
            except KeyError:
                return
            self._output.to_console(self._source, partial)

    @property
    def begun_lines(self) -> bool:
        """Whether somebody has begun a line."""
        return bool(self._partials) or bool(self._drawn)

    def finish_of(self, mine: Callable[[Hashable], bool]) -> None:
        """As `finish`, for one of the invocations that run beside each other."""
        for writer in [one for one in list(self._partials) if mine(one)]:
            partial = self._partials.pop(writer, None)
            if partial is not None:
                self._hand_on([partial.removesuffix("\r")])
            if self._begun is not None and self._begun_by == writer:
                self._begun_by = 0
                self._begun.clear()
        for writer in [one for one in list(self._drawn) if mine(one)]:
            self._drawn.pop(writer, None)

    def finish(self) -> None:
        """Hand on what every thread has left unfinished."""
        while self._partials:
            try:
                _, partial = self._partials.popitem()
            except KeyError:  # another thread finished its line just now
                return
            self._hand_on([partial.removesuffix("\r")])
        if self._begun is not None and self._begun_by:
            self._begun_by = 0
            self._begun.clear()
        self._drawn.clear()
