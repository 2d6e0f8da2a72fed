"""A process from which runs of a session begin: forked off before the handler's first line, or later, it
waits, and forks again for each run."""

from __future__ import annotations

import errno
import gc
import os
import random
import signal
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from os import getpid  # the real one, whatever `os` has by then

from relive_runtime.travel.messages import Fork
from relive_runtime.travel.pipe import Closed, Pipe

__all__ = ["Child", "Stem"]


class Child:
    """What a run knows of itself: its order, and its end of the way to the session."""

    def __init__(self, order: Fork, pipe: Pipe) -> None:
        self.order = order
        self.pipe = pipe
        self.pid = getpid()


class Stem:
    """The session's end of it."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    @classmethod
    def split(
        cls, restore: Callable[[], None], *, settle: bool = False, others: Sequence[Stem] = ()
    ) -> Stem | Child:
        """Fork it off, as a child of nobody's: code that waits for any child waits for its own.
        `restore`: puts back what forking has changed. `settle`: before any code has run.
        `others`: that the child has no use for. The caller goes on with its Stem; each
        run that is asked for later goes on from here, too, with
        a Child. Chance stands where it stood in all of them. Raises OSError."""
        chance = random.getstate()
        ours, theirs = Pipe.pair()
        if settle:
            gc.collect()
            gc.freeze()  # pages of what is there now stay shared
        try:
            is_stem = _fork_apart()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if not is_stem:
            if settle:
                gc.unfreeze()
            theirs.close()
            return cls(ours)
        try:
            for other in others:
                other.forget()
            ours.close()
            child = _serve(theirs)
            restore()
            random.setstate(chance)
        except BaseException:
            os._exit(1)  # nothing but a run may come out of here
        return child

    def run(self, order: Fork) -> Pipe:
        """Have a run begin; gives the way to it. Raises Closed: the stem is gone."""
        ours, theirs = Pipe.pair()
        try:
            self._pipe.send(order, (theirs.end.fileno(),))
        finally:
            theirs.close()
        return ours

    @property
    def descriptor(self) -> int:
        """Of the way to it."""
        return self._pipe.end.fileno()

    def forget(self) -> None:
        """It is another process's."""
        self._pipe.close()

    def kill(self) -> None:
        """No run begins any more. Idempotent."""
        with suppress(Closed):
            self._pipe.send(Fork())  # without a pipe: the end, whoever else may hold this one open
        self._pipe.close()


def _serve(orders: Pipe) -> Child:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the run that somebody looks at
    while True:
        try:
            order, descriptors = orders.receive(Fork, descriptors=1)
        except Closed:
            os._exit(0)
        _reap()
        if not descriptors:
            os._exit(0)
        if not _fork():
            orders.close()
            return Child(order, Pipe.of(descriptors[0]))
        os.close(descriptors[0])


def _fork_apart() -> bool:
    """Fork a process whose parent is gone; whether this is it. Nothing of the one in between is seen: not its
    signal, nor the process. Raises OSError."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    try:
        between = _fork()
        if not between:
            try:
                if _fork():
                    os._exit(0)
            except OSError as error:
                os._exit(error.errno or errno.EAGAIN)
            return True
        with suppress(ChildProcessError):
            status = os.waitstatus_to_exitcode(os.waitpid(between, 0)[1])
            if status:
                raise OSError(status, os.strerror(status))
        told = signal.sigtimedwait([signal.SIGCHLD], 0)
        if told is not None and told.si_pid != between:
            os.kill(getpid(), signal.SIGCHLD)  # it is of a child of the code's
        return False
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
