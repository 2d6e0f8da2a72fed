"""The runs of a session, as the session sees them: what was asked for, or why it could not be had."""

from __future__ import annotations

import os
import signal
from array import array
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from relive_runtime.debugger.link import DebugLink
from relive_runtime.travel.checkpoints import Checkpoint
from relive_runtime.travel.endings import Ending, differing, endings
from relive_runtime.travel.messages import (
    Answered,
    Arrived,
    Change,
    Complete,
    Fork,
    Goes,
    Line,
    Offer,
    Prompt,
    Ran,
    Seen,
    Text,
    Trailed,
)
from relive_runtime.travel.origins import Why
from relive_runtime.travel.pipe import Closed, Pipe
from relive_runtime.travel.traveller import Traveller

__all__ = ["Elsewhere", "Gone", "Parted", "Runs"]

_COMPLETE_S: Final = 1.0
_JOURNAL_STEPS: Final = 50_000
"""So many steps before the one that is asked about are looked through for where a value arose."""
_TRIES: Final = 2
"""Checkpoints from which a run may go another way, until it is run from the start."""


class Gone(Exception):
    """A run has ended without what was asked of it: interrupted, or ended by its own code."""


class Interrupted(Gone):
    """Somebody has pressed Ctrl-C."""


class Parted(Exception):
    """A run goes another way than the trail. `step`: the first one that differs."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


class Elsewhere(Gone):
    """A run that was followed is not the one that was asked about. `step`: the first one that differs; or the
    steps are the same, and it has `ended` in another way than it `should` have."""

    def __init__(self, step: int, ended: Ending | None = None, should: Ending | None = None) -> None:
        super().__init__("the run that was followed went another way than this one")
        self.step = step
        self.ended = ended
        self.should = should


class Runs:
    """Of one traveller."""

    def __init__(self, traveller: Traveller) -> None:
        self._traveller = traveller
        self._trail = traveller.trail

    def _begin(self, order: Fork, checkpoint: Checkpoint | None) -> Pipe:
        """From a checkpoint, or from the start. Raises Gone."""
        stem = checkpoint.stem if checkpoint is not None else self._traveller.stem
        if stem is None:
            raise Gone("the runs have nothing to begin from any more")
        try:
            return stem.run(order)
        except Closed:
            raise Gone("the runs have nothing to begin from any more") from None

    # ------------------------------------------------------------ talking at a step

    def visit(self, step: int, link: DebugLink, ask: Callable[[Goes], bool]) -> Goes:
        """Be at a step, until a command leads elsewhere. `ask` answers one that does not, or gives False.
        Raises
        Gone, Parted."""
        pipe, pid = self.arrive(step)
        try:
            link.completer = lambda line: _completed(pipe, line)
            return _talk(pipe, link, ask)
        except Closed:
            raise Gone("the process at that step has ended") from None
        finally:
            link.completer = None
            pipe.close()
            _end(pid)

    def arrive(self, step: int) -> tuple[Pipe, int]:
        """A run that stands at a step, and its process, which is the caller's to end. A checkpoint from which
        the run goes another way is of no use any more. Raises Gone, Parted."""
        for checkpoint in self._traveller.nearest(step)[:_TRIES]:
            try:
                return self._arrive(step, checkpoint)
            except Interrupted:
                raise
            except (Gone, Parted):
                self._traveller.drop(checkpoint)
        return self._arrive(step, None)

    def _arrive(self, step: int, checkpoint: Checkpoint | None) -> tuple[Pipe, int]:
        pipe = self._begin(Fork(stop=step), checkpoint)
        try:
            arrived, _ = pipe.receive(Arrived | Ran)
        except Closed:
            pipe.close()
            raise Gone("the process at that step has ended") from None
        place = self._trail.place(step)
        if isinstance(arrived, Ran) and arrived.steps < 0:
            pipe.close()
            raise Interrupted("the run to that step was interrupted")
        if isinstance(arrived, Arrived):
            if (arrived.file, arrived.line) == (place.file, place.line):
                return pipe, arrived.pid
            _end(arrived.pid)
        pipe.close()
        raise Parted(-1 if checkpoint is not None else self._parting())

    # ------------------------------------------------------------ looking at a whole run

    def changes(
        self, expressions: list[str], frame: int, until: int, *, by_value: bool = True
    ) -> tuple[list[list[Change]], int]:
        """By expression, the changes of its value in a frame up to a step, oldest first; and how many older
        ones were left out. The number of all steps: up to where the frame was left. Raises Gone."""
        until = min(until, len(self._trail) - self._trail.cut)
        order = Fork(frame=frame, watch=expressions, until=until, by_value=by_value)
        seen = self._seen(order, frame)
        found: list[list[Change]] = [[] for _ in expressions]
        for change in seen.changes:
            if 0 <= change.expression < len(found):
                found[change.expression].append(change)
        return found, seen.left_out

    def returned(self, frames: list[int]) -> list[Change | None]:
        """By frame, what it has given back; None: it has not come to its end. Raises Gone."""
        if not frames:
            return []
        found: list[Change | None] = [None] * len(frames)
        for change in self._seen(Fork(frames=frames), min(frames)).changes:
            if 0 <= change.expression < len(found):
                found[change.expression] = change
        return found

    def explained(
        self, expression: str = "", frame: int = -1, until: int = -1, failure: BaseException | None = None
    ) -> Why:
        """Where an expression in a frame has its value before a step from; without one what a line has
        stumbled over: that of a step, or that which fails. `failure`: go on to it, and compare them. Raises
        Gone, Elsewhere."""
        watch = [expression] if expression else []
        end = until if until >= 0 else len(self._trail)
        since = max(end - _JOURNAL_STEPS, 0)
        stop = -1
        if failure is not None:
            until, stop = -1, until
        order = Fork(stop=stop, frame=frame, watch=watch, until=until, explain=True, since=since)
        pipe = self._begin(order, None)
        try:
            found: Why = pipe.receive(Why)[0]
        except Closed:
            raise Gone("the run that was to be followed was ended") from None
        finally:
            pipe.close()
        self._compare(found, since, until, failure)
        return found

    def _compare(self, found: Why, since: int, until: int, failure: BaseException | None) -> None:
        """What was found is of the run that was asked about. Raises Elsewhere."""
        trail = self._trail
        went = array("Q")
        went.frombytes(found.went)
        end = len(trail) if until < 0 else until + 1
        expected = trail.steps[since:end]
        if trail.cut:
            went = went[: len(expected)]
        same = first_difference(expected, went)
        if same < max(len(expected), len(went)):
            raise Elsewhere(since + same)
        if failure is not None:
            should = endings(failure, self._traveller.own)
            parted = differing(found.ended, should)
            if parted is not None:
                raise Elsewhere(len(trail), *parted)

    def _seen(self, order: Fork, frame: int) -> Seen:
        """What a run finds that has `frame` from its beginning on."""
        wanted = min(order.until, len(self._trail) - 1) if order.frame >= 0 else len(self._trail) - 1
        for checkpoint in self._traveller.nearest_to_frame(frame)[:_TRIES]:
            try:
                seen = self._seen_from(order, checkpoint)
                if seen.steps > wanted:
                    return seen
            except Interrupted:
                raise
            except Gone:
                pass
            self._traveller.drop(checkpoint)
        return self._seen_from(order, None)

    def _seen_from(self, order: Fork, checkpoint: Checkpoint | None) -> Seen:
        pipe = self._begin(order, checkpoint)
        try:
            seen = pipe.receive(Seen | Ran)[0]
        except Closed:
            raise Gone("the run that was to be watched was ended") from None
        finally:
            pipe.close()
        if isinstance(seen, Ran):
            raise Interrupted("the run was interrupted")
        found: Seen = seen
        return found

    def parting(self) -> int | None:
        """Run once more: the first step at which it is elsewhere than the trail; None: nowhere. Raises
        Gone."""
        step = self._parting()
        return None if step == len(self._trail) else step

    def _parting(self) -> int:
        pipe = self._begin(Fork(), None)
        try:
            other, _ = pipe.receive(Trailed)
        except Closed:
            raise Gone("another run has ended early") from None
        finally:
            pipe.close()
        steps = array("Q")
        steps.frombytes(other.steps)
        return first_difference(self._trail.steps, steps)


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def first_difference(first: array[int], second: array[int]) -> int:
    """The first index at which two arrays differ; the shorter one's length if one begins the other."""
    low, high = 0, min(len(first), len(second))
    while low < high:  # the beginnings that are equal get longer, until one is not
        middle = (low + high + 1) // 2
        if first[:middle] == second[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _talk(pipe: Pipe, link: DebugLink, ask: Callable[[Goes], bool]) -> Goes:
    while True:
        message, _ = pipe.receive(Text | Prompt | Goes | Offer)
        if isinstance(message, Goes):
            if not ask(message):
                return message
            pipe.send(Answered())
        if isinstance(message, Text):
            link.write(message.text)
        elif isinstance(message, Prompt):
            pipe.send(Line(link.read_line()))


def _completed(pipe: Pipe, line: str) -> tuple[int, list[str]]:
    try:
        pipe.send(Complete(line))
        if pipe.ready(_COMPLETE_S):
            offer, _ = pipe.receive(Offer)
            return offer.start, offer.items
    except Closed:
        pass
    return len(line), []
