"""The process from which every run of a session begins: forked off before the handler's first line, it
waits, and
forks again for each run."""

from __future__ import annotations

import gc
import os
import random
import signal
import socket
import warnings
from collections.abc import Callable
from contextlib import suppress

from relive_runtime.travel.messages import Fork
from relive_runtime.travel.pipe import Closed, Pipe

__all__ = ["Child", "Stem"]


class Child:
    """What a run knows of itself: its order, and its end of the way to the session."""

    def __init__(self, order: Fork, pipe: Pipe) -> None:
        self.order = order
        self.pipe = pipe


class Stem:
    """The session's end of it."""

    def __init__(self, pipe: Pipe, pid: int) -> None:
        self._pipe = pipe
        self._pid = pid

    @classmethod
    def split(cls, restore: Callable[[], None]) -> Stem | Child:
        """Fork it off. `restore`: puts back what forking has changed. The caller goes on with its Stem; each
        run that is asked for later goes on from here, too, with
        a Child. Chance stands where it stood in all of them."""
        chance = random.getstate()
        ours, theirs = Pipe.pair()
        gc.collect()
        gc.freeze()  # pages of what is there now stay shared
        pid = _fork()
        if pid:
            gc.unfreeze()
            theirs.close()
            return cls(ours, pid)
        ours.close()
        child = _serve(theirs)
        restore()
        random.setstate(chance)
        return child

    def run(self, order: Fork) -> Pipe:
        """Have a run begin; gives the way to it. Raises Closed: the stem is gone."""
        ours, theirs = Pipe.pair()
        try:
            self._pipe.send(order, (theirs.end.fileno(),))
        finally:
            theirs.close()
        return ours

    def close(self) -> None:
        """No run begins any more."""
        self._pipe.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _serve(orders: Pipe) -> Child:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the run that somebody looks at
    while True:
        try:
            order, descriptors = orders.receive(Fork, descriptors=1)
        except Closed:
            os._exit(0)
        _reap()
        if not descriptors:
            continue
        if not _fork():
            orders.close()
            return Child(order, Pipe(socket.socket(fileno=descriptors[0])))
        os.close(descriptors[0])


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # threads of the user's are left behind, and said to be
        return os.fork()


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
