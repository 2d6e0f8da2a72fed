"""The server side of the control API: requests in, calls of the platform, answers out."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, Final, TypeVar

import grpc
import msgspec
from relive_base.errors import Refused, ReliveError, UsageError
from relive_base.scratch import scratch_folder

from relive_platform.api import control_pb2 as pb
from relive_platform.api.backend import Backend, DebugFeed
from relive_platform.api.control_pb2_grpc import ControlServicer
from relive_platform.api.errors import status_of, to_metadata
from relive_platform.registry.cancellation import Cancellation

__all__ = ["ControlService", "TokenCheck"]

_QUERY_BATCH_ROWS: Final = 5_000
_PROGRESS_BACKLOG: Final = 256
_POLL_S: Final = 0.5

T = TypeVar("T")


class ControlService(ControlServicer):
    """One method for each call of control.proto. They run on gRPC's threads; the backend is thread-safe."""

    def __init__(self, backend: Backend, *, upload_limit_bytes: int) -> None:
        self._backend = backend
        self._upload_limit_bytes = upload_limit_bytes

    # ------------------------------------------------------------ functions

    def Deploy(self, request_iterator: Iterator[pb.DeployRequest], context: Any) -> Iterator[pb.DeployEvent]:
        with scratch_folder("upload") as folder:
            header, path = _guard(context, lambda: self._receive(request_iterator, folder))
            events: Queue[pb.Progress | None] = Queue()
            outcome: list[list[pb.Deployed] | BaseException] = []
            cancelled = Cancellation()
            # What a client began and left (Ctrl-C, killed, cut off) must not go live behind its back.
            if not context.add_callback(cancelled.cancel):
                cancelled.cancel()

            def progress(phase: str, detail: str, fraction: float, ignored: pb.Ignored | None = None) -> None:
                # A client that does not read loses steps of the display, nothing else.
                if events.qsize() < _PROGRESS_BACKLOG or ignored is not None:
                    events.put(pb.Progress(phase=phase, detail=detail, fraction=fraction, ignored=ignored))

            def work() -> None:
                try:
                    outcome.append(self._backend.deploy(path, header, progress, cancelled))
                except BaseException as error:
                    outcome.append(error)
                events.put(None)

            worker = Thread(target=work, name="relive-deploy", daemon=True)
            worker.start()
            while (step := events.get()) is not None:
                yield pb.DeployEvent(progress=step)
            worker.join()
            for deployed in _guard(context, lambda: _raise_or_give(outcome[0])):
                yield pb.DeployEvent(deployed=deployed)

    def _receive(self, requests: Iterator[pb.DeployRequest], folder: Path) -> tuple[pb.DeployHeader, Path]:
        """The header, and where the package lies: on this machine already, or uploaded into `folder`."""
        first = next(requests, None)
        if first is None or first.WhichOneof("part") != "header":
            raise UsageError("a deploy begins with its header")
        header = first.header
        if header.path:
            return header, Path(header.path)
        target = folder / "package.zip"
        size = 0
        with target.open("wb") as file:
            for request in requests:
                size += len(request.chunk)
                if size > self._upload_limit_bytes:
                    raise Refused(
                        f"the package is over {self._upload_limit_bytes} bytes",
                        hint="leave out what the functions do not need, or raise RELIVE_PACKAGE_BYTES",
                    )
                file.write(request.chunk)
        return header, target

    def ListFunctions(self, request: pb.ListFunctionsRequest, context: Any) -> pb.ListFunctionsResponse:
        return pb.ListFunctionsResponse(functions=_guard(context, self._backend.functions))

    def RollBack(self, request: pb.RollBackRequest, context: Any) -> pb.Deployed:
        return _guard(context, lambda: self._backend.roll_back(request.function, request.version))

    def Undeploy(self, request: pb.UndeployRequest, context: Any) -> pb.UndeployResponse:
        return pb.UndeployResponse(functions=_guard(context, lambda: self._backend.undeploy(request.name)))

    def ListAliases(self, request: pb.ListAliasesRequest, context: Any) -> pb.ListAliasesResponse:
        return pb.ListAliasesResponse(
            aliases=_guard(context, lambda: self._backend.aliases(request.function))
        )

    def PutAlias(self, request: pb.Alias, context: Any) -> pb.Alias:
        return _guard(context, lambda: self._backend.put_alias(request))

    def DeleteAlias(self, request: pb.DeleteAliasRequest, context: Any) -> pb.DeleteAliasResponse:
        _guard(context, lambda: self._backend.delete_alias(request.function, request.name))
        return pb.DeleteAliasResponse()

    def WhyWarm(self, request: pb.WhyWarmRequest, context: Any) -> pb.WhyWarmResponse:
        found = _guard(context, lambda: self._backend.why_warm(request.function))
        return pb.WhyWarmResponse(json=msgspec.json.encode(found))

    def Cancel(self, request: pb.CancelRequest, context: Any) -> pb.CancelResponse:
        return _guard(context, lambda: self._backend.cancel(request.ident))

    def Invoke(self, request: pb.InvokeRequest, context: Any) -> pb.InvokeResponse:
        return _guard(context, lambda: self._backend.invoke(request))

    def RequestHeap(self, request: pb.RequestHeapRequest, context: Any) -> pb.RequestHeapResponse:
        version = _guard(context, lambda: self._backend.request_heap(request.function))
        return pb.RequestHeapResponse(version=version)

    def ArmPoint(self, request: pb.ArmPointRequest, context: Any) -> pb.PointsResponse:
        return _points(_guard(context, lambda: self._backend.arm_point(request)))

    def ListPoints(self, request: pb.ListPointsRequest, context: Any) -> pb.PointsResponse:
        return _points(_guard(context, self._backend.points))

    def RemovePoint(self, request: pb.RemovePointRequest, context: Any) -> pb.PointsResponse:
        return _points(_guard(context, lambda: self._backend.remove_point(request.number)))

    def RequestProfiles(self, request: pb.RequestProfilesRequest, context: Any) -> pb.RequestProfilesResponse:
        count = _guard(context, lambda: self._backend.request_profiles(request.function, request.count))
        return pb.RequestProfilesResponse(count=count)

    # ------------------------------------------------------------ events

    def ListEvents(self, request: pb.ListEventsRequest, context: Any) -> pb.ListEventsResponse:
        if request.event_id:
            event = _guard(context, lambda: self._backend.event(request.function, request.event_id))
            return pb.ListEventsResponse(events=[event])
        return _guard(
            context, lambda: self._backend.events(request.function, request.state, request.limit or 100)
        )

    def RetryEvent(self, request: pb.RetryEventRequest, context: Any) -> pb.RetryEventResponse:
        return _guard(context, lambda: self._backend.retry_events(request))

    def DiscardEvents(self, request: pb.DiscardEventsRequest, context: Any) -> pb.DiscardEventsResponse:
        return _guard(context, lambda: self._backend.discard_events(request))

    # ------------------------------------------------------------ resources

    def ListResources(self, request: pb.ListResourcesRequest, context: Any) -> pb.ListResourcesResponse:
        found = _guard(context, lambda: self._backend.resources(request.name))
        return pb.ListResourcesResponse(resources=[msgspec.json.encode(state) for state in found])

    def ChangeResource(self, request: pb.ChangeResourceRequest, context: Any) -> pb.ChangeResourceResponse:
        count = _guard(context, lambda: self._backend.change_resource(request.name, request.action))
        return pb.ChangeResourceResponse(count=count)

    # ------------------------------------------------------------ logs and rows

    def FollowLogs(self, request: pb.FollowLogsRequest, context: Any) -> Iterator[pb.LogBatch]:
        feed = _guard(context, lambda: self._backend.follow_logs(request.function, request.invocation_id))
        context.send_initial_metadata(())  # the client knows: from here on no line is missed
        try:
            while context.is_active():
                batch = feed.next_batch(_POLL_S)
                if batch is None:
                    return
                if batch.lines or batch.dropped:
                    yield batch
        finally:
            feed.close()

    # ------------------------------------------------------------ debugging

    def ListFrozen(self, request: pb.ListFrozenRequest, context: Any) -> pb.ListFrozenResponse:
        return pb.ListFrozenResponse(workers=_guard(context, self._backend.frozen))

    def Debug(self, request_iterator: Iterator[pb.DebugRequest], context: Any) -> Iterator[pb.DebugResponse]:
        first = next(request_iterator, None)
        feed = _guard(context, lambda: self._attach(first))

        def read() -> None:
            try:
                for request in request_iterator:
                    feed.send(request)
            except grpc.RpcError:
                pass  # the client is gone; `is_active` tells the other thread
            feed.close()

        reader = Thread(target=read, name="relive-debug", daemon=True)
        reader.start()
        try:
            yield pb.DebugResponse(attached=feed.worker)
            while context.is_active():
                response = feed.next(_POLL_S)
                if response is not None:
                    yield response
                    if response.WhichOneof("part") == "ended":
                        return
        finally:
            feed.close()

    def _attach(self, first: pb.DebugRequest | None) -> DebugFeed:
        if first is None or first.WhichOneof("part") != "attach":
            raise UsageError("a debugging session begins with `attach`")
        return self._backend.debug(first.attach)

    def Query(self, request: pb.QueryRequest, context: Any) -> Iterator[pb.QueryBatch]:
        columns = _guard(context, lambda: self._backend.query(request))
        for start in range(0, max(len(columns), 1), _QUERY_BATCH_ROWS):
            part = [column[start : start + _QUERY_BATCH_ROWS] for column in columns.data]
            yield pb.QueryBatch(
                names=columns.names if start == 0 else (),
                types=columns.types if start == 0 else (),
                columns_msgpack=msgspec.msgpack.encode(part),
            )

    # ------------------------------------------------------------ server

    def Status(self, request: pb.StatusRequest, context: Any) -> pb.StatusResponse:
        return pb.StatusResponse(
            json=msgspec.json.encode(_guard(context, lambda: self._backend.status(request.flush_s)))
        )

    def CopyDatabases(self, request: pb.CopyDatabasesRequest, context: Any) -> pb.CopyDatabasesResponse:
        def copy() -> list[str]:
            return self._backend.copy_databases(request.folder, request.limit_s, context.is_active)

        files = _guard(context, copy)
        return pb.CopyDatabasesResponse(files=files)

    def Stop(self, request: pb.StopRequest, context: Any) -> pb.StopResponse:
        return pb.StopResponse(pid=_guard(context, lambda: self._backend.request_stop(request.drain_s)))


class TokenCheck(grpc.ServerInterceptor):
    """Refuses calls without the token."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

        def refuse(request: Any, context: Any) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "this address wants the server's token")

        self._refusal = grpc.unary_unary_rpc_method_handler(refuse)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """Compare in constant time."""
        for key, value in details.invocation_metadata:
            if key == "authorization" and hmac.compare_digest(str(value).encode(), self._expected):
                return continuation(details)
        return self._refusal


def _guard(context: Any, work: Callable[[], T]) -> T:
    """Run `work`; a ReliveError becomes the call's error, whole."""
    try:
        return work()
    except ReliveError as error:
        context.set_trailing_metadata(to_metadata(error))
        context.abort(status_of(error), str(error))
        raise  # abort raises already


def _raise_or_give(outcome: list[pb.Deployed] | BaseException) -> list[pb.Deployed]:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _points(rows: list[dict[str, Any]]) -> pb.PointsResponse:
    return pb.PointsResponse(json=msgspec.json.encode(rows))
