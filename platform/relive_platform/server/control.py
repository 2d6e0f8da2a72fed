"""The platform behind the control API: gRPC's threads ask, the server's loop answers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import re
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from relive_base.attributes import attribute_texts
from relive_base.errors import Refused, ReliveError, UsageError
from relive_base.traceparent import parse_traceparent
from relive_base.wire.messages import ErrorInfo
from relive_base.within import within
from relive_runtime.adapters.event.decoding import BadEvent, decode_event
from relive_store import Columns

from relive_platform.api import control_pb2 as pb
from relive_platform.api.backend import LogFeed, ProgressSink
from relive_platform.api.listener import ControlListener
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.engine.pointing import PointWanted
from relive_platform.registry import FunctionVersion, Progress
from relive_platform.registry.aliases import Alias, check_alias
from relive_platform.registry.application import Given
from relive_platform.registry.application.manifest import manifest_name
from relive_platform.registry.cancellation import Cancellation
from relive_platform.server.backup.held import HeldDatabases
from relive_platform.server.cancelling import cancel
from relive_platform.server.debugging import SessionFeed, attach, frozen_workers
from relive_platform.server.event_office import EventOffice
from relive_platform.server.home_token import home_token
from relive_platform.server.server import ReliveServer
from relive_platform.server.status import status_of
from relive_platform.signals.exporters.followers import FollowedLine, Follower

__all__ = ["ControlPlane", "PlatformBackend"]

_QUEUE_TIMEOUT_S: Final = 10.0
_STATUS_TIMEOUT_S: Final = 8.0
_MAX_BATCH_LINES: Final = 500

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

T = TypeVar("T")


class ControlPlane:
    """The ControlApi of a server: the unix socket in run/, and TCP if settings ask for it."""

    def __init__(self, server: ReliveServer) -> None:
        self._server = server
        settings = server.settings
        self._listener = ControlListener(
            PlatformBackend(server), home_token(settings), upload_limit_bytes=settings.package_bytes
        )

    def start(self) -> str:
        """Listen; gives the unix address, which clients of this home use."""
        settings = self._server.settings
        address = self._listener.listen_unix(settings.run_dir / "api.sock")
        if settings.api and not settings.api_address.path:
            tcp = settings.api_address
            self._listener.listen_tcp(tcp.host, tcp.port)
        return address

    def stop(self) -> None:
        """End running calls and close the sockets."""
        self._listener.stop()
        (self._server.settings.run_dir / "api.sock").unlink(missing_ok=True)


class PlatformBackend:
    """Implements `relive_platform.api.backend.Backend` on a running server."""

    def __init__(self, server: ReliveServer) -> None:
        self._server = server
        self._events = EventOffice(server)
        self._held = HeldDatabases(server)

    # ------------------------------------------------------------ functions

    def deploy(
        self, path: Path, header: pb.DeployHeader, progress: ProgressSink, cancelled: Cancellation
    ) -> list[pb.Deployed]:
        """Blocks until the new versions are in service, or until it is cancelled."""

        def tell(step: Progress) -> None:
            note = step.ignored
            ignored = None if note is None else pb.Ignored(**dataclasses.asdict(note))
            progress(step.stage, f"{step.function} {step.detail}".strip(), -1.0, ignored)

        return [
            pb.Deployed(
                function=entry.function,
                version=entry.version,
                code_hash=entry.code_hash,
                seconds=entry.seconds,
                unchanged=entry.unchanged,
                url=self._url(entry.function),
            )
            for entry in self._server.deploy(
                path,
                header.name,
                header.handler,
                tell,
                take_over=header.take_over,
                delete_data=header.delete_data,
                sender="" if header.path else header.sender or "an upload",
                cancelled=cancelled,
                given=Given(
                    parameters=dict(header.parameters),
                    config_env=header.config_env or "default",
                    strict=header.strict,
                    manifest=manifest_name(header.manifest),
                ),
            )
        ]

    def functions(self) -> list[pb.FunctionInfo]:
        """The version of each function that is in service, by name."""
        versions = sorted(self._server.registry.functions(), key=lambda version: version.name)
        runs = self._server.timers.next_runs()
        return [self._info(version, runs.get(version.name, 0)) for version in versions]

    def roll_back(self, function: str, version: int) -> pb.Deployed:
        """Blocks until the earlier version is in service."""
        began = time.monotonic()
        found = self._server.registry.roll_back(function, version)
        return pb.Deployed(
            function=found.name,
            version=found.version,
            code_hash=found.spec.code_hash,
            seconds=time.monotonic() - began,
            url=self._url(found.name),
        )

    def undeploy(self, name: str) -> list[str]:
        """A function, or all of an application."""
        return self._server.registry.undeploy(name)

    def aliases(self, function: str) -> list[pb.Alias]:
        """Those of a function, or of all."""
        registry = self._server.registry
        if function:
            registry.get(function)
        serving = self._server.functions.serving
        found = registry.aliases.of(function) if function else registry.aliases.all()
        return [_alias(alias) for alias in found if alias.function in serving]

    def put_alias(self, alias: pb.Alias) -> pb.Alias:
        """Blocks until it is what events follow."""
        registry = self._server.registry
        registry.get(alias.function)  # raises if there is no such function
        wanted = Alias(
            function=alias.function,
            name=alias.name,
            version=alias.version,
            weights=dict(alias.weights),
            description=alias.description,
        )
        numbers = {0, *registry.numbers(alias.function)}
        check_alias(wanted, lambda number: number in numbers)
        return _alias(registry.aliases.put(wanted))

    def delete_alias(self, function: str, name: str) -> None:
        """Events that are on their way to it fail."""
        self._server.registry.aliases.get(function, name)
        self._server.registry.aliases.remove(function, name)

    def why_warm(self, function: str) -> dict[str, Any]:
        """What is known of its idle times, and what follows."""
        return self._call(self._server.why_warm(function), _QUEUE_TIMEOUT_S)

    def cancel(self, ident: str) -> pb.CancelResponse:
        """End what runs, or discard what waits."""
        return self._call(cancel(self._server, ident), _QUEUE_TIMEOUT_S)

    def _info(self, version: FunctionVersion, next_run_ns: int) -> pb.FunctionInfo:
        spec, config = version.spec, version.config
        return pb.FunctionInfo(
            name=version.name,
            kind=spec.kind,
            version=version.version,
            url=self._url(version.name),
            app=spec.app,
            code_hash=spec.code_hash,
            handler=spec.handler,
            timeout_s=spec.timeout_s,
            memory_mb=spec.memory_mb,
            max_workers=config.max_workers,
            triggers=[trigger.describe() for trigger in config.triggers],
            code_dir=version.code_dir,
            next_run_ns=next_run_ns,
        )

    def _url(self, name: str) -> str:
        return f"{self._server.http_address}/fn/{name}/"

    def invoke(self, request: pb.InvokeRequest) -> pb.InvokeResponse:
        """A failure of the function is an answer; only what never ran is an error."""
        self._server.event_sizes.check(request.event, asynchronous=request.asynchronous)
        parent = parse_traceparent(request.traceparent) if request.traceparent else None
        wanted = InvokeRequest(
            function=request.function,
            version=request.version,
            qualifier=request.qualifier,
            event=request.event,
            trigger="api",
            trace_id=parent.trace_id if parent else "",
            parent_span_id=parent.span_id if parent else "",
            sampled=parent.sampled if parent else True,
            profile="precise" if request.precise else "",
            invocation_id=_checked_id(request),
        )
        if request.asynchronous:
            if request.version:
                raise UsageError(
                    "an asynchronous event goes to the latest version", hint="leave --version out"
                )
            try:
                decode_event(request.event)
            except BadEvent as error:
                if request.function.startswith("bus:"):
                    raise UsageError(str(error), hint="write JSON") from None  # no function has it yet
                # No retry could help: it fails now, with a scene that keeps its bytes.
                return _response(self._call(self._server.invoke(wanted)))
            accepted = self._call(self._server.publish(wanted, request.event_id), _QUEUE_TIMEOUT_S)
            done = accepted.duplicate and accepted.state == "done"
            return pb.InvokeResponse(
                invocation_id=accepted.invocation_id,
                event_id=accepted.event_id,
                trace_id=accepted.trace_id,
                status="ok" if done else "accepted",
                result=accepted.result or b"",
            )
        return _response(self._call(self._server.invoke(wanted)))

    def request_heap(self, function: str) -> int:
        """The heap of the next success, as a baseline."""
        return self._call(self._server.heap_next(function), _QUEUE_TIMEOUT_S)

    def arm_point(self, request: pb.ArmPointRequest) -> list[dict[str, Any]]:
        """A breakpoint or logpoint."""
        wanted = PointWanted(
            function=request.function,
            file=request.file,
            line=request.line,
            text=request.text if request.logs else None,
            condition=request.condition,
            answer=request.answer,
            count=request.count,
            for_s=request.for_s,
        )
        return [self._call(self._server.arm_point(wanted), _QUEUE_TIMEOUT_S)]

    def points(self) -> list[dict[str, Any]]:
        """Those that are armed."""
        return self._call(self._server.points(), _QUEUE_TIMEOUT_S)

    def remove_point(self, number: int) -> list[dict[str, Any]]:
        """By its number."""
        return [self._call(self._server.remove_point(number), _QUEUE_TIMEOUT_S)]

    def request_profiles(self, function: str, count: int) -> int:
        """Real pyinstrument for the next `count` invocations."""
        return self._call(self._server.profile_next(function, count), _QUEUE_TIMEOUT_S)

    # ------------------------------------------------------------ events

    def events(self, function: str, state: str, limit: int) -> pb.ListEventsResponse:
        """Newest first."""
        return self._events.list(function, state, limit)

    def event(self, function: str, event_id: str) -> pb.EventInfo:
        """One event, also when it is done."""
        return self._events.one(function, event_id)

    def retry_events(self, request: pb.RetryEventRequest) -> pb.RetryEventResponse:
        """Dead or waiting events are due now, with all their attempts."""
        return self._events.retry(request)

    def discard_events(self, request: pb.DiscardEventsRequest) -> pb.DiscardEventsResponse:
        """Remove events."""
        return self._events.discard(request)

    # ------------------------------------------------------------ resources

    def resources(self, name: str) -> list[dict[str, Any]]:
        """All, or one."""
        resources = self._server.resources
        if name:
            return [msgspec.to_builtins(self._call(resources.one(name), _QUEUE_TIMEOUT_S))]
        return [msgspec.to_builtins(state) for state in self._call(resources.listing(), _QUEUE_TIMEOUT_S)]

    def change_resource(self, name: str, action: str) -> int:
        """Purge or delete one."""
        if action == "purge":
            return self._call(self._server.resources.purge(name))
        if action != "delete":
            raise UsageError(f"{action!r} is nothing that can be done to a resource", hint="purge or delete")
        self._call(self._server.resources.delete(name))
        return 0

    # ------------------------------------------------------------ logs and rows

    def follow_logs(self, function: str, invocation_id: str) -> LogFeed:
        """Lines from now on."""
        follower = self._call(self._server.follow(function), _QUEUE_TIMEOUT_S)
        return _Feed(self._server, follower, invocation_id)

    # ------------------------------------------------------------ debugging

    def frozen(self) -> list[pb.FrozenWorker]:
        """Failed workers that are kept for a debugger, newest first."""
        return frozen_workers(self._server)

    def debug(self, ident: str) -> SessionFeed:
        """Attach a debugger to the worker of a failed invocation."""
        return attach(self._server, ident)

    def query(self, request: pb.QueryRequest) -> Columns:
        """Read-only, whatever the text says."""
        settings = self._server.settings
        parameters = msgspec.msgpack.decode(request.parameters_msgpack) if request.parameters_msgpack else {}
        return self._server.store.query(
            request.sql,
            parameters,
            timeout_s=min(request.timeout_s or settings.query_timeout_s, settings.query_timeout_s),
            max_rows=min(request.max_rows or settings.query_rows, settings.query_rows),
            read_only=True,
            bytes_columns=tuple(request.bytes_columns),
        )

    # ------------------------------------------------------------ server

    def copy_databases(self, folder: str, limit_s: float, wanted: Callable[[], bool]) -> list[str]:
        """For a backup: what nobody else can read while this server runs."""
        return self._held.copy(folder, limit_s, wanted)

    def status(self, flush_s: float) -> dict[str, Any]:
        """What `relive status --json` prints."""
        if flush_s > 0:
            self._call(self._server.flush(flush_s), flush_s + _STATUS_TIMEOUT_S)
        return self._call(status_of(self._server), _STATUS_TIMEOUT_S)

    def request_stop(self, drain_s: float) -> int:
        """The answer goes out before the end: the listener stops after running calls."""
        return self._server.request_stop(drain_s)

    def _call(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        try:
            return self._server.call(work, timeout_s)
        except concurrent.futures.TimeoutError as error:
            raise ReliveError(
                f"the server did not answer itself within {timeout_s} s", hint="see run/server.log"
            ) from error
        except (concurrent.futures.CancelledError, asyncio.CancelledError) as error:
            raise Refused("the server is stopping", hint="start it again: relive serve") from error


def _alias(alias: Alias) -> pb.Alias:
    return pb.Alias(
        function=alias.function,
        name=alias.name,
        version=alias.version,
        weights=dict(alias.weights),
        description=alias.description,
    )


class _Feed:
    """One client's live lines, read by a gRPC thread."""

    def __init__(self, server: ReliveServer, follower: Follower, invocation_id: str) -> None:
        self._server = server
        self._follower = follower
        self._invocation_id = invocation_id
        self._told_dropped = 0

    def next_batch(self, timeout_s: float) -> pb.LogBatch | None:
        """Waits for the first line only; what else is there comes along."""
        if self._server.stop_requested.is_set():
            return None
        try:
            lines = self._server.call(self._take(timeout_s))
        except (concurrent.futures.CancelledError, RuntimeError):
            return None  # the loop is gone
        dropped, self._told_dropped = self._follower.dropped - self._told_dropped, self._follower.dropped
        wanted = [line for line in lines if self._invocation_id in ("", line.invocation_id)]
        return pb.LogBatch(lines=[_entry(line) for line in wanted], dropped=dropped)

    async def _take(self, timeout_s: float) -> list[FollowedLine]:
        try:
            return await within(self._follower.take(_MAX_BATCH_LINES), timeout_s)
        except TimeoutError:
            return []

    def close(self) -> None:
        """Stop following; a server that is gone has stopped by itself."""
        try:
            self._server.call(self._server.unfollow(self._follower), 1.0)
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError, RuntimeError):
            pass  # the loop has ended, and the follower with it


