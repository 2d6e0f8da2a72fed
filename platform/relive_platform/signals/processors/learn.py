"""Stacks are sent once, and scenes of later failures need their frames again."""

from __future__ import annotations

from relive_base.wire.messages import Profile

from relive_platform.evidence import StackMemory
from relive_platform.signals.signal import Counts, Flow

__all__ = ["LearnStacks"]


class LearnStacks:
    """Keeps the frames of new stacks in `memory`, which is bounded."""

    def __init__(self, memory: StackMemory) -> None:
        self.counts = Counts()
        self._memory = memory

    def __call__(self, flow: Flow) -> None:
        for arrival in flow.arrivals[Profile]:
            if arrival.frame.new_stacks:
                self._memory.learn(arrival.ref.name, arrival.frame)
                self.counts.taken += 1
