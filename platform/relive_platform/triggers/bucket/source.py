"""What has changed in buckets becomes events of the functions that want to know."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence

from relive_base.traceparent import parse_traceparent

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.resources.bucket.objects import notes_of
from relive_platform.resources.bucket.watch import Change
from relive_platform.triggers.base import Served
from relive_platform.triggers.bucket.config import CREATED, REMOVED, BucketTrigger
from relive_platform.triggers.bucket.events import ObjectEvent, shaped
from relive_platform.triggers.pull.state import SourceState
from relive_platform.triggers.queue.publisher import Accepted

__all__ = ["BucketSource"]

Publish = Callable[[InvokeRequest, str], Awaitable[Accepted]]


class BucketSource:
    """Runs on the event loop. `publish`: the way onto the durable queue, given before the first change."""

    publish: Publish

    def __init__(self) -> None:
        self._wanted: dict[str, list[tuple[str, BucketTrigger]]] = {}

    async def apply(self, functions: Sequence[Served]) -> None:
        """These functions are in service from now on."""
        wanted: dict[str, list[tuple[str, BucketTrigger]]] = {}
        for function in functions:
            for trigger in function.config.triggers:
                if isinstance(trigger, BucketTrigger):
                    wanted.setdefault(trigger.bucket, []).append((function.name, trigger))
        self._wanted = wanted

    async def start(self) -> None:
        """The buckets' provider tells."""

    async def close(self) -> None:
        """The buckets' provider tells."""

    def describe(self, standing: Callable[[str], tuple[str, int, float, int]]) -> list[SourceState]:
        """How they stand; `standing` gives of a bucket what is wrong, what waits, for how long, what was
        told."""
        found = []
        for bucket, wanted in self._wanted.items():
            error, waiting, lag_s, told = standing(bucket)
            found += [
                SourceState(
                    function,
                    "bucket",
                    trigger.describe(),
                    "failed" if error else "running",
                    error,
                    waiting,
                    "objects",
                    details={"lag_s": round(lag_s, 3)},
                    committed=told,
                )
                for function, trigger in wanted
            ]
        return found

    async def tell(self, change: Change) -> None:
        """Returns when each function that wants it has the event durably. Its id is made of what has changed:
        told again, it is the same event. Raises what the queue refuses it with."""
        name = CREATED if change.identity is not None else REMOVED
        key = os.fsdecode(change.key)
        fitting: dict[str, str] = {}
        for function, trigger in self._wanted.get(change.bucket, ()):
            if trigger.wants(name, key):
                fitting.setdefault(function, trigger.shape)
        if not fitting:
            return
        etag = trace = ""
        if change.identity is not None:
            etag, trace = await asyncio.to_thread(notes_of, change.root, change.key, change.identity)
        ident = _ident(change, name)
        event = ObjectEvent(
            name=name,
            ident=ident,
            bucket=change.bucket,
            key=change.key,
            time_ns=change.identity.mtime_ns if change.identity is not None else time.time_ns(),
            size=change.identity.size if change.identity is not None else None,
            etag=etag,
        )
        await asyncio.gather(
            *(self._send(function, event, shape, trace) for function, shape in fitting.items())
        )

    async def _send(self, function: str, event: ObjectEvent, shape: str, trace: str) -> None:
        request = InvokeRequest(
            function=function,
            event=json.dumps(shaped(event, shape)).encode(),
            trigger="bucket",
            attributes={
                "faas.document.collection": event.bucket,
                "faas.document.operation": "insert" if event.size is not None else "delete",
                "faas.document.name": os.fsdecode(event.key).encode("utf-8", "replace").decode(),
            },
        )
        found = parse_traceparent(trace)
        if found is not None:
            request.trace_id, request.parent_span_id, request.sampled = (
                found.trace_id,
                found.span_id,
                found.sampled,
            )
        await self.publish(request, f"bucket-{event.ident}")


def _ident(change: Change, name: str) -> str:
    """Of a change: another one of the same object has another one."""
    known = change.identity if change.identity is not None else change.before
    text = "\0".join((change.bucket, name, *map(str, known or ()))).encode() + b"\0" + change.key
    return hashlib.blake2b(text, digest_size=16).hexdigest()
