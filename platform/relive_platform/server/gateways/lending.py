"""Which functions the gateways beside the server run, with how many workers, and what connections they get.

The server runs everything by itself, as if it were alone. A function that is busy is lent: each gateway gets
a part of the workers that it may have, and connections whose requests are for it. What a function may have in
all is never exceeded: a gateway gets a worker once the one that it takes the place of has ended. Calls of
other functions, queues and AWS's API are the server's own: requests over HTTP alone make a function busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from relive_platform.engine.engine import Engine
from relive_platform.engine.pool import FunctionPool
from relive_platform.server.gateways.messages import Grant, Load
from relive_platform.server.gateways.moves import ServerMoves, surplus
from relive_platform.server.gateways.shares import Need, shares

__all__ = ["Borrower", "Lending"]

_SMOOTH: Final = 0.3  # of the newest tenth of a second in the rate
_COOL_S: Final = 10.0  # below a quarter of the rate for so long: the server has it alone again
_CROWDED_S: Final = 2.0  # other functions want room: nothing is lent for so long


class Borrower(Protocol):
    """A gateway beside the server. `load`: None until it has told one, and once it has gone."""

    load: Load | None

    def grant(self, grants: list[Grant]) -> None: ...
    def give_back(self, connections: int) -> None: ...


@dataclass(slots=True)
class _Lent:
    """A function that may be lent. `most`: workers that it may have; `granted`: by gateway; `by_http`,
    `arrived`: of the server's pool, when it was looked at last."""

    pool: FunctionPool
    most: int
    needs: list[Need]
    granted: list[int]
    by_http: int
    arrived: int
    came: int = 0  # over HTTP, in the last tenth of a second
    rate: float = 0.0
    busy: bool = False
    busy_at: float = 0.0
    came_at: float = 0.0  # the last of these
    others_at: float = 0.0  # the last event that only the server can take


