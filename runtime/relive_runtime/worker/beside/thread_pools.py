"""Threads of `multiprocessing.pool.ThreadPool`: what one runs belongs to who gave it to the pool, not to who
has made the pool. Nothing is done before there is such a thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from weakref import WeakValueDictionary

from relive_base.unseen import UNSEEN

__all__ = ["ThreadPools"]

_MODULE: Final = "multiprocessing.pool"
_OWNER: Final = "_relive_carried"
_HANDLERS: Final = ("_handle_workers", "_handle_tasks", "_handle_results")


class _Tasks:
    """The queue of a pool, as one of its threads sees it."""

    def __init__(self, queue: Any, pools: ThreadPools) -> None:
        self._queue = queue
        self._pools = pools
        self._left: Any = None  # how the thread was before its task

    def __getattr__(self, name: str) -> Any:
        with UNSEEN:
            return getattr(self._queue, name)

    def get(self) -> Any:
        """The next task; the one before it is done."""
        left, self._left = self._left, None
        if left is not None:
            self._pools.leave(left)
            del left
        with UNSEEN:
            task = self._queue.get()
        try:
            self._left = self._pools.begin(task)
        except Exception:
            pass  # whose it is will not be known
        return task


class ThreadPools:
    """One per worker."""

    def __init__(
        self, taken: Callable[[], Any], enter: Callable[[Any], Any], leave: Callable[[Any], None]
    ) -> None:
        """`taken`: whose the calling code is, None if it is nobody's; `enter` has this thread run code of
        that, and gives what `leave` takes back."""
        self._taken = taken
        self._enter = enter
        self.leave = leave
        self._results: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._known = False

    def adopts(self, thread: Any) -> bool:
        """Whether a thread that is about to start is a pool's own: it is nobody's between its tasks."""
        pools = sys.modules.get(_MODULE)
        target = thread._target
        if pools is None or target is None:
            return False
        if target is getattr(pools, "worker", None):
            self._know(pools)
            thread._args = (_Tasks(thread._args[0], self), *thread._args[1:])
            return True
        return any(target == getattr(pools.Pool, name, None) for name in _HANDLERS)

    def begin(self, task: Any) -> Any:
        """This thread begins a task; gives what `leave` takes."""
        result = self._results.get(task[0]) if task is not None else None
        owner = getattr(result, _OWNER, None)
        return self._enter(owner) if owner is not None else None

    def _know(self, pools: Any) -> None:
        """Results are made where tasks are given to a pool."""
        if self._known:
            return
        self._known = True
        for kind in (pools.ApplyResult, pools.IMapIterator):
            self._remember(kind)
        for kind in (pools.ApplyResult, pools.MapResult):  # each has its own `_set`
            self._call_back(kind)

    def _remember(self, kind: Any) -> None:
        made, known = kind.__init__, self

        @wraps(made)
        def making(self: Any, *arguments: Any, **options: Any) -> None:
            owner = known._taken()
            if owner is not None:
                self.__dict__[_OWNER] = owner
            with UNSEEN:
                made(self, *arguments, **options)
            if owner is not None:
                known._results[self._job] = self

        kind.__init__ = making

    def _call_back(self, kind: Any) -> None:
        """The callbacks of a result run in a thread of the pool's own."""
        real, known = kind._set, self

        @wraps(real)
        def _set(self: Any, *arguments: Any) -> Any:
            owner = self.__dict__.get(_OWNER)
            left = None if owner is None else known._enter(owner)
            try:
                with UNSEEN:
                    return real(self, *arguments)
            finally:
                if left is not None:
                    known.leave(left)

        kind._set = _set
