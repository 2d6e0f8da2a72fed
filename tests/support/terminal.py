"""A command in a terminal of its own: what it writes is read, keys are sent to it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from patience import PATIENCE_S

__all__ = ["Terminal", "terminal"]

RELIVE = (sys.executable, "-m", "relive")


class Terminal:
    """The other end of the terminal that a process sits at."""

    def __init__(self, fd: int, process: subprocess.Popen[bytes]) -> None:
        self._fd = fd
        self.process = process
        self.seen = ""

    def send(self, keys: str) -> None:
        """Press keys."""
        os.write(self._fd, keys.encode())

    def until(self, text: str, limit_s: float = PATIENCE_S) -> str:
        """Wait for text that has not been waited for yet; gives all that came before it and the text."""
        give_up = time.monotonic() + limit_s
        while text not in self.seen:
            left = give_up - time.monotonic()
            assert left > 0, f"no {text!r} within {limit_s} s, but {self.seen!r}"
            if select.select([self._fd], [], [], left)[0]:
                try:
                    data = os.read(self._fd, 65_536)
                except OSError:
                    data = b""  # the process has ended
                assert data, f"it ended without {text!r}: {self.seen!r}"
                self.seen += data.decode("utf-8", "replace")
        found, text, self.seen = self.seen.partition(text)
        return found + text

    def interrupt(self, text: str, limit_s: float = PATIENCE_S) -> str:
        """Press Ctrl-C until `text` is there.

        Python's `input` does not notice a signal in the moment between its prompt and its wait; people press
        again.
        """
        end = time.monotonic() + limit_s
        while True:
            self.send("\x03")
            try:
                return self.until(text, 10.0)
            except AssertionError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise

    def ended(self, limit_s: float = PATIENCE_S) -> int:
        """Wait for the end; gives the exit status."""
        return self.process.wait(limit_s)


@contextmanager
def terminal(
    arguments: list[str], environment: Mapping[str, str] | None = None, *, program: Sequence[str] = RELIVE
) -> Iterator[Terminal]:
    """Run `python -m relive ARGUMENTS`, or another program, at a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*program, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,
        env={**os.environ, "TERM": "xterm", "INPUTRC": "/dev/null", **(environment or {})},
        cwd="/",
    )
    os.close(theirs)
    try:
        yield Terminal(ours, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)


def _take_terminal() -> None:
    """Make standard input the controlling terminal, so that Ctrl-C is a signal."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
