"""Timers as a source of events: those of the functions in service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

from relive_platform.triggers.base import Served
from relive_platform.triggers.timer.config import TimerTrigger
from relive_platform.triggers.timer.service import Timer, TimerService

__all__ = ["TimerSource"]


class TimerSource:
    """Its events go onto the durable queue, each with its timer's mark in one commit. What waits for a commit
    runs in `executor`."""

    def __init__(self, service: TimerService, executor: Executor) -> None:
        self._service = service
        self._executor = executor

    async def apply(self, functions: Sequence[Served]) -> None:
        """These functions are in service from now on."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._service.set_timers, _timers(functions))

    async def start(self) -> None:
        """Fire."""
        self._service.start()

    async def close(self) -> None:
        """Nothing fires any more."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._service.stop)


def _timers(functions: Sequence[Served]) -> list[Timer]:
    return [
        Timer(
            function=function.name,
            schedule=trigger.schedule,
            time_zone=trigger.time_zone,
            misfire=trigger.misfire,
            payload=trigger.payload,
            event=trigger.event,
            retries=function.config.retries,
            max_age_s=function.config.max_age_s,
        )
        for function in functions
        for trigger in function.config.triggers
        if isinstance(trigger, TimerTrigger)
    ]
