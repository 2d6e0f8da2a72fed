"""What the server hands to the collector's process, and what comes back.

The items of a batch are frames of msgpack (`relive_base.wire.framing`), so that the same bytes go into
the server's journal and to the process. Rows and scenes are numbered apart, each from 1 in a run of a server:
a scene may take long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from relive_base.parts import PartState
from relive_base.records import InvocationRecord
from relive_base.wire.framing import framed, header, whole_frames
from relive_base.wire.messages import ErrorInfo

from relive_platform.evidence import Finished, SceneJob

__all__ = [
    "Ack",
    "Answered",
    "Batch",
    "Begun",
    "HeapJob",
    "Item",
    "Source",
    "Telemetry",
    "Tentative",
    "encode_begun",
    "encode_finished",
    "encode_item",
    "items_of",
]


class Source(msgspec.Struct, array_like=True, frozen=True):
    """The function version that telemetry comes from."""

    name: str
    version: int
    app: str = ""
    code_hash: str = ""
    redact_keys: list[str] = []
    instance: str = ""  # the worker's id
    resource: str = ""  # OTEL_RESOURCE_ATTRIBUTES of the function
    span_share: float = 1.0  # see Sampling
    span_slow_ms: int = 0


class Telemetry(msgspec.Struct, array_like=True, gc=False, tag="t"):
    """A Spans or Logs frame as the worker sent it."""

    source: msgspec.Raw  # a Source
    invocation_id: str
    attempt: int
    payload: bytes
    sampled: bool = True  # the flag of its trace


class Begun(msgspec.Struct, array_like=True, tag="b"):
    """An attempt was accepted: what is known of it if the server ends before it does. Only in the journal."""

    record: InvocationRecord


class Answered(msgspec.Struct, array_like=True, tag="a"):
    """The caller has its answer; the record follows with the attempt's last frame. Only in the journal."""

    invocation_id: str
    attempt: int
    status: str
    dispatched_ns: int
    started_ns: int
    ended_ns: int
    responded_ns: int
    http_status: int
    result_bytes: int
    worker_pid: int
    worker_id: int
    cold: bool = False
    error: ErrorInfo | None = None


class Tentative(msgspec.Struct, array_like=True, tag="p"):
    """The scene of an attempt that has been answered, as it would be if the server ended now. Only in the
    journal."""

    job: SceneJob


class HeapJob(msgspec.Struct, array_like=True, tag="h"):
    """A heap snapshot for a scene that was written before, or for a baseline. `folder` has the worker's
    files; who works on the job removes it."""

    record: InvocationRecord
    part: PartState
    folder: str = ""
    baseline: bool = False
    redact_keys: list[str] = []


Item = Telemetry | Finished | SceneJob | HeapJob | Begun | Answered | Tentative

_BEGUN: Final = b"\x92\xa1b"  # an array of a tag and a record
_FINISHED: Final = b"\x95\xa1f"
_NOTHING_MORE: Final = b"\x90\x90\x90"
_encoder = msgspec.msgpack.Encoder()
_item: msgspec.msgpack.Decoder[Item] = msgspec.msgpack.Decoder(Item)


def encode_item(item: Item) -> bytes:
    """With its length before it."""
    return framed(_encoder.encode(item))


def encode_begun(record: InvocationRecord) -> bytes:
    """As `encode_item(Begun(record))`, in half the time: there is one for each invocation."""
    body = _encoder.encode(record)
    return b"".join((header(len(_BEGUN) + len(body)), _BEGUN, body))


def encode_finished(item: Finished) -> bytes:
    """As `encode_item(item)`, in half the time if there is nothing but the record."""
    if item.profiles or item.redact_keys or item.span_updates:
        return encode_item(item)
    body = _encoder.encode(item.record)
    length = header(len(_FINISHED) + len(body) + len(_NOTHING_MORE))
    return b"".join((length, _FINISHED, body, _NOTHING_MORE))


def items_of(data: bytes | memoryview) -> Iterator[Item]:
    """Every item in `data`. Raises msgspec.DecodeError at the first that is none, FrameError if it is cut
    off."""
    return map(_item.decode, whole_frames(data))


class Batch(msgspec.Struct, array_like=True):
    """One message to the collector's process: rows (Telemetry and Finished) whose first one has number
    `first`, or scenes (SceneJob and HeapJob) likewise. `flush_s` > 0 asks to have everything in the store
    first. `end`: the server stops in order, nothing follows.

    `run`: whose items they are, 0: the run of the server that has started the process. `gone`: the process of
    that run was killed, and its journal is to be finished."""

    number: int
    first: int = 0
    rows: bytes = b""
    scenes: bytes = b""
    flush_s: float = 0.0
    end: bool = False
    rows_done: int = 0  # of number 0, the first message: what an earlier process has acknowledged
    scenes_done: int = 0
    run: int = 0
    gone: bool = False


class Ack(msgspec.Struct, array_like=True):
    """Where the collector's process stands: rows up to number `rows` and scenes up to number `scenes` of one
    run (0: of the server's own) are spooled, `number` is the last of its questions that was answered. The
    rest is for `relive status`."""

    number: int
    flushed: bool = True
    lag_s: float = 0.0
    buffered_rows: int = 0
    spooled_rows: int = 0
    written_rows: int = 0
    dropped_rows: int = 0
    last_error: str = ""
    otlp_sent: int = 0
    otlp_failed: int = 0
    otlp_dropped: int = 0
    scenes_written: int = 0
    scenes_failed: int = 0
    otlp_queued: int = 0
    otlp_error: str = ""
    otlp_skipped: int = 0
    otlp_off: str = ""
    rows: int = 0
    scenes: int = 0
    spool_full: float = 0.0  # from 0 to 1
    lost: int = 0  # attempts that a server before had begun and not ended
    stages: dict[str, tuple[int, int, int]] = {}  # of the pipeline: taken, dropped, late
    run: int = 0
