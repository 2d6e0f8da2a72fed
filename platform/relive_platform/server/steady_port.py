"""A port that a home keeps from start to start: who was told of it finds it again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from relive_base.whole_file import write_whole

from relive_platform.triggers.http.connections.listener import AddressTaken

__all__ = ["SteadyPort", "port_beside"]

_UNPRIVILEGED: Final = 1_024
_HIGHEST: Final = 65_535
_log = logging.getLogger(__name__)


def port_beside(port: int) -> int:
    """The port after the gateway's; 0, any free one, if that has none of its own."""
    return port + 1 if _UNPRIVILEGED <= port < _HIGHEST else 0


class SteadyPort:
    """The one that `path` holds, else `first`, else any that is free."""

    def __init__(self, path: Path, first: int) -> None:
        self._path = path
        self._first = first

    def take(self, bind: Callable[[int], int]) -> None:
        """`bind` takes a port (0: a free one) and gives it. Raises AddressTaken if none can be had."""
        known = self._known()
        for port in (known, self._first):
            try:
                found = bind(port) if port else 0
            except AddressTaken:
                _log.warning("port %d of AWS's APIs is taken; --lambda-api names another one", port)
                found = 0
            if found:
                break
        else:
            found = bind(0)
        if found != known:
            try:
                write_whole(self._path, f"{found}\n".encode())
            except OSError as error:  # it serves all the same
                _log.warning("port %d of AWS's APIs may be another one at the next start: %s", found, error)

    def _known(self) -> int:
        try:
            port = int(self._path.read_text()[:8])
        except (OSError, ValueError):
            return 0
        return port if _UNPRIVILEGED <= port <= _HIGHEST else 0
