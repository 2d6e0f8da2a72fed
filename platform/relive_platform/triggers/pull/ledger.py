"""Which records of a source are events here already. Kept in `events.db`; this is its copy in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from relive_platform.triggers.pull.connector import Record

__all__ = ["Ledger"]

MAX_SETTLED: Final = 200_000
_NS: Final = 1_000_000_000
_DROP_AT_ONCE: Final = 2_000


class Ledger:
    """Positions are kept for as long as their source may send them again."""

    def __init__(self, positions: Iterable[str], now_ns: int) -> None:
        self._taken: dict[str, int] = {}  # mark -> the last index of it
        self._settled: deque[tuple[int, str]] = deque()  # when it was acknowledged, and its position
        self._stale: deque[str] = deque()  # what a later index of the same mark has made superfluous
        for position in positions:
            self._add(position)
            # Of a process before: whether they were acknowledged is not known.
            self._settled.append((now_ns, position))

    def _add(self, position: str) -> None:
        mark, _, index = position.rpartition("/")
        before = self._taken.get(mark)
        number = int(index)
        if before is not None and before < number:
            self._stale.append(f"{mark}/{before}")
        self._taken[mark] = max(number, -1 if before is None else before)

    def has(self, record: Record) -> bool:
        """Whether it is an event here already."""
        return self._taken.get(record.mark, -1) >= record.index

    def positions_of(self, records: Sequence[Record]) -> tuple[str, ...]:
        """What is written down for a batch: of each mark the last index."""
        last: dict[str, int] = {}
        for record in records:
            last[record.mark] = max(record.index, last.get(record.mark, -1))
        return tuple(f"{mark}/{index}" for mark, index in last.items())

    def finals_of(self, records: Sequence[Record]) -> tuple[str, ...]:
        """Those of `positions_of` that end a mark: once acknowledged, they may be dropped some day."""
        return tuple(record.position for record in records if record.final)

    def committed(self, positions: Iterable[str]) -> None:
        """These are in `events.db`."""
        for position in positions:
            self._add(position)

    def settled(self, positions: Iterable[str], now_ns: int) -> None:
        """These are acknowledged at their source."""
        self._settled.extend((now_ns, position) for position in positions)

    def old(self, now_ns: int, keep_s: float) -> tuple[str, ...]:
        """Some of what need not be kept any more; for the next commit to drop."""
        found = [self._stale.popleft() for _ in range(min(len(self._stale), _DROP_AT_ONCE))]
        until_ns = now_ns - int(keep_s * _NS)
        while self._settled and len(found) < _DROP_AT_ONCE:
            at_ns, position = self._settled[0]
            if at_ns > until_ns and len(self._settled) <= MAX_SETTLED:
                break
            self._settled.popleft()
            mark, _, index = position.rpartition("/")
            if self._taken.get(mark) == int(index):
                del self._taken[mark]
            found.append(position)
        return tuple(found)
