"""Numbers of users for zygotes and their workers, if the server is root and may give them away."""

from __future__ import annotations

from collections import deque
from typing import Final

from relive_platform.cores import USERS_EACH

__all__ = ["BLOCK", "UserBlock", "UserRange"]

BLOCK: Final = USERS_EACH
"""Users of one zygote: the first is its own, one for each of its workers."""


class UserBlock:
    """The users of one zygote. The one that was given back first is taken first."""

    def __init__(self, first: int) -> None:
        self.first = first
        self._free = deque(range(first + 1, first + BLOCK))

    def take(self) -> int:
        """A user that no other worker has; 0 if all are in use."""
        return self._free.popleft() if self._free else 0

    def give_back(self, uid: int) -> None:
        """Nothing of it is left."""
        self._free.append(uid)


class UserRange:
    """The blocks of one server."""

    def __init__(self, first: int, count: int) -> None:
        self._free = deque(range(first, first + count - BLOCK + 1, BLOCK))

    def take(self) -> UserBlock | None:
        """A block that no other zygote has; None if all are in use."""
        return UserBlock(self._free.popleft()) if self._free else None

    def give_back(self, block: UserBlock) -> None:
        """Its zygote has ended, and with it all of its workers."""
        self._free.append(block.first)
