"""Queues as resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from relive_platform.resources.base import (
    Declared,
    ResourceConfig,
    ResourceError,
    ResourceInUse,
    ResourceState,
)
from relive_platform.resources.queue.config import QueueConfig, aws_name
from relive_platform.resources.queue.model import QueueInfo, Redrive
from relive_platform.resources.queue.naming import QueueNaming
from relive_platform.resources.queue.queues import MessageQueues

__all__ = ["QueueProvider"]


class QueueProvider:
    """`environment`: what functions need to talk to queues by SQS's API, for an application."""

    def __init__(
        self,
        queues: MessageQueues,
        naming: QueueNaming,
        environment: Callable[[str], Mapping[str, str]] = lambda app: {},
    ) -> None:
        self._queues = queues
        self._naming = naming
        self._environment = environment

    async def apply(self, declared: Sequence[Declared]) -> None:
        """Make them, and let go of what is declared no more. Raises ResourceError."""
        wanted = [_info(entry) for entry in declared]
        known = {info.name: info for info in await self._queues.infos()}
        for info in wanted:
            old = known.get(info.name)
            if old is not None and old.fifo != info.fifo:
                kind = "FIFO" if old.fifo else "standard"
                raise ResourceError(f"the queue {info.name} is a {kind} queue", hint="give it another name")
        await self._queues.declare(wanted)

    def attributes(self, name: str, config: ResourceConfig) -> Mapping[str, str]:
        """URL, ARN, and the name that SQS knows it by."""
        assert isinstance(config, QueueConfig)
        known = aws_name(name, fifo=config.fifo)
        return {"url": self._naming.url(known), "arn": self._naming.arn(known), "name": known}

    def environment(self, app: str) -> Mapping[str, str]:
        """Endpoint, region and credentials."""
        return self._environment(app)

    async def start(self) -> None:
        """Open what is there."""
        await self._queues.open(make=False)

    async def close(self) -> None:
        """The file is closed by whoever has made it."""
        self._queues.stop()

    async def listing(self) -> Sequence[ResourceState]:
        """All queues."""
        return [await self._state(info) for info in await self._queues.infos()]

    async def _state(self, info: QueueInfo) -> ResourceState:
        counts = await self._queues.counts(info.name)
        figures: dict[str, str | int | float | None] = {
            "messages": counts.visible,
            "in_flight": counts.in_flight,
            "delayed": counts.delayed,
            "oldest_s": round(counts.oldest_s, 3),
            "lag_s": round(counts.lag_s, 3),
            "size_bytes": counts.bytes,
            "sent": counts.sent,
            "received": counts.received,
            "deleted": counts.deleted,
            "dead": counts.dead,
            "expired": counts.expired,
        }
        redrive = info.redrive
        if redrive is not None:
            figures["dead_letter"] = f"{redrive.queue} after {redrive.max_receives} receives"
        return ResourceState(
            name=info.resource or info.name,
            type="queue",
            app=info.app,
            state="ok" if info.declared or not info.resource else "undeclared",
            detail="queue, fifo" if info.fifo else "queue",
            attributes={
                "url": self._naming.url(info.name),
                "arn": self._naming.arn(info.name),
                "name": info.name,
            },
            figures=figures,
        )

    async def purge(self, name: str) -> int:
        """Delete all its messages."""
        return await self._queues.purge(await self._known(name), often=True)

    async def delete(self, name: str) -> None:
        """The queue and all its messages."""
        known = await self._known(name)
        info = await self._queues.info(known)
        if info.declared:
            raise ResourceInUse(f"application {info.app!r} declares the queue {name!r}")
        await self._queues.delete_queue(known)

    async def _known(self, name: str) -> str:
        """SQS's name of a resource."""
        for info in await self._queues.infos():
            if name in (info.resource, info.name):
                return info.name
        return name


def _info(entry: Declared) -> QueueInfo:
    """What a declaration says. Zero limits are the server's."""
    config = entry.config
    assert isinstance(config, QueueConfig)
    redrive = None
    if config.dead_letter:
        dead = aws_name(config.dead_letter, fifo=config.fifo)
        redrive = Redrive(queue=dead, max_receives=config.max_receive_count)
    return QueueInfo(
        name=aws_name(entry.name, fifo=config.fifo),
        resource=entry.name,
        app=entry.app,
        declared=True,
        fifo=config.fifo,
        visibility_timeout_s=config.visibility_timeout_s,
        delay_s=config.delay_s,
        retention_s=config.retention_s,
        wait_s=config.wait_s,
        max_message_bytes=config.max_message_bytes,
        content_deduplication=config.content_deduplication,
        redrive=redrive,
        max_messages=config.max_messages,
        max_bytes=config.max_bytes,
        wanted=msgspec.json.encode(config, order="deterministic").decode(),
    )