@dataclass(slots=True)
class Lending:
    """`rate`: requests per second from which on a function is lent. Everything runs on the event loop."""

    engine: Engine
    moves: ServerMoves
    borrowers: Sequence[Borrower]
    rate: float
    clock: Callable[[], float] = time.monotonic
    _lent: dict[str, _Lent] = field(default_factory=dict)
    _refused: int = 0
    _crowded_until: float = 0.0
    _at: float = 0.0

    @staticmethod
    def suits(pool: FunctionPool) -> bool:
        """Whether a function can be lent: it runs one invocation after the other in a worker, has more than
        one, and none that are reserved: whoever comes when all of those are in use is refused."""
        limits = pool.limits
        return not (pool.serves or limits.reserved) and limits.max_workers > max(limits.provisioned, 1)

    def apply(self) -> list[str]:
        """The pools are those of what is in service now, with their own limits. Gives the names of those that
        may be lent."""
        before, self._lent = self._lent, {}
        for name, pool in self.engine.dispatcher.pools.items():
            if not self.suits(pool):
                continue
            known = before.get(name)
            most = pool.limits.max_workers
            if known is None or known.pool is not pool:
                needs = [Need() for _ in range(len(self.borrowers) + 1)]
                new = _Lent(pool, most, needs, [0] * len(self.borrowers), pool.by_http, pool.arrived)
                if known is not None:  # of the version before
                    new.rate, new.busy, new.busy_at = known.rate, known.busy, known.busy_at
                    new.came_at, new.others_at = known.came_at, known.others_at
                known = new
            known.most = most
            known.needs[0].floor = max(pool.limits.provisioned, 1)
            self._lent[name] = known
            self._limit(known, self._promised(known))
        return list(self._lent)

    def lost(self, index: int) -> None:
        """A gateway has ended, and its workers with it."""
        for lent in self._lent.values():
            lent.granted[index] = 0

    def tick(self) -> None:
        """Ten times a second."""
        now = self.clock()
        passed, self._at = max(now - self._at, 0.001), now
        host = self.engine.host
        if host.refused != self._refused:
            self._refused = host.refused
            self._crowded_until = now + _CROWDED_S if host.lent else 0.0
        grants: list[list[Grant]] = [[] for _ in self.borrowers]
        for name, lent in self._lent.items():
            self._look(lent, name, passed, now)
            self._share(lent, name, grants, now)
        for borrower, told in zip(self.borrowers, grants, strict=True):
            if told:
                borrower.grant(told)
        host.lent = sum(self._lent_to(index) for index in range(len(self.borrowers)))
        self._deal()

    def _lent_to(self, index: int) -> int:
        """Workers that a gateway has, or may have."""
        load = self.borrowers[index].load
        held = load.workers if load is not None else {}
        living = sum(held.get(state, 0) for state in ("idle", "busy", "starting"))
        return max(living, sum(lent.granted[index] for lent in self._lent.values()))

    def _look(self, lent: _Lent, name: str, passed: float, now: float) -> None:
        """How busy it is, and what each process could use."""
        pool = lent.pool
        came, lent.by_http = pool.by_http - lent.by_http, pool.by_http
        arrived, lent.arrived = pool.arrived - lent.arrived, pool.arrived
        if arrived > came:
            lent.others_at = now
        lent.needs[0].seen.append(pool.busy + len(pool.waiting))
        for index, borrower in enumerate(self.borrowers):
            wanted = 0
            for one in borrower.load.pools if borrower.load is not None else ():
                if one.function == name and one.version == pool.spec.version:
                    wanted = one.wanted
                    came += one.arrived
            lent.needs[index + 1].seen.append(wanted)
        lent.came = came
        if came:
            lent.came_at = now
        lent.rate += (came / passed - lent.rate) * _SMOOTH
        if lent.rate >= self.rate:
            lent.busy, lent.busy_at = True, now
        elif lent.rate >= self.rate / 4:
            lent.busy_at = now
        elif now - lent.busy_at > _COOL_S:
            lent.busy = False

    def _held(self, lent: _Lent, index: int) -> int:
        """Processes that a gateway has of it, by its own word."""
        load = self.borrowers[index].load
        key = lent.pool.spec.name, lent.pool.spec.version
        return sum(one.held for one in (load.pools if load else ()) if (one.function, one.version) == key)

    def _promised(self, lent: _Lent) -> list[int]:
        return [
            max(granted, self._held(lent, index) if self.borrowers[index].load is not None else 0)
            for index, granted in enumerate(lent.granted)
        ]

    def _share(self, lent: _Lent, name: str, grants: list[list[Grant]], now: float) -> None:
        pool = lent.pool
        up = [index for index, borrower in enumerate(self.borrowers) if borrower.load is not None]
        elsewhere = lent.others_at - lent.came_at > _COOL_S  # no gateway would have anything to do
        alone = not lent.busy or elsewhere or pool.is_watched or now < self._crowded_until
        parts = [lent.most]
        if up and not alone:
            parts = shares(lent.most, [lent.needs[0], *(lent.needs[index + 1] for index in up)])
        wanted = dict.fromkeys(range(len(self.borrowers)), 0) | dict(zip(up, parts[1:], strict=False))
        before = list(lent.granted)
        lent.granted = [min(wanted[index], granted) for index, granted in enumerate(before)]
        promised = self._promised(lent)
        free = lent.most - pool.held - sum(promised)
        waits = False
        for index in up:
            while lent.granted[index] < wanted[index]:
                if lent.granted[index] >= promised[index]:
                    if free <= 0 or not self.engine.host.has_room(pool):
                        waits = True
                        break
                    free -= 1
                    promised[index] += 1
                    self.engine.host.lent += 1
                lent.granted[index] += 1
        self._limit(lent, promised, parts[0] if waits else lent.most)
        for index, granted in enumerate(lent.granted):
            if granted != before[index] or (granted and lent.came and not self._held(lent, index)):
                grants[index].append(Grant(name, pool.spec.version, granted))

    def _limit(self, lent: _Lent, promised: list[int], most: int | None = None) -> None:
        """The server's own pool may have the rest; what it has too many leaves for those that wait for it."""
        pool = lent.pool
        own = max(min(lent.most - sum(promised), lent.most if most is None else most), 0)
        if pool.limits.max_workers != own or len(pool.live()) > own:
            pool.limit(replace(pool.limits, max_workers=own))
            pool.shed()
            pool.scale()

    def _deal(self) -> None:
        """Each process is to have as many busy connections as any other."""
        ready: dict[int, set[str]] = {}
        for index, borrower in enumerate(self.borrowers):
            if borrower.load is not None:
                pools = [one for one in borrower.load.pools if one.ready]
                able = {one.function for one in pools if self._may(one.function, index)}
                if able:
                    ready[index] = able
        own = self.moves.next_round()
        self.moves.others = len(ready)
        self.moves.functions = set().union(*ready.values())
        active = {index: load.active for index in ready if (load := self.borrowers[index].load) is not None}
        mean = (own + sum(active.values())) / (len(ready) + 1)
        self.moves.budget = surplus(own, mean) if ready else 0
        for index, count in active.items():
            over = surplus(count, mean)
            if over:
                self.borrowers[index].give_back(over)

    def _may(self, function: str, index: int) -> bool:
        lent = self._lent.get(function)
        return lent is not None and lent.granted[index] > 0
