"""What ends a command: SIGTERM, SIGHUP of a closed terminal, the end of the program that started it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["end_with", "ended_by_signals"]


_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """They end the block as an exception does, so that it leaves nothing behind. What is ignored (nohup)
    stays so."""

    def end(number: int, frame: object) -> None:
        for one in ours:  # the second one does not cut off what the first one has begun
            signal.signal(one, signal.SIG_IGN)
        raise SystemExit(128 + number)

    is_main = threading.current_thread() is threading.main_thread()
    ours = [one for one in _SIGNALS if is_main and signal.getsignal(one) is signal.SIG_DFL]
    for one in ours:
        signal.signal(one, end)
    try:
        yield
    finally:
        for one in ours:
            signal.signal(one, signal.SIG_DFL)


def end_with(starter: int) -> None:
    """Get SIGTERM when the process that has started this one ends, by SIGKILL say. `starter`: its id."""
    from relive_runtime.isolation.syscalls import die_with_parent

    die_with_parent(number=signal.SIGTERM)
    if os.getppid() != starter:  # it has ended already
        raise SystemExit(128 + signal.SIGTERM)
