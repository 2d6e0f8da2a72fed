"""What a fork takes away from code in the middle of its work, and what it must not have in common with it."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

__all__ = ["POLL", "same_pid", "standing"]

POLL: Final = "anon_inode:[eventpoll]"
_FDS: Final = "/proc/self/fd"


def standing() -> Callable[[], None]:
    """Call it before the fork; what it gives puts the child where this process stands now."""
    events: Any = sys.modules.get("asyncio.events")
    loop = events._get_running_loop() if events is not None else None
    policy: Any = getattr(events, "_event_loop_policy", None)
    local = getattr(policy, "_local", None)

    def restore() -> None:
        if local is not None:
            policy._local = local
        if loop is not None:  # asyncio takes it for another process's
            events._set_running_loop(loop)
        _renew_polls()

    return restore


def same_pid() -> Callable[[], int]:
    """os.getpid for every run: libraries look by it whether they were forked, and begin anew."""
    pid = os.getpid()
    return lambda: pid


def _renew_polls() -> None:
    """Each process needs its own, or one takes away what the other has registered."""
    for name in os.listdir(_FDS):
        with suppress(OSError, ValueError):
            if os.readlink(f"{_FDS}/{name}") == POLL:
                _renew(int(name))


def _renew(number: int) -> None:
    lines = Path(f"/proc/self/fdinfo/{number}").read_text().splitlines()
    poll = select.epoll()
    for line in lines:
        words = line.split()
        if words[:1] == ["tfd:"]:
            with suppress(OSError):
                poll.register(int(words[1]), int(words[3], 16))
    os.dup2(poll.fileno(), number, inheritable=False)
    poll.close()
