"""Queues by name: which function works on their events."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from relive_platform.triggers.base import Served
from relive_platform.triggers.queue.config import QueueTrigger

__all__ = ["QueueNames"]


class QueueNames:
    """Of the functions in service."""

    def __init__(self) -> None:
        self._functions: dict[str, str] = {}

    def apply(self, functions: Sequence[Served]) -> None:
        """These are in service from now on."""
        self._functions = {
            trigger.queue: function.name
            for function in functions
            for trigger in function.config.triggers
            if isinstance(trigger, QueueTrigger) and not trigger.batched
        }

    def names(self) -> Collection[str]:
        """Of all queues."""
        return self._functions

    def function_of(self, queue: str) -> str:
        """The function's name; "" if no queue is called so."""
        return self._functions.get(queue, "")
