"""What there is to look at of a failure: exceptions, each with its frames, or a stack that was stopped."""

from __future__ import annotations

from dataclasses import dataclass
from types import FrameType, TracebackType

from relive_base.wire.inspection import STOPPED

from relive_runtime.debugger.chain import (
    exception_chain,
    exception_name,
    group_members,
    stack_frames,
    traceback_of,
    user_frames,
)

__all__ = ["View", "views_of"]


@dataclass(frozen=True, slots=True)
class View:
    """One exception, or the stopped stack: what `exceptions` calls it, and its frames."""

    name: str
    stack: list[tuple[FrameType, int]]
    error: BaseException | None = None

    @property
    def trace(self) -> TracebackType | None:
        return None if self.error is None else traceback_of(self.error)


def views_of(failure: BaseException | FrameType) -> tuple[list[View], int]:
    """All that there is to look at, and which of it is the failure itself. Members of groups come last."""
    if isinstance(failure, FrameType):
        return [View(STOPPED, stack_frames(failure))], 0
    chain = exception_chain(failure)
    named = [(exception_name(error), error) for error in chain]
    named += [(f"{relation}: {exception_name(error)}", error) for relation, error in group_members(chain)]
    views = [View(name, user_frames(error), error) for name, error in named]
    shown = [view for view in views if view.stack]
    last = views[len(chain) - 1]
    return shown, shown.index(last) if last in shown else 0
