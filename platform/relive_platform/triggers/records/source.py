"""Takes records from the collector's outbox and makes events of them, for the functions that want to hear of
them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError
from relive_base.wire.messages import FunctionSpec, SpanLink

from relive_platform.engine.errors import UnknownFunction
from relive_platform.engine.invocation import InvokeRequest
from relive_platform.subscriptions.outbox import Entry, Outbox
from relive_platform.subscriptions.rules import write_rules
from relive_platform.triggers.base import Served
from relive_platform.triggers.pull.state import SourceState
from relive_platform.triggers.queue.publisher import Accepted
from relive_platform.triggers.records.config import FailureTrigger, LogsTrigger
from relive_platform.triggers.records.events import failure_event, logs_event

__all__ = ["RecordSource"]

_log = logging.getLogger(__name__)
Publish = Callable[[InvokeRequest, str, FunctionSpec | None, bytes], Awaitable[Accepted]]
_ROUND_S: Final = 0.25
_AGAIN_S: Final = 1.0
_WINDOW_S: Final = 0.5  # what comes within it is one event, unless it is much
_SEAL_BYTES: Final = 4 * 1_048_576
_LINKS: Final = 128
_LINES: Final = 1_000  # of one event at most
_EVENT_BYTES: Final = 256 * 1_024  # of its lines' text, before they are packed


@dataclass(slots=True)
class RecordCounts:
    """Since the server started."""

    events: int = 0
    records: int = 0
    orphans: int = 0  # of functions that are gone


class RecordSource:
    """Runs on the event loop; files are read in threads. `publish`: the way onto the durable queue, given
    before the first record."""

    publish: Publish

    def __init__(self, outbox: Path, depth_of: Callable[[str], int] = lambda _: 0) -> None:
        """`depth_of`: how many functions lie above an invocation that has lately run. What hears of it lies
        one deeper, so that functions that set each other off in a circle are found."""
        self.counts = RecordCounts()
        self._depth_of = depth_of
        self._outbox = Outbox(outbox)
        self._rules_file = outbox.with_suffix(".json")
        self._triggers: dict[str, tuple[str, LogsTrigger | FailureTrigger]] = {}
        self._task: asyncio.Task[None] | None = None
        self._lag_s = 0.0
        self._behind = 0
        self._problem = ""
        self._refused = ""  # in this round

    @property
    def lag_s(self) -> float:
        """How old the oldest record is that is no event yet."""
        return self._lag_s

    async def apply(self, functions: Sequence[Served]) -> None:
        """These functions are in service from now on."""
        triggers = {}
        rules = []
        for function in functions:
            for trigger in function.config.triggers:
                if isinstance(trigger, LogsTrigger | FailureTrigger):
                    rule = trigger.rule(function.name)
                    triggers[rule.ident] = function.name, trigger
                    rules.append(rule)
        self._triggers = triggers
        if rules or self._rules_file.exists():
            await asyncio.to_thread(write_rules, self._rules_file, rules)

    def describe(self) -> list[SourceState]:
        """How far they are. What is behind are bytes of records of all of them, which are no events yet."""
        state = "blocked" if self._problem else "running"
        return [
            SourceState(
                function,
                "logs" if isinstance(trigger, LogsTrigger) else "failure",
                trigger.describe(),
                state,
                self._problem,
                self._behind,
                "bytes",
                details={"lag_s": round(self.lag_s, 3), "orphans": self.counts.orphans},
                committed=self.counts.records,
            )
            for function, trigger in self._triggers.values()
        ]

    async def start(self) -> None:
        """Take what waits, then look for more."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop; what waits stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._round()
                text = self._refused
            except Exception as error:  # whatever it is: the files are there at the next look
                text = error.message if isinstance(error, ReliveError) else f"{type(error).__name__}: {error}"
            if text and text != self._problem:
                _log.error("records are not delivered yet: %s", text)
            self._problem = text
            pause = _AGAIN_S if text else _ROUND_S
            await asyncio.sleep(pause)

    async def _round(self) -> None:
        self._refused = ""
        for path in await asyncio.to_thread(self._take):
            entries = await asyncio.to_thread(self._outbox.entries, path)
            left = await self._deliver(path.stem, entries)
            if not left:
                await asyncio.to_thread(self._outbox.done, path)
            elif len(left) < len(entries):
                await asyncio.to_thread(self._outbox.keep, path, left)

    def _take(self) -> list[Path]:
        """Sealed files, with one more of what has waited long enough, or is much."""
        sealed = self._outbox.sealed()
        waiting = self._outbox.waiting()
        self._behind = sum(size for _, size, _ in waiting)
        self._lag_s = 0.0
        if not waiting:
            return sealed
        now, oldest = time.time(), waiting[0][2]
        self._lag_s = max(now - oldest, 0.0)
        if self._behind <= _SEAL_BYTES and 0.0 <= now - oldest < _WINDOW_S:
            return sealed
        paths: list[Path] = []
        room = _SEAL_BYTES
        for path, size, _ in waiting:
            if paths and size > room:
                break
            paths.append(path)
            room -= size
        return [*sealed, self._outbox.seal(paths)]

    async def _deliver(self, batch: str, entries: Sequence[Entry]) -> list[Entry]:
        """Gives the entries of functions that take no more now: they keep no other's back."""
        left: list[Entry] = []
        ordered = sorted(entries, key=lambda one: (one.rule, one.function, one.instance, one.timestamp_ns))
        for rule, group in groupby(ordered, key=lambda one: one.rule):
            found = self._triggers.get(rule)
            chosen = list(group)
            if found is None:
                self.counts.orphans += len(chosen)
                continue
            function, trigger = found
            try:
                if isinstance(trigger, FailureTrigger):
                    for entry in chosen:
                        await self._tell_failure(function, rule, entry)
                else:
                    await self._tell_lines(function, rule, trigger, batch, chosen)
            except UnknownFunction:
                self.counts.orphans += len(chosen)
            except ReliveError as error:
                self._refused = f"{function}: {error.message}"
                left += chosen
            else:
                self.counts.records += len(chosen)
        return left

    async def _tell_failure(self, function: str, rule: str, entry: Entry) -> None:
        event = failure_event(entry)
        request = InvokeRequest(
            function=function,
            event=json.dumps(event).encode(),
            trigger="failure",
            trace_id=entry.trace_id,
            parent_span_id=entry.span_id,
            depth=self._depth_of(entry.invocation_id) + 1,
            attributes={"relive.failed_invocation_id": entry.invocation_id},
        )
        key = _key(rule, event["id"])
        await self.publish(request, key, None, key.encode())
        self.counts.events += 1

    async def _tell_lines(
        self, function: str, rule: str, trigger: LogsTrigger, batch: str, entries: Sequence[Entry]
    ) -> None:
        for (name, instance), group in groupby(entries, key=lambda one: (one.function, one.instance)):
            for number, lines in enumerate(_chunks(list(group))):
                event = await asyncio.to_thread(logs_event, lines, rule, trigger.shape)
                traces = {entry.trace_id for entry in lines}
                of_one = len(traces) == 1
                request = InvokeRequest(
                    function=function,
                    event=json.dumps(event).encode(),
                    trigger="logs",
                    trace_id=lines[0].trace_id if of_one else "",
                    parent_span_id=lines[0].span_id if of_one else "",
                    links=[] if of_one else _links(lines),
                    depth=max(self._depth_of(entry.invocation_id) for entry in lines) + 1,
                    attributes={"relive.logs.function": name, "relive.logs.lines": str(len(lines))},
                )
                key = _key(rule, batch, name, instance, str(number))
                await self.publish(request, key, None, key.encode())
                self.counts.events += 1


def _links(lines: Sequence[Entry]) -> list[SpanLink]:
    """To the spans in which they were written, some of them if there are many."""
    spans = dict.fromkeys((one.trace_id, one.span_id) for one in lines if one.trace_id and one.span_id)
    return [SpanLink(trace_id, span_id) for trace_id, span_id in list(spans)[:_LINKS]]


def _chunks(entries: list[Entry]) -> Iterator[list[Entry]]:
    chunk: list[Entry] = []
    size = 0
    for entry in entries:
        if chunk and (len(chunk) >= _LINES or size + len(entry.body) > _EVENT_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(entry)
        size += len(entry.body)
    yield chunk


def _key(*parts: str) -> str:
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
    return f"records-{digest}"
