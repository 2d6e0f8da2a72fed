"""Profiles: what was sampled of an attempt, and the stacks that it names for the first time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar

from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import Frame, Profile
from relive_profiler.explore.rows import StackCache, profile_columns, stack_columns

from relive_platform.signals.signal import Arrival, Flow, Rows, Signal

__all__ = ["ProfileSignal"]


class ProfileSignal(Signal):
    """Rows of `profiles` and `profile_stacks`."""

    message: ClassVar[type[Frame]] = Profile

    def __init__(self, resource: str = "") -> None:
        super().__init__(resource)
        self._stacks = StackCache()

    def redact(self, arrival: Arrival, redactor: Redactor) -> None:
        """There are names of code in it, and numbers."""

    def rows(self, flow: Flow) -> Iterable[Rows]:
        come = flow.arrivals[Profile]
        found = [(one.frame, one.record) for one in come if one.record is not None]
        if not found:
            return
        yield Rows("profiles", profile_columns(found))
        stacks = stack_columns(found, self._stacks, time.time_ns())
        if stacks["StackHash"]:
            yield Rows("profile_stacks", stacks)
