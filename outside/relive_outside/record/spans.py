"""A span of each invocation, sent some at a time: no thread waits for that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from relive_outside.record.handed import Ended

__all__ = ["SpanBatch"]

_MOST: Final = 512
_AGE_NS: Final = 5_000_000_000


class SpanBatch:
    """They leave when there are 512, when the oldest is 5 s old and another one ends, and at the end of the
    process."""

    def __init__(
        self, send: Callable[[list[Ended]], object], clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._send = send
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._waiting: list[Ended] = []
        self._since_ns = 0

    def add(self, span: Ended) -> None:
        """One has ended."""
        with self._lock:
            now = self._clock_ns()
            if not self._waiting:
                self._since_ns = now
            self._waiting.append(span)
            if len(self._waiting) < _MOST and now - self._since_ns < _AGE_NS:
                return
            spans, self._waiting = self._waiting, []
        self._send(spans)

    def flush(self) -> None:
        """Send what there is."""
        with self._lock:
            spans, self._waiting = self._waiting, []
        if spans:
            self._send(spans)
