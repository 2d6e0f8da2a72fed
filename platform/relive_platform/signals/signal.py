"""What a signal is: a message of the workers, what is taken of it, what is secret in it, and its rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import msgspec
from relive_base.records import InvocationRecord
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import Frame
from relive_tracer.explore.rows import FunctionRef

from relive_platform.evidence import Finished, Take

__all__ = ["Arrival", "Columns", "Counts", "Flow", "Rows", "Sampling", "Signal", "ref_of"]

Columns = Mapping[str, Sequence[object]]


class Rows(NamedTuple):
    """Columns of one table. `otlp`: the signal by which they are exported, "" if they are not."""

    table: str
    columns: Columns
    otlp: str = ""


@dataclass(slots=True)
class Counts:
    """What has gone through a stage, of whatever it works on. `late`: of an attempt that was over by then."""

    taken: int = 0
    dropped: int = 0
    late: int = 0


class Sampling(NamedTuple):
    """What `relive.toml` says: the share of unremarkable invocations whose own spans are kept, and from when
    on one is slow (0: the slowest 5 %)."""

    share: float
    slow_ms: int = 0


class Arrival(msgspec.Struct, gc=False):
    """One frame, and whose it is. `record`: of the attempt that it came with, if it came with its end.
    `sampling`: None if all is kept; `weight`: how many it stands for."""

    frame: Any  # of the signal's `message`
    ref: FunctionRef
    redact_keys: list[str]
    record: InvocationRecord | None = None
    sampling: Sampling | None = None
    weight: float = 1.0


class Flow:
    """One batch on its way. Receivers fill it, processors change it in place, then it becomes rows."""

    __slots__ = ("arrivals", "derived", "finished")

    def __init__(self, kinds: Iterable[type[Frame]]) -> None:
        self.arrivals: dict[type[Frame], list[Arrival]] = {kind: [] for kind in kinds}
        self.finished: list[Finished] = []
        self.derived: list[bool] = []  # of each finished one: the store makes its spans itself

    @property
    def records(self) -> list[InvocationRecord]:
        """Of the attempts that have ended."""
        return [item.record for item in self.finished]


def ref_of(record: InvocationRecord, resource: str = "") -> FunctionRef:
    """Whose a record is. `resource`: OTEL_RESOURCE_ATTRIBUTES of the server."""
    return FunctionRef(
        record.function,
        record.version,
        record.app,
        record.code_hash,
        record.invocation_id,
        record.attempt,
        record.instance,
        resource,
        record.resource,
        record.sampled,
    )


class Signal(ABC):
    """One kind of telemetry. An object of it lives as long as the collector's process, on one thread."""

    message: ClassVar[type[Frame]]
    take: ClassVar[Take | None] = None
    """What the engine takes of a worker. None: its frames come with the attempt's record."""

    def __init__(self, resource: str = "") -> None:
        """`resource`: OTEL_RESOURCE_ATTRIBUTES of the server."""
        self._resource = resource

    @abstractmethod
    def redact(self, arrival: Arrival, redactor: Redactor) -> None:
        """Take the secrets out of a frame. One for which this raises goes no further."""

    @abstractmethod
    def rows(self, flow: Flow) -> Iterable[Rows]:
        """What all frames of a batch become."""
