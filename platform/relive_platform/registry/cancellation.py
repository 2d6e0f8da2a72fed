"""Whether somebody still wants what is being done for them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from relive_base.errors import Refused

__all__ = ["Cancellation", "DeployCancelled"]


class DeployCancelled(Refused):
    """The deploy was cancelled: what was in service stays in service."""


class Cancellation:
    """Set once, by another thread; what is done looks at it, and may be told at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._listeners: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """From now on `check` raises."""
        with self._lock:
            self._cancelled = True
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def check(self) -> None:
        """Raises DeployCancelled."""
        if self._cancelled:
            raise DeployCancelled(hint="deploy again when you want to")

    @contextlib.contextmanager
    def telling(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener`, maybe in another thread, when this is cancelled; at once if it was before."""
        with self._lock:
            self._listeners.append(listener)
            late = self._cancelled
        if late:
            listener()
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)
