"""Whose the code is of a thread that was given no copy of a context: it belongs to who started the thread,
or gave the call to its pool (`run_in_executor`, `ThreadPoolExecutor.submit`, `multiprocessing.pool`).

Only variables of ours are set there. Those of the application are as they are without Relive.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from functools import wraps
from threading import get_ident
from typing import Any, Final

from relive_base.unseen import without_this_frame
from relive_tracer.record import InvocationState

from relive_runtime.worker.beside.thread_pools import ThreadPools
from relive_runtime.worker.start.namesakes import originals

__all__ = ["Carrier"]

_CARRIED: Final = "_relive_carried"


class Carrier:
    """One per worker."""

    def __init__(
        self, current: Callable[[], InvocationState | None], variables: Sequence[ContextVar[Any]]
    ) -> None:
        """`current`: whose the calling code is; `variables` say so."""
        self._current = current
        self._variables = variables
        self.threads: dict[int, InvocationState] = {}
        """Those that run such code now."""
        self._pools = ThreadPools(self._taken, self._enter, self._leave)

    def install(self) -> None:
        """Call it once. An interpreter that does it in another way is left as it is."""
        with originals():
            from concurrent.futures import thread as pools

        item: Any = getattr(pools, "_WorkItem", None)
        worker = getattr(pools, "_worker", None)
        if item is not None and hasattr(item, "run"):
            self._carry(item, "__init__", "run", lambda _item: True)
        if hasattr(threading.Thread, "_bootstrap_inner"):
            # A pool's own threads outlive who has started them.
            self._carry(
                threading.Thread,
                "start",
                "_bootstrap_inner",
                lambda one: one._target is not worker and not self._pools.adopts(one),
            )

    def _taken(self) -> tuple[InvocationState, list[Any]] | None:
        """Whose the calling code is, and what says so."""
        state = self._current()
        return None if state is None else (state, [variable.get(None) for variable in self._variables])

    def _enter(self, carried: tuple[InvocationState, list[Any]]) -> list[tuple[ContextVar[Any], Token[Any]]]:
        """This thread runs code of that from now on; gives what `_leave` takes back."""
        self.threads[get_ident()], values = carried
        return [(one, one.set(value)) for one, value in zip(self._variables, values, strict=True)]

    def _leave(self, tokens: list[tuple[ContextVar[Any], Token[Any]]]) -> None:
        self.threads.pop(get_ident(), None)
        for variable, token in tokens:
            variable.reset(token)

    def _carry(self, cls: Any, given: str, run: str, wanted: Callable[[Any], bool]) -> None:
        """From the method in which `cls` is given its code to the one that runs it in another thread."""
        give, real_run = getattr(cls, given), getattr(cls, run)

        @wraps(give)
        def giving(self: Any, *arguments: Any, **options: Any) -> Any:
            try:
                taken = carrier._taken() if wanted(self) else None
                if taken is not None:
                    self.__dict__[_CARRIED] = taken
            except Exception:
                pass  # whose it is will not be known
            try:
                return give(self, *arguments, **options)
            except BaseException as error:
                without_this_frame(error)
                raise

        @wraps(real_run)
        def running(self: Any, *arguments: Any, **options: Any) -> Any:
            carried = self.__dict__.pop(_CARRIED, None)
            if carried is None:
                return real_run(self, *arguments, **options)
            tokens = carrier._enter(carried)
            del carried
            try:
                return real_run(self, *arguments, **options)
            finally:
                carrier._leave(tokens)

        carrier = self
        setattr(cls, given, giving)
        setattr(cls, run, running)
