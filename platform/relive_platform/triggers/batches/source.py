"""Queues of messages as a source of events: the mappings of the functions in service, and those that Lambda's
API has made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

import msgspec
from relive_base.wire.messages import FunctionSpec, SpanData

from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.resources.queue.config import QueueConfig, aws_name
from relive_platform.resources.queue.naming import QueueNaming
from relive_platform.resources.queue.queues import MessageQueues
from relive_platform.triggers.base import Served
from relive_platform.triggers.batches.filters import filter_of
from relive_platform.triggers.batches.mapping import MappingReport, QueueMapping
from relive_platform.triggers.batches.poller import Poller
from relive_platform.triggers.batches.tracing import tell_spans
from relive_platform.triggers.pull.state import SourceState
from relive_platform.triggers.queue.config import QueueTrigger

__all__ = ["BatchSource"]

_CLOSE_S: Final = 0.5  # the server has waited for what runs before


class BatchSource:
    """`on_span` takes the spans of messages."""

    def __init__(
        self,
        queues: MessageQueues,
        submit: Callable[[InvokeRequest], Awaitable[Outcome]],
        naming: QueueNaming,
        on_span: Callable[[FunctionSpec, str, SpanData, bool], None],
    ) -> None:
        self._queues = queues
        self._submit = submit
        self._naming = naming
        self._on_span = on_span
        self._specs: dict[str, FunctionSpec] = {}
        self._declared: list[QueueMapping] = []
        self._made: list[QueueMapping] = []
        self._pollers: dict[str, Poller] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._running = False
        self.named: dict[str, str] = {}  # SQS's names of the queues that functions know, by their own

    async def apply(self, functions: Sequence[Served]) -> None:
        """These functions are in service from now on."""
        self._specs = {function.name: function.spec for function in functions}
        self.named = {
            name: aws_name(name, fifo=config.fifo)
            for function in functions
            for name, config in function.config.resources.items()
            if isinstance(config, QueueConfig)
        }
        self._declared = [mapping for function in functions for mapping in _mappings(function)]
        self._follow()

    async def apply_mappings(self, mappings: Sequence[QueueMapping]) -> None:
        """These are the mappings that Lambda's API has made."""
        self._made = list(mappings)
        self._follow()

    async def start(self) -> None:
        """Receive."""
        self._running = True
        self._follow()

    async def stop(self) -> None:
        """Receive nothing more; what runs goes on."""
        self._running = False
        for poller in self._pollers.values():
            poller.stop()

    async def close(self) -> None:
        """Let go of everything."""
        await self.stop()
        await asyncio.gather(*(poller.close(_CLOSE_S) for poller in self._pollers.values()))
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        self._pollers = {}

    def reports(self) -> list[MappingReport]:
        """How each mapping does."""
        found = [poller.report for poller in self._pollers.values()]
        for mapping in (*self._declared, *self._made):
            if mapping.uuid not in self._pollers:
                report = MappingReport(
                    uuid=mapping.uuid,
                    function=mapping.function,
                    queue=mapping.queue,
                    enabled=mapping.enabled,
                    problem=mapping.problem,
                )
                found.append(report)
        return found

    def describe(self) -> list[SourceState]:
        """How each is doing."""
        return [_state(report) for report in self.reports()]

    def report(self, uuid: str) -> MappingReport | None:
        """How one does."""
        return next((report for report in self.reports() if report.uuid == uuid), None)

    def _follow(self) -> None:
        """Have a poller at work for each mapping that is enabled; what changed is replaced."""
        if not self._running:
            return
        all_of_them = (*self._declared, *self._made)
        wanted = {one.uuid: one for one in all_of_them if one.enabled and not one.problem}
        for uuid, poller in list(self._pollers.items()):
            if wanted.get(uuid) != poller.mapping:
                del self._pollers[uuid]
                task = asyncio.get_running_loop().create_task(self._leave(poller))
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)
        for uuid, mapping in wanted.items():
            if uuid not in self._pollers:
                tell = tell_spans(mapping, self._specs.get, self._on_span)
                matches = filter_of(mapping.filters, self._naming)
                poller = Poller(mapping, self._queues, self._submit, self._naming, tell, matches)
                self._pollers[uuid] = poller
                poller.start()

    async def _leave(self, poller: Poller) -> None:
        spec = self._specs.get(poller.mapping.function)
        await poller.close((spec.timeout_s if spec is not None else 0.0) + _CLOSE_S)


def _state(report: MappingReport) -> SourceState:
    state = "waiting" if report.problem else "running" if report.enabled else "abandoned"
    failed = f"{report.failed:,} of {report.messages:,} messages have failed" if report.failed else ""
    return SourceState(
        function=report.function,
        kind="queue",
        name=f"queue {report.queue}",
        state=state,
        error=report.problem,
        warning=failed,
        details=msgspec.to_builtins(report),
        held=report.held,
        fetched=report.messages + report.filtered,
        committed=report.messages - report.failed,
        omitted=report.filtered,
    )


def _mappings(function: Served) -> Iterator[QueueMapping]:
    for trigger in function.config.triggers:
        if not isinstance(trigger, QueueTrigger) or not trigger.batched:
            continue
        config = function.config.resources.get(trigger.queue)
        fifo = isinstance(config, QueueConfig) and config.fifo
        yield QueueMapping(
            uuid=f"{function.name}/{trigger.queue}",
            function=function.name,
            queue=aws_name(trigger.queue, fifo=fifo),
            batch_size=trigger.batch_size,
            batch_window_s=trigger.batch_window_s,
            max_concurrency=trigger.concurrency or function.config.max_workers,
            report_batch_item_failures=trigger.report_batch_item_failures,
            filters=trigger.filters,
        )
