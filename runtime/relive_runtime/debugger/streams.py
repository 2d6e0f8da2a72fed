"""Standard streams of code that runs in a debugging session: they lead to whoever debugs."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from relive_runtime.debugger.interrupts import Interrupts
from relive_runtime.debugger.link import CHUNK_CHARS, DebugLink

__all__ = ["SessionStreams"]

_ENCODING: Final = "utf-8"


class _Console:
    """What has been written and not been shown yet, and the link it goes to."""

    def __init__(self, link: DebugLink, interrupts: Interrupts) -> None:
        self._link = link
        self._interrupts = interrupts
        self._parts: list[str] = []
        self._size = 0

    def write(self, text: str) -> None:
        self._parts.append(text)
        self._size += len(text)
        if "\n" in text or self._size > CHUNK_CHARS:
            self.flush()

    def flush(self) -> None:
        if self._parts:
            text = "".join(self._parts)
            self._parts, self._size = [], 0
            self._interrupts.shielded(lambda: self._link.write(text))

    def read_line(self) -> str:
        self.flush()
        line = self._interrupts.shielded(self._link.read_line, reading=True)
        return "" if line is None else line + "\n"


class _Output(io.TextIOBase):
    """The main thread writes to the session, every other one if it always did."""

    def __init__(self, console: _Console, original: Any) -> None:
        self._console = console
        self._original = original
        self._owner = threading.get_ident()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return _ENCODING

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if threading.get_ident() != self._owner:
            return int(self._original.write(text) or 0)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._console.write(str.__str__(text))
        return len(text)

    def flush(self) -> None:
        if threading.get_ident() == self._owner:
            self._console.flush()
        elif self._original is not None:
            self._original.flush()


class _Input(io.TextIOBase):
    """Lines from the session, for the main thread."""

    def __init__(self, console: _Console) -> None:
        self._console = console
        self._owner = threading.get_ident()

    def readable(self) -> bool:
        return True

    def readline(self, _size: int | None = -1, /) -> str:  # type: ignore[override]
        return self._console.read_line() if threading.get_ident() == self._owner else ""

    def read(self, _size: int | None = -1, /) -> str:
        return "".join(iter(self.readline, ""))


class SessionStreams:
    """Made for one session, on the main thread."""

    def __init__(self, link: DebugLink, interrupts: Interrupts) -> None:
        console = _Console(link, interrupts)
        self.input: Any = _Input(console)
        self.output: Any = _Output(console, sys.stdout)
        self._errors = _Output(console, sys.stderr)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """For as long as a command runs: what it prints is seen, what it reads is asked for."""
        before = sys.stdin, sys.stdout, sys.stderr, sys.displayhook
        sys.stdin, sys.stdout, sys.stderr = self.input, self.output, self._errors
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr, sys.displayhook = before
