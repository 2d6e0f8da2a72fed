"""Where other threads compute, told by themselves: each is signalled by its own CPU time, and what it was at
is fetched from here; see _ticks.c.

A thread's ticks are as unbiased as the kernel's: one finds it in its code as often as it computes there,
whoever has the interpreter then. So a tick stands for what lies between two of the kernel's, or for as many
as there were since the one before, and not for the CPU time since then: of turns that are shorter than that,
what is done first would get too little. What the clock says beyond that is made up for bit by bit.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final, NamedTuple

from relive_base.kept_builtins import KEPT
from relive_base.wire.messages import StackFrames

from relive_profiler.record.native import ticking
from relive_profiler.record.stacks import Location, StackTable
from relive_profiler.record.timer import TICK_SIGNAL, tick_ns

__builtins__ = KEPT

__all__ = ["ThreadTicks", "Tick", "thread_ticks"]

_MADE_UP: Final = 16
"""A tick makes up for 1/16 of what the ones before have told too much or too little: more, and what is met at
the begin of a turn would be given less than what is met at its end."""
_NAMES: Final = 6_000
"""Of codes that are known; then all are told again. Below what _ticks.c holds."""


class Tick(NamedTuple):
    """Of one thread: the kernel's id, the CPU time that it stands for, the id of what the variable had for
    its value there (0: nothing), and the stack; None if nothing of the function's code was on it."""

    native: int
    cpu_ns: int
    owner: int
    stack: StackFrames | None


class _Clock:
    """Of a thread: its CPU time at its last tick, and what its ticks have told too little since its first."""

    __slots__ = ("owed_ns", "used_ns")

    def __init__(self) -> None:
        self.used_ns = 0  # there was none
        self.owed_ns = 0

    def tick(self, used_ns: int, counted_ns: int) -> int:
        """What one at `used_ns` stands for. `counted_ns`: of the kernel's ticks since the one before."""
        if not self.used_ns:
            self.used_ns = used_ns
            return counted_ns
        self.owed_ns += used_ns - self.used_ns - counted_ns
        made_up_ns = max(self.owed_ns // _MADE_UP, -counted_ns)
        self.owed_ns -= made_up_ns
        self.used_ns = used_ns
        return counted_ns + made_up_ns


class ThreadTicks:
    """One per worker. Not thread-safe; no method raises."""

    def __init__(
        self, extension: Any, table: StackTable, depth: int, interval_ns: int, share: int, tick_ns: int
    ) -> None:
        """`interval_ns`: from one tick of a thread to the next, about; with a `share`, one for 1/share of its
        CPU time so far if that is longer."""
        self._extension = extension
        self._table = table
        self._depth = depth
        self._tick_ns = tick_ns
        self._interval_ns = interval_ns
        self._share = share
        self._watched: dict[int, _Clock] = {}
        self._refused: set[int] = set()
        self._names: dict[int, tuple[str, str]] = {}
        self._stacks: dict[tuple[int | None, ...], StackFrames | None] = {}
        self._closed = self._unnamed = False
        self._tell_anew()

    def watch(self, natives: Iterable[int]) -> None:
        """Those threads are to tick, and no others."""
        wanted = set(natives)
        if wanted == self._watched.keys():
            return
        for native in self._watched.keys() - wanted:
            self._extension.forget(native)
            del self._watched[native]
        self._refused &= wanted
        for native in wanted - self._watched.keys() - self._refused:
            if self._extension.watch(native, self._tick_ns, self._interval_ns, self._share):
                self._watched[native] = _Clock()
            else:
                self._refused.add(native)

    def begin(self) -> None:
        """What comes from now on counts: of each thread as if it had just begun."""
        self.fetch()
        for native in list(self._watched):
            if self._extension.watch(native, self._tick_ns, self._interval_ns, self._share):
                self._watched[native] = _Clock()
            else:
                del self._watched[native]

    def ticks(self, native: int) -> bool:
        """Whether that thread does."""
        return native in self._watched

    def fetch(self) -> list[Tick]:
        """What has come since the last time, of each thread in order."""
        fetched = self._extension.fetch()
        if fetched is None:
            return []
        ticks, names, _lost = fetched  # what a lost one stands for, the next one has
        for code, name, file in names:
            self._names[code] = (name, file)
        self._unnamed = False
        found = []
        for native, used_ns, count, owner, places in ticks:
            clock = self._watched.get(native)
            if clock is None or used_ns <= clock.used_ns:
                continue
            cpu_ns = clock.tick(used_ns, count * self._tick_ns)
            found.append(Tick(native, cpu_ns, owner, self._stack(places)))
        if self._unnamed or len(self._names) > _NAMES:
            self._tell_anew()
        return found

    def _tell_anew(self) -> None:
        """What was told before is no more needed, or had no room."""
        self._names.clear()
        self._stacks.clear()
        self._extension.anew()

    def close(self) -> None:
        """No ticks any more."""
        self._closed = True
        self._watched.clear()
        self._extension.forget(0)

    def watch_births(self) -> None:
        """Threads that begin from now on tick from their first instruction to their last. Call it once."""
        real: Any = getattr(threading.Thread, "_bootstrap_inner", None)
        if real is None:
            return  # an interpreter that does it in another way: who looks at threads finds them later

        @wraps(real)
        def _bootstrap_inner(thread: Any) -> Any:
            native = threading.get_native_id()
            self._born(native)
            try:
                return real(thread)
            finally:
                self._extension.forget(native)

        threading.Thread._bootstrap_inner = _bootstrap_inner  # type: ignore[attr-defined]

    def _born(self, native: int) -> None:
        if not self._closed and self._extension.watch(native, self._tick_ns, self._interval_ns, self._share):
            self._watched[native] = _Clock()

    def _stack(self, places: tuple[int | None, ...]) -> StackFrames | None:
        try:
            return self._stacks[places]
        except KeyError:
            pass
        if len(self._stacks) > _NAMES:
            self._stacks.clear()
        cut = len(places) & 1 == 1 or len(places) > 2 * self._depth
        kept = places[: min(2 * self._depth, len(places) & ~1)]
        locations: list[Location] = []
        for code, line in zip(kept[::2], kept[1::2], strict=True):
            known = self._names.get(code or 0)
            if known is None:
                self._unnamed = True
                return None
            locations.append((known[0], self._table.short(known[1]), line or 0))
        stack = self._stacks[places] = self._table.of_locations(locations, cut)
        return stack


def thread_ticks(
    table: StackTable,
    *,
    depth: int,
    interval_ns: int,
    share: int = 0,
    variable: ContextVar[Any] | None = None,
) -> ThreadTicks | None:
    """None if there is no extension, the kernel's ticks are not known, or the signal is another's."""
    extension, tick = ticking(), tick_ns()
    if extension is None or not tick:
        return None
    try:
        if not extension.install(TICK_SIGNAL, variable):
            return None
    except OSError:
        return None
    made = ThreadTicks(extension, table, depth, interval_ns, share, tick)
    made.watch_births()
    os.register_at_fork(after_in_child=made.close)
    return made
