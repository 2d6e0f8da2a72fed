"""aiokafka logs every try to reach a broker that is away, some fifty lines a second: one of each kind in a
minute says as much."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Sparing", "spare_lines"]

_EVERY_S: Final = 60.0
_LIBRARY: Final = "aiokafka"


class Sparing(logging.Filter):
    """Lets a record of each place in the code through once in a while; the next one tells how many it left
    out."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now_s = now_s
        self._said: dict[tuple[str, int], tuple[float, int]] = {}  # when, and how many since

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        key, now_s = (record.name, record.lineno), self._now_s()
        before = self._said.get(key)
        if before is not None and now_s - before[0] < _EVERY_S:
            self._said[key] = (before[0], before[1] + 1)
            return False
        self._said[key] = (now_s, 0)
        if before is not None and before[1]:
            record.msg = f"{record.msg} ({before[1]} more of these since)"
        return True


def spare_lines() -> None:
    """For all of the library's loggers, once."""
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == _LIBRARY]:
        logger = logging.getLogger(name)
        if not any(isinstance(one, Sparing) for one in logger.filters):
            logger.addFilter(Sparing())