def _entry(followed: FollowedLine) -> pb.LogEntry:
    line = followed.line
    return pb.LogEntry(
        timestamp_ns=line.timestamp_ns,
        severity=line.severity,
        body=line.body,
        function=followed.function,
        invocation_id=followed.invocation_id,
        trace_id=line.trace_id,
        span_id=line.span_id,
        source=line.source,
        stacktrace=str(line.attributes.get("exception.stacktrace", "")),
        attributes=attribute_texts(line.attributes),
    )


def _checked_id(request: pb.InvokeRequest) -> str:
    """The id that the client has made for its invocation; an event's is the queue's own."""
    if request.asynchronous or not request.invocation_id:
        return ""
    if not _UUID.fullmatch(request.invocation_id):
        raise UsageError(f"{request.invocation_id!r} is not a UUID in lower case", hint="leave it out")
    return request.invocation_id


def _response(outcome: Outcome) -> pb.InvokeResponse:
    record = outcome.record
    return pb.InvokeResponse(
        invocation_id=record.invocation_id,
        trace_id=record.trace_id,
        status=record.status,
        result=outcome.body if outcome.ok else b"",
        error=_error(outcome.error) if outcome.error is not None else None,
        duration_ms=(record.duration_ns or record.responded_ns - record.accepted_ns) / 1e6,
        cold=record.cold,
        version=record.version,
    )


def _error(error: ErrorInfo) -> pb.Error:
    return pb.Error(
        type=error.type,
        message=error.message,
        kind=error.kind,
        file=error.file,
        line=error.line,
        function=error.function,
        traceback=error.traceback,
    )
