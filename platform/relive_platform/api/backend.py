"""What the control API needs of the platform."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from relive_store import Columns

from relive_platform.api import control_pb2 as pb
from relive_platform.registry.cancellation import Cancellation

__all__ = ["Backend", "DebugFeed", "LogFeed", "ProgressSink"]


class ProgressSink(Protocol):
    """Hears of the steps of a deploy."""

    def __call__(self, phase: str, detail: str, fraction: float, ignored: pb.Ignored | None = None) -> None:
        """`fraction`: negative if it is not known. `ignored`: what the application's file says in vain."""


class LogFeed(Protocol):
    """Live log lines for one client."""

    def next_batch(self, timeout_s: float) -> pb.LogBatch | None:
        """Lines that have come, an empty batch after `timeout_s` without any, None when the server stops."""
        ...

    def close(self) -> None:
        """Stop following."""
        ...


class DebugFeed(Protocol):
    """One debugging session, for one client."""

    worker: pb.FrozenWorker

    def send(self, request: pb.DebugRequest) -> None:
        """What the client typed; never blocks."""
        ...

    def next(self, timeout_s: float) -> pb.DebugResponse | None:
        """What the process says next, None after `timeout_s` without anything. `ended` is the last."""
        ...

    def close(self) -> None:
        """The client has left."""
        ...


class Backend(Protocol):
    """The platform, as gRPC's threads see it: every method may be called from any thread and may block.

    All raise ReliveError for what the caller can do something about.
    """

    def deploy(
        self, path: Path, header: pb.DeployHeader, progress: ProgressSink, cancelled: Cancellation
    ) -> list[pb.Deployed]: ...

    def functions(self) -> list[pb.FunctionInfo]: ...

    def roll_back(self, function: str, version: int) -> pb.Deployed: ...

    def undeploy(self, name: str) -> list[str]: ...

    def aliases(self, function: str) -> list[pb.Alias]: ...

    def put_alias(self, alias: pb.Alias) -> pb.Alias: ...

    def delete_alias(self, function: str, name: str) -> None: ...
    def why_warm(self, function: str) -> dict[str, Any]: ...

    def cancel(self, ident: str) -> pb.CancelResponse: ...

    def resources(self, name: str) -> list[dict[str, Any]]: ...

    def change_resource(self, name: str, action: str) -> int: ...

    def invoke(self, request: pb.InvokeRequest) -> pb.InvokeResponse: ...

    def request_heap(self, function: str) -> int: ...
    def arm_point(self, request: pb.ArmPointRequest) -> list[dict[str, Any]]: ...
    def points(self) -> list[dict[str, Any]]: ...
    def remove_point(self, number: int) -> list[dict[str, Any]]: ...
    def request_profiles(self, function: str, count: int) -> int: ...

    def events(self, function: str, state: str, limit: int) -> pb.ListEventsResponse: ...

    def event(self, function: str, event_id: str) -> pb.EventInfo: ...

    def retry_events(self, request: pb.RetryEventRequest) -> pb.RetryEventResponse: ...

    def discard_events(self, request: pb.DiscardEventsRequest) -> pb.DiscardEventsResponse: ...

    def follow_logs(self, function: str, invocation_id: str) -> LogFeed: ...

    def frozen(self) -> list[pb.FrozenWorker]: ...

    def debug(self, ident: str) -> DebugFeed: ...

    def query(self, request: pb.QueryRequest) -> Columns: ...

    def copy_databases(self, folder: str, limit_s: float, wanted: Callable[[], bool]) -> list[str]: ...

    def status(self, flush_s: float) -> dict[str, Any]: ...

    def request_stop(self, drain_s: float) -> int: ...
