"""Where other threads compute, told by themselves: each is signalled by its own CPU time, and what it was at
is fetched from here; see _ticks.c.

A thread's ticks are as unbiased as the kernel's: one finds it in its code as often as it computes there,
whoever has the interpreter then. A tick stands for the CPU time since the one before, and the first one for
one of the kernel's: what a thread uses before it, and after its last, is so made up for in the sum.
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

_NEXT_TICK_NS: Final = 1
_NAMES: Final = 6_000
"""Of codes that are known; then all are told again. Below what _ticks.c holds."""


class Tick(NamedTuple):
    """Of one thread: the kernel's id, the CPU time that it stands for, the id of what the variable had for
    its value there (0: nothing), and the stack; None if nothing of the function's code was on it."""

    native: int
    cpu_ns: int
    owner: int
    stack: StackFrames | None


class ThreadTicks:
    """One per worker. Not thread-safe; no method raises."""

    def __init__(
        self, extension: Any, table: StackTable, depth: int, interval_ns: int, share: int, tick_ns: int
    ) -> None:
        """`interval_ns`: from one tick of a thread to the next, at least; with a `share`, at most one for
        1/share of its CPU time so far."""
        self._extension = extension
        self._table = table
        self._depth = depth
        self._tick_ns = tick_ns
        self._interval_ns = max(interval_ns - tick_ns, _NEXT_TICK_NS)
        self._share = share
        self._watched: dict[int, int] = {}  # CPU time at the last tick; 0: there was none
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
            if self._extension.watch(native, _NEXT_TICK_NS, self._interval_ns, self._share):
                self._watched[native] = 0
            else:
                self._refused.add(native)

    def begin(self) -> None:
        """What comes from now on counts: of each thread as if it had just begun."""
        self.fetch()
        for native in list(self._watched):
            if self._extension.watch(native, _NEXT_TICK_NS, self._interval_ns, self._share):
                self._watched[native] = 0
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
        for native, used_ns, owner, places in ticks:
            before_ns = self._watched.get(native)
            if before_ns is None or used_ns <= before_ns:
                continue
            self._watched[native] = used_ns
            cpu_ns = used_ns - before_ns if before_ns else self._tick_ns
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
        if not self._closed and self._extension.watch(native, _NEXT_TICK_NS, self._interval_ns, self._share):
            self._watched[native] = 0

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
