"""A Redis stream as a source: XREADGROUP, XACK, and XAUTOCLAIM of what others have left."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from relive_platform.triggers.pull.connector import Lag, Record
from relive_platform.triggers.pull.redis.config import RedisTrigger
from relive_platform.triggers.pull.shapes import as_text

__all__ = ["RedisConnector"]

_CONNECT_S: Final = 10.0
_CLAIM_EVERY_S: Final = 10.0
_TRACE: Final = ("traceparent", "tracestate", "baggage")
_HEALTH_S: Final = 15
Entry = tuple[bytes, Mapping[bytes, bytes] | None]


class RedisConnector:
    """One consumer of a group, named after this machine: after a restart it finds what it held."""

    keep_s = 600.0
    answer_s = 60.0

    def __init__(self, trigger: RedisTrigger, address: str, tag: str) -> None:
        import redis.asyncio as redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import ResponseError

        self._refused = ResponseError
        self._trigger = trigger
        self._group = trigger.group or f"relive-{tag}"
        self._consumer = socket.gethostname()
        self.extend_s = trigger.claim_after_s / 3
        self._redis = redis.Redis.from_url(
            address,
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=_CONNECT_S * 3,
            health_check_interval=_HEALTH_S,
            client_name="relive",
            retry=Retry(NoBackoff(), 0),  # the puller begins anew, with what it had fetched
        )
        self._left: bytes | None = b"0"  # what a process before had fetched, read up to here
        self._held: set[bytes] = set()
        self._claim_cursor = b"0-0"
        self._claim_at = 0.0
        self._deleted = 0  # entries that were gone before we got them
        self._trimmed = 0

    async def open(self) -> None:
        """Make the group, and the stream if there is none."""
        begin = "0" if self._trigger.start == "oldest" else "$"
        try:
            await self._redis.xgroup_create(self._trigger.stream, self._group, begin, mkstream=True)
        except self._refused as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def fetch(self, count: int, wait_s: float, full: frozenset[str]) -> list[Record]:
        """What a process before had fetched, then what others have left, then what is new."""
        if self._left is not None:
            entries = await self._read(self._left, count, None)
            self._left = entries[-1][0] if entries else None
            if entries:
                return await self._records(entries)
        now = time.monotonic()
        if now >= self._claim_at:
            self._claim_at = now + min(_CLAIM_EVERY_S, self.extend_s)
            if entries := await self._claim(count):
                self._claim_at = 0.0
                return await self._records(entries)
        return await self._records(await self._read(b">", count, int(wait_s * 1000)))

    async def _read(self, after: bytes, count: int, block_ms: int | None) -> list[Entry]:
        found: Any = await self._redis.xreadgroup(
            self._group, self._consumer, {self._trigger.stream: after}, count=count, block=block_ms
        )
        streams = found.items() if isinstance(found, dict) else found or ()
        return [(entry[0], entry[1]) for _, entries in streams for entry in _flat(entries)]

    async def _claim(self, count: int) -> list[Entry]:
        idle_ms = int(self._trigger.claim_after_s * 1000)
        cursor, entries, *_ = await self._redis.xautoclaim(
            self._trigger.stream, self._group, self._consumer, idle_ms, self._claim_cursor, count=count
        )
        self._claim_cursor = cursor
        return [(entry[0], entry[1]) for entry in entries if entry[0] not in self._held]

    async def _records(self, entries: Sequence[Entry]) -> list[Record]:
        records = []
        gone = []
        for ident, fields in entries:
            if not fields:  # deleted or trimmed since it was given to us
                gone.append(ident)
                continue
            self._held.add(ident)
            records.append(_record(self._trigger.stream, ident, fields))
        if gone:
            self._deleted += len(gone)
            await self._redis.xack(self._trigger.stream, self._group, *gone)
        return records

    def holds(self, record: Record) -> bool:
        return True

    async def ack(self, records: Sequence[Record]) -> None:
        idents = [record.handle for record in records]
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xack(self._trigger.stream, self._group, *idents)
            if self._trigger.delete:
                pipe.xdel(self._trigger.stream, *idents)
            await pipe.execute()
        self._held.difference_update(idents)

    async def nak(self, records: Sequence[Record]) -> None:
        """They stay pending for this consumer: it reads them first when it comes back."""

    async def extend(self, records: Sequence[Record]) -> None:
        idents = [record.handle for record in records]
        await self._redis.xclaim(self._trigger.stream, self._group, self._consumer, 0, idents, justid=True)

    async def lag(self) -> Lag:
        stream = await self._redis.xinfo_stream(self._trigger.stream)
        group: Mapping[str, Any] = {}
        for found in await self._redis.xinfo_groups(self._trigger.stream):
            if _text(found["name"]) == self._group:
                group = found
        unread = group.get("lag")
        pending = int(group.get("pending", 0))
        if unread is not None and int(unread) > int(stream["length"]):
            self._trimmed = max(int(unread) - int(stream["length"]), self._trimmed)
        details = {"length": stream["length"], "group": self._group, "pending": pending}
        behind = None if unread is None else int(unread) + pending
        return Lag(behind, "records", self._warning(int(stream["length"])), details)

    def _warning(self, length: int) -> str:
        if self._trimmed:
            return f"{self._trimmed:,} entries were trimmed before they were read: raise MAXLEN"
        if self._deleted:
            return f"{self._deleted:,} entries were deleted before they were taken"
        if length >= self._trigger.warn_length:
            return f"the stream has {length:,} entries: XADD with MAXLEN, or delete = true, keeps it small"
        return ""

    def envelope(self, records: Sequence[Record], encoded: Sequence[Any]) -> Any:
        return {"eventSource": "relive:redis", "stream": self._trigger.stream, "records": list(encoded)}

    async def close(self) -> None:
        await self._redis.aclose()


def _flat(entries: Any) -> Any:
    """Of one stream; newer protocols of Redis wrap its entries in one more list."""
    if len(entries) == 1 and isinstance(entries[0], list) and entries[0] and isinstance(entries[0][0], tuple):
        return entries[0]
    return entries


def _record(stream: str, ident: bytes, fields: Mapping[bytes, bytes]) -> Record:
    texts: dict[str, str] = {}
    coded: list[str] = []
    digest = hashlib.blake2b(digest_size=4)
    for name, value in fields.items():
        digest.update(name + b"\0" + value + b"\0")
        key = name.decode("utf-8", "backslashreplace")
        text = as_text(value)
        if text is None:
            text = base64.b64encode(value).decode()
            coded.append(key)
        texts[key] = text
    entry = ident.decode()
    millis = int(entry.partition("-")[0])
    when = _time(millis)
    data: dict[str, Any] = {"stream": stream, "id": entry, "timestamp": when, "fields": texts}
    if coded:
        data["base64Fields"] = coded
    traced: dict[str, str] = {key: texts[key] for key in _TRACE if key in texts and key not in coded}
    return Record(
        mark=f"{entry}:{digest.hexdigest()}",
        data=data,
        contents=("fields",),
        type="redis.stream.entry",
        source=f"/redis/{stream}",
        subject=entry,
        time=when,
        payload=texts,
        handle=ident,
        traceparent=traced.get("traceparent", ""),
        tracestate=traced.get("tracestate", ""),
        baggage=traced.get("baggage", ""),
    )


def _time(millis: int) -> str:
    try:
        return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    except (OverflowError, ValueError, OSError):  # an id that a producer has made up
        return ""


def _text(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
