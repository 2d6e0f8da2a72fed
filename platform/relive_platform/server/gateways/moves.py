"""Which connections go to which process: the server hands busy ones out, so that each process has as many."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from relive_platform.triggers.http.app import QUALIFIER
from relive_platform.triggers.http.connections.connection import SMALL_BODY_BYTES
from relive_platform.triggers.http.connections.head import Head
from relive_platform.triggers.http.routes import MethodNotAllowed, Routes, Target

__all__ = ["ServerMoves", "SideMoves", "surplus"]

_BURST: Final = 5
"""New connections in a tenth of a second; of more than these, each process gets its part."""
_SLACK: Final = 0.1  # of the mean may be too many


def surplus(active: int, mean: float) -> int:
    """How many connections are too many for one process."""
    return int(active - mean) if active - mean > _SLACK * mean else 0


def _plain_target(routes: Routes, head: Head) -> Target | None:
    """The target of a request that any gateway can take: it is for a function itself, and small."""
    special = head.special
    if "upgrade" in special or "expect" in special or QUALIFIER in special or head.asynchronous:
        return None
    if not 0 <= head.body_bytes <= SMALL_BODY_BYTES:
        return None
    try:
        target = routes.find(head.method, head.segments)
    except MethodNotAllowed:
        return None
    if target is None or target.door is not None or target.qualifier or target.service:
        return None
    return target


class ServerMoves:
    """The server's own connections (`Moves`)."""

    keeps_all = True

    def __init__(self, routes: Callable[[], Routes], send: Callable[[int, bytes], object]) -> None:
        self._routes = routes
        self._send = send
        self.round = 0  # a tenth of a second
        self.active = 0  # connections with a request in this one
        self.budget = 0  # so many are to go elsewhere
        self.others = 0  # gateways that take some
        self.functions: Collection[str] = ()  # that they run
        self._fresh = 0

    def next_round(self) -> int:
        """Begin to count anew; gives how many connections were active."""
        active, self.active = self.active, 0
        self.round += 1
        self._fresh = 0
        return active

    def keeps(self, _head: Head) -> bool:
        """The server can do everything."""
        return True

    def hand_over(self, descriptor: int, data: bytes) -> None:
        """To the gateway that has the fewest."""
        self._send(descriptor, data)

    def rested(self, head: Head) -> bool:
        """Whether a connection is one of those that are too many."""
        target = _plain_target(self._routes(), head)
        if target is None or target.function not in self.functions:
            return False
        self.budget -= 1
        return True

    def came(self) -> bool:
        """Where many come at once, as from clients that make one for each request, they are dealt out."""
        self._fresh += 1
        return self._fresh > _BURST and bool(self.others) and self._fresh % (self.others + 1) != 0


class SideMoves:
    """The connections of a gateway beside the server (`Moves`): what it cannot do goes to the server."""

    keeps_all = False

    def __init__(self, routes: Callable[[], Routes], send: Callable[[int, bytes], object]) -> None:
        self._routes = routes
        self._send = send
        self.round = 0
        self.active = 0
        self.budget = 0
        self.able: set[str] = set()  # functions with a worker here

    def next_round(self) -> int:
        """As `ServerMoves.next_round`."""
        active, self.active = self.active, 0
        self.round += 1
        return active

    def keeps(self, head: Head) -> bool:
        """Whether it is for a function that has a worker here."""
        target = _plain_target(self._routes(), head)
        return target is not None and target.function in self.able

    def hand_over(self, descriptor: int, data: bytes) -> None:
        """To the server."""
        self._send(descriptor, data)

    def rested(self, _head: Head) -> bool:
        """Whether this one goes back."""
        self.budget -= 1
        return True

    def came(self) -> bool:
        """They come from the server."""
        return False
