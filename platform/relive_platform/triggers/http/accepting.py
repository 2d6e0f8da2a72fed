"""An event that is put on the queue for a client who does not wait: its SERVER span ends with the answer."""

from __future__ import annotations

import time
from collections.abc import Callable

from relive_base.errors import ReliveError
from relive_base.ids import new_span_id, new_trace_id
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo, HttpRequest
from relive_tracer.explore.platform_rows import server_span

from relive_platform.engine.invocation import InvokeRequest
from relive_platform.triggers.queue.publisher import Accepted, Publisher

__all__ = ["accept", "server_record", "tell_server"]

_ACCEPTED = 202


async def accept(
    publish: Publisher,
    request: InvokeRequest,
    http: HttpRequest,
    key: str,
    status_of: Callable[[ReliveError], int],
    identity: bytes = b"",
) -> Accepted:
    """Publish `request`; the publishing span is below the SERVER span, which is below the client's.

    Raises what publishing raises; `status_of` gives the HTTP status that the client gets then.
    """
    record = server_record(request, http)
    request.trace_id, request.parent_span_id = record.trace_id, record.trigger_span_id
    accepted: Accepted | None = None
    try:
        accepted = await publish(request, key, identity=identity)
        record.http_status = _ACCEPTED
        record.invocation_id = accepted.invocation_id
        return accepted
    except ReliveError as error:
        record.http_status = status_of(error)
        record.status = "rejected"
        record.error = ErrorInfo(type=type(error).__name__, message=error.message)
        raise
    finally:
        record.responded_ns = time.time_ns()
        tell_server(publish, request, record)


def tell_server(publish: Publisher, request: InvokeRequest, record: InvocationRecord) -> None:
    """The SERVER span of a request that has been answered."""
    publish.tell_server(request, record.invocation_id, server_span(record))


def server_record(request: InvokeRequest, http: HttpRequest) -> InvocationRecord:
    """What is known of a request that no worker answers."""
    return InvocationRecord(
        invocation_id="",
        function=request.function,
        version=0,
        trace_id=request.trace_id or new_trace_id(),
        span_id="",
        trigger_span_id=new_span_id(),
        trigger="http",
        parent_span_id=request.parent_span_id,
        trace_state=request.trace_state,
        accepted_ns=request.accepted_ns or time.time_ns(),
        http_method=http.method,
        http_path=http.mount.rstrip("/") + http.path,
        http_route=http.route,
        http_query=http.query,
        http_scheme=request.scheme,
        http_host=request.host,
        client=request.client,
        peer=request.peer,
        peer_port=request.peer_port,
        user_agent=request.user_agent,
    )
