"""The client of the control API: typed calls in, ReliveErrors out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import grpc
import msgspec

from relive_platform.api import control_pb2 as pb
from relive_platform.api.control_pb2_grpc import ControlStub
from relive_platform.api.debug_call import DebugCall
from relive_platform.api.errors import from_rpc_error

__all__ = ["ControlClient"]

_CHUNK_BYTES = 512 * 1024
_ALL_EVENTS_S = 300.0
_DEPLOY_S = 120.0
_HELD_FILES = 3  # databases of a server
_MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024

T = TypeVar("T")


class _Token(
    grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor
):
    """Adds the bearer token to every call."""

    def __init__(self, token: str) -> None:
        self._metadata = (("authorization", f"Bearer {token}"),)

    def _intercept(self, continuation: Any, details: Any, request: Any) -> Any:
        metadata = tuple(details.metadata or ()) + self._metadata
        return continuation(details._replace(metadata=metadata), request)

    intercept_unary_unary = _intercept
    intercept_unary_stream = _intercept
    intercept_stream_stream = _intercept


class ControlClient:
    """One connection to a server's control API.

    `address` is "unix:/path/api.sock" or "host:port". Every method raises ServerUnreachable if nobody
    answers within `timeout_s`, and otherwise the error that the server raised.
    """

    def __init__(self, address: str, *, token: str = "", timeout_s: float = 10.0) -> None:
        self.address = address
        self._timeout_s = timeout_s
        channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_receive_message_length", _MESSAGE_LIMIT_BYTES),
                ("grpc.max_send_message_length", _MESSAGE_LIMIT_BYTES),
                ("grpc.enable_http_proxy", 0),
                # a unix socket path is no host name: without this some servers refuse the :authority header
                ("grpc.default_authority", "localhost"),
            ],
        )
        self._channel = grpc.intercept_channel(channel, _Token(token)) if token else channel
        self._raw_channel = channel
        self._stub = ControlStub(self._channel)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Close the connection."""
        self._raw_channel.close()

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------ functions

    def deploy(
        self,
        path: Path | None,
        *,
        package: bytes | None = None,
        name: str = "",
        handler: str = "",
        take_over: bool = False,
        delete_data: bool = False,
        sender: str = "",
        parameters: Mapping[str, str] | None = None,
        config_env: str = "",
        strict: bool = False,
        manifest: str = "",
        progress: Callable[[pb.Progress], None] | None = None,
        timeout_s: float = 900.0,
    ) -> list[pb.Deployed]:
        """Deploy a folder or zip that the server can read (`path`), or upload a zip (`package`).

        `sender`: where an uploaded package was before. `parameters`, `config_env`: of a template. `strict`:
        what would be ignored is an error. `manifest`: the file in an uploaded package, "" for the usual ones.

        If this is left before its end, by any exception, nothing goes live, unless it was just being put into
        service.
        """

        def messages() -> Iterator[pb.DeployRequest]:
            place = str(path) if path is not None else ""
            header = pb.DeployHeader(
                path=place,
                name=name,
                handler=handler,
                take_over=take_over,
                delete_data=delete_data,
                sender=sender,
                parameters=parameters or {},
                config_env=config_env,
                strict=strict,
                manifest=manifest,
            )
            yield pb.DeployRequest(header=header)
            for start in range(0, len(package or b""), _CHUNK_BYTES):
                yield pb.DeployRequest(chunk=(package or b"")[start : start + _CHUNK_BYTES])

        deployed: list[pb.Deployed] = []
        for event in self._stream(self._stub.Deploy, messages(), timeout_s):
            if event.WhichOneof("event") == "deployed":
                deployed.append(event.deployed)
            elif progress is not None:
                progress(event.progress)
        return deployed

    def functions(self) -> list[pb.FunctionInfo]:
        """The latest version of every function."""
        response: pb.ListFunctionsResponse = self._call(self._stub.ListFunctions, pb.ListFunctionsRequest())
        return list(response.functions)

    def roll_back(self, function: str, version: int = 0) -> pb.Deployed:
        """Put an earlier version in service again; 0: the one before."""
        request = pb.RollBackRequest(function=function, version=version)
        response: pb.Deployed = self._call(self._stub.RollBack, request, _DEPLOY_S)
        return response

    def aliases(self, function: str = "") -> list[pb.Alias]:
        """Those of a function, or of all. Raises NotFound."""
        response: pb.ListAliasesResponse = self._call(
            self._stub.ListAliases, pb.ListAliasesRequest(function=function)
        )
        return list(response.aliases)

    def put_alias(
        self, function: str, name: str, version: int, weights: Mapping[int, float], description: str = ""
    ) -> pb.Alias:
        """Write an alias, new or not. Raises NotFound, UsageError."""
        alias = pb.Alias(
            function=function, name=name, version=version, weights=dict(weights), description=description
        )
        written: pb.Alias = self._call(self._stub.PutAlias, alias)
        return written

    def delete_alias(self, function: str, name: str) -> None:
        """Remove an alias. Raises NotFound."""
        self._call(self._stub.DeleteAlias, pb.DeleteAliasRequest(function=function, name=name))

    def undeploy(self, name: str) -> list[str]:
        """Take a function, or all of an application, out of service; gives the functions."""
        request = pb.UndeployRequest(name=name)
        response: pb.UndeployResponse = self._call(self._stub.Undeploy, request, _DEPLOY_S)
        return list(response.functions)

    def why_warm(self, function: str) -> dict[str, Any]:
        """Why workers of a function are kept while it is idle. Raises NotFound."""
        request = pb.WhyWarmRequest(function=function)
        response: pb.WhyWarmResponse = self._call(self._stub.WhyWarm, request)
        return dict(msgspec.json.decode(response.json))

    def cancel(self, ident: str) -> pb.CancelResponse:
        """End what runs, or discard what waits. Raises NotFound."""
        response: pb.CancelResponse = self._call(self._stub.Cancel, pb.CancelRequest(ident=ident))
        return response

    def invoke(self, request: pb.InvokeRequest, *, timeout_s: float = 920.0) -> pb.InvokeResponse:
        """Invoke a function; a failure of the function is an answer, not an error."""
        response: pb.InvokeResponse = self._call(self._stub.Invoke, request, timeout_s)
        return response

    def request_heap(self, function: str) -> int:
        """Have the next success of a function leave its heap as a baseline; gives the version."""
        response: pb.RequestHeapResponse = self._call(
            self._stub.RequestHeap, pb.RequestHeapRequest(function=function)
        )
        return response.version

    def arm_point(self, request: pb.ArmPointRequest) -> dict[str, Any]:
        """A breakpoint or logpoint; what `points` says of it."""
        return self._points(self._stub.ArmPoint, request)[0]

    def points(self) -> list[dict[str, Any]]:
        """Breakpoints and logpoints that are armed."""
        return self._points(self._stub.ListPoints, pb.ListPointsRequest())

    def remove_point(self, number: int) -> dict[str, Any]:
        """Remove one; gives what it was."""
        return self._points(self._stub.RemovePoint, pb.RemovePointRequest(number=number))[0]

    def _points(self, method: Any, request: Any) -> list[dict[str, Any]]:
        response: pb.PointsResponse = self._call(method, request)
        return msgspec.json.decode(response.json, type=list[dict[str, Any]])

    def request_profiles(self, function: str, count: int) -> int:
        """Ask for a precise profile of the next `count` invocations of `function`."""
        request = pb.RequestProfilesRequest(function=function, count=count)
        response: pb.RequestProfilesResponse = self._call(self._stub.RequestProfiles, request)
        return response.count

    # ------------------------------------------------------------ events

    def events(self, function: str = "", state: str = "", limit: int = 100) -> list[pb.EventInfo]:
        """Queued and dead events, newest first."""
        request = pb.ListEventsRequest(function=function, state=state, limit=limit)
        response: pb.ListEventsResponse = self._call(self._stub.ListEvents, request)
        return list(response.events)

    def event(self, function: str, event_id: str) -> pb.EventInfo:
        """Where one event is; a finished one comes with its result. Raises NotFound."""
        request = pb.ListEventsRequest(function=function, event_id=event_id)
        response: pb.ListEventsResponse = self._call(self._stub.ListEvents, request)
        found: pb.EventInfo = response.events[0]
        return found

    def dead_dropped(self, function: str = "") -> int:
        """How many dead events their age or their limits have removed, ever."""
        request = pb.ListEventsRequest(function=function, state="dead", limit=1)
        response: pb.ListEventsResponse = self._call(self._stub.ListEvents, request)
        return response.dead_dropped

    def retry_event(self, event_id: str, function: str = "") -> pb.EventInfo:
        """Put a dead event back into the queue."""
        request = pb.RetryEventRequest(event_id=event_id, function=function)
        response: pb.RetryEventResponse = self._call(self._stub.RetryEvent, request)
        return response.event

    def retry_dead(self, function: str = "") -> int:
        """Put all dead events of a function, or of all, back into the queue; gives how many."""
        request = pb.RetryEventRequest(function=function, all=True)
        response: pb.RetryEventResponse = self._call(self._stub.RetryEvent, request, _ALL_EVENTS_S)
        return response.count

    def discard_event(self, event_id: str, function: str = "") -> str:
        """Remove a dead or waiting event; gives its whole id."""
        request = pb.DiscardEventsRequest(event_id=event_id, function=function)
        response: pb.DiscardEventsResponse = self._call(self._stub.DiscardEvents, request)
        return response.event_id

    def discard_events(self, states: Sequence[str], function: str = "") -> int:
        """Remove all events of a function, or of all, that are "dead" or "ready", or forget those that are
        "done"; gives how many."""
        request = pb.DiscardEventsRequest(function=function, states=states)
        response: pb.DiscardEventsResponse = self._call(self._stub.DiscardEvents, request, _ALL_EVENTS_S)
        return response.count

    # ------------------------------------------------------------ resources

    def resources(self, name: str = "") -> list[dict[str, Any]]:
        """All resources, or the one of that name. Raises NotFound."""
        response: pb.ListResourcesResponse = self._call(
            self._stub.ListResources, pb.ListResourcesRequest(name=name)
        )
        return [msgspec.json.decode(state) for state in response.resources]

    def change_resource(self, name: str, action: str) -> int:
        """ "purge" what is in a resource, or "delete" one that nobody declares; gives how many things were in
        it. Raises NotFound, Refused."""
        request = pb.ChangeResourceRequest(name=name, action=action)
        response: pb.ChangeResourceResponse = self._call(self._stub.ChangeResource, request, _ALL_EVENTS_S)
        return response.count

    # ------------------------------------------------------------ logs and rows

    def follow_logs(self, function: str = "", invocation_id: str = "") -> Iterator[pb.LogBatch]:
        """Log lines as they are written, from the return of this call until the caller stops iterating."""
        request = pb.FollowLogsRequest(function=function, invocation_id=invocation_id)
        call = self._stub.FollowLogs(request)
        call.initial_metadata()  # waits until the server follows, or has refused
        return self._read(call)

    def query(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        *,
        timeout_s: float = 0.0,
        max_rows: int = 0,
        bytes_columns: tuple[str, ...] = (),
    ) -> Iterator[pb.QueryBatch]:
        """A read-only query's batches; the first one names the columns."""
        request = pb.QueryRequest(
            sql=sql,
            timeout_s=timeout_s,
            max_rows=max_rows,
            parameters_msgpack=msgspec.msgpack.encode(dict(parameters or {})),
            bytes_columns=bytes_columns,
        )
        yield from self._stream(self._stub.Query, request, (timeout_s or 30.0) + self._timeout_s)

    # ------------------------------------------------------------ debugging

    def frozen(self) -> list[pb.FrozenWorker]:
        """Failed workers that are kept for a debugger, newest first."""
        response: pb.ListFrozenResponse = self._call(self._stub.ListFrozen, pb.ListFrozenRequest())
        return list(response.workers)

    def debug(self, ident: str) -> DebugCall:
        """Attach a debugger to the worker of a failed invocation. Raises NotFound (it says why the worker is
        gone) and Refused (somebody else debugs it)."""
        return DebugCall(self._stub.Debug, ident, self.address)

    # ------------------------------------------------------------ server

    def status(self, flush_s: float = 0.0) -> dict[str, Any]:
        """The object that `relive status --json` prints.

        With `flush_s`, everything recorded so far is brought into the store first, within that time.
        """
        request = pb.StatusRequest(flush_s=flush_s)
        response: pb.StatusResponse = self._call(self._stub.Status, request, self._timeout_s + flush_s)
        status: dict[str, Any] = msgspec.json.decode(response.json)
        return status

    def stop(self, drain_s: float = 0.0) -> int:
        """Ask the server to stop; gives its pid. It answers before it has ended."""
        response: pb.StopResponse = self._call(self._stub.Stop, pb.StopRequest(drain_s=drain_s))
        return response.pid

    # ------------------------------------------------------------ plumbing

    def copy_databases(self, folder: str, limit_s: float) -> list[str]:
        """The databases that the server holds, each as at one moment, into an empty folder of its run/; gives
        their names. `limit_s`: for each."""
        request = pb.CopyDatabasesRequest(folder=folder, limit_s=limit_s)
        most_s = _HELD_FILES * limit_s + self._timeout_s
        response: pb.CopyDatabasesResponse = self._call(self._stub.CopyDatabases, request, most_s)
        return list(response.files)

    def _call(self, method: Any, request: Any, timeout_s: float | None = None) -> Any:
        try:
            return method(request, timeout=timeout_s or self._timeout_s)
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error

    def _stream(self, method: Any, request: Any, timeout_s: float | None) -> Iterator[Any]:
        yield from self._read(method(request, timeout=timeout_s))

    def _read(self, call: Any) -> Iterator[Any]:
        try:
            yield from call
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.address) from error
        finally:
            call.cancel()
