"""Invoke: synchronous, as an event, for nothing, and with an answer in parts."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from relive_base.records import InvocationRecord
from relive_base.traceparent import parse_traceparent
from relive_runtime.adapters.event.decoding import BadEvent, decode_event

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.catalog import Catalog, LogTail
from relive_platform.api.aws.functions.failures import failure_payload, refusal
from relive_platform.api.aws.functions.names import Named, arn_of, named
from relive_platform.api.aws.functions.streaming import AnswerParts, EventStream
from relive_platform.api.aws.service import Call, Operation, Reply
from relive_platform.engine.invocation import InvokeRequest, Outcome
from relive_platform.engine.qualifiers import LATEST
from relive_platform.registry import FunctionVersion

__all__ = ["Invoking"]

_TAIL_BYTES: Final = 4096
_CONTEXT_BYTES: Final = 3583
_ACCEPTED: Final = 202
_NO_CONTENT: Final = 204
_XRAY: Final = "x-amzn-trace-id"


class Invoking:
    """The event is the payload; a function that fails is an answer with a header that says so."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._platform = catalog.platform

    def operations(self) -> Mapping[str, Operation]:
        """By their names."""
        return {
            "Invoke": self.invoke,
            "InvokeAsync": self.invoke_async,
            "InvokeWithResponseStream": self.stream,
        }

    async def invoke(self, call: Call) -> Mapping[str, Any]:
        """By InvocationType."""
        name, version = self._target(call)
        kind = call.get("InvocationType") or "RequestResponse"
        if kind == "DryRun":
            return {"StatusCode": _NO_CONTENT}
        request = await self._request(call, name, version, asynchronous=kind == "Event")
        if kind == "Event":
            await self._platform.publish(request)
            return {"StatusCode": _ACCEPTED, "Payload": b""}
        with self._tail(call, name) as tail:
            outcome = await self._run(request)
            told: dict[str, Any] = {"StatusCode": 200, "Payload": outcome.body}
            record = outcome.record
            if tail is not None:
                told["LogResult"] = _log_result(name, record, tail, version.config.memory_mb)
        told["ExecutedVersion"] = _executed(name, record)
        if not outcome.ok:
            told["FunctionError"] = "Unhandled"
            told["Payload"] = json.dumps(failure_payload(record, version.spec.handler)).encode()
        return told

    async def invoke_async(self, call: Call) -> Mapping[str, Any]:
        """The older way to send an event."""
        name, version = self._target(call)
        asked = call.about(**{**call.params, "Payload": call.get("InvokeArgs", b"")})
        await self._platform.publish(await self._request(asked, name, version, asynchronous=True))
        return {"Status": _ACCEPTED}

    async def stream(self, call: Call) -> Reply:
        """The answer as messages of an event stream, each as soon as the function has sent it."""
        name, version = self._target(call)
        if call.get("InvocationType") == "DryRun":
            return Reply(b"", {}, _NO_CONTENT)
        request = await self._request(call, name, version, asynchronous=False)
        request.stream = True
        with contextlib.ExitStack() as stack:
            tail = stack.enter_context(self._tail(call, name))
            parts = AnswerParts()
            stack.callback(parts.leave)
            await self._platform.begin(request, parts)
            outcome = await parts.begun()
            refused = refusal(outcome.record) if outcome is not None else None
            if refused is not None:
                raise refused

            def log(record: InvocationRecord) -> str:
                return _log_result(name, record, tail, version.config.memory_mb) if tail is not None else ""

            events = EventStream(parts, version.spec.handler, log, stack.pop_all().close)
        headers = {"content-type": "application/vnd.amazon.eventstream"}
        if parts.record is not None:
            headers["x-amz-executed-version"] = _executed(name, parts.record)
        return Reply(events, headers)

    # ------------------------------------------------------------ parts

    def _target(self, call: Call) -> tuple[Named, FunctionVersion]:
        name = named(call)
        version = self._catalog.qualified(call, name)
        reserved = self._catalog.notes.get("reserved", name.name)
        if reserved is not None and reserved["value"] == 0:
            raise AwsError(
                "TooManyRequestsException",
                "Rate Exceeded.",
                429,
                Reason="ReservedFunctionConcurrentInvocationLimitExceeded",
            )
        return name, version

    async def _request(
        self, call: Call, name: Named, version: FunctionVersion, *, asynchronous: bool
    ) -> InvokeRequest:
        payload = call.get("Payload") or b"{}"
        limit = self._platform.async_event_bytes if asynchronous else self._platform.event_bytes
        if len(payload) > limit:
            raise AwsError(
                "RequestTooLargeException",
                f"{len(payload)} byte payload is too large for the"
                f" {'Event' if asynchronous else 'RequestResponse'} invocation type (limit {limit} bytes)",
                413,
            )
        try:
            decode_event(payload)
        except BadEvent as error:
            raise AwsError(
                "InvalidRequestContentException",
                f"Could not parse request body into json: {error.message}",
            ) from error
        request = InvokeRequest(
            function=name.name,
            qualifier="" if name.qualifier == LATEST else name.qualifier,
            event=payload,
            trigger="api",
            context={"arn": arn_of(call, name.name, name.qualifier), **_client_context(call)},
        )
        parent = parse_traceparent(call.headers.get("traceparent", ""))
        if parent is not None:
            request.trace_id, request.parent_span_id = parent.trace_id, parent.span_id
            request.sampled = parent.sampled
        elif _XRAY in call.headers:
            _continue_xray(request, call.headers[_XRAY])
        await self._continue_calls(request)
        return request

    async def _continue_calls(self, request: InvokeRequest) -> None:
        """A function that calls another one by this API is found by its span. Raises AwsError if that goes
        too deep."""
        found = self._platform.caller(request.parent_span_id) if request.parent_span_id else None
        caller = await found if found is not None else None
        if caller is None:
            return
        request.caller_invocation_id, depth = caller
        request.depth = depth + 1
        if request.depth > self._platform.call_depth:
            raise AwsError(
                "RecursiveInvocationException",
                f"functions call each other {request.depth} deep; RELIVE_CALL_DEPTH limits it",
            )

    async def _run(self, request: InvokeRequest) -> Outcome:
        outcome = await self._platform.invoke(request)
        refused = refusal(outcome.record)
        if refused is not None:
            raise refused
        return outcome

    @contextlib.contextmanager
    def _tail(self, call: Call, name: Named) -> Any:
        if call.get("LogType") != "Tail":
            yield None
            return
        with self._platform.tail(name.name) as tail:
            yield tail


def _executed(name: Named, record: InvocationRecord) -> str:
    return str(record.version) if name.qualifier not in ("", LATEST) else LATEST


def _client_context(call: Call) -> dict[str, str]:
    given = call.get("ClientContext")
    if not given:
        return {}
    try:
        text = base64.b64decode(given, validate=True).decode()
        value = msgspec.json.decode(text)
    except (ValueError, msgspec.DecodeError) as error:
        raise AwsError(
            "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object."
        ) from error
    if not isinstance(value, dict) or len(given) > _CONTEXT_BYTES:
        raise AwsError(
            "InvalidRequestContentException",
            f"Client context must be a JSON object of at most {_CONTEXT_BYTES} bytes in Base64.",
        )
    return {"client_context": text}


def _continue_xray(request: InvokeRequest, header: str) -> None:
    """X-Ray's `Root=1-5e1b4151-...;Parent=...;Sampled=1`, as clients with its SDK send it."""
    parts = dict(part.strip().partition("=")[::2] for part in header[:500].split(";"))
    trace_id = parts.get("Root", "").removeprefix("1-").replace("-", "")
    flags = "00" if parts.get("Sampled") == "0" else "01"
    parent = parse_traceparent(f"00-{trace_id}-{parts.get('Parent', '')}-{flags}")
    if parent is not None:
        request.trace_id, request.parent_span_id = parent.trace_id, parent.span_id
        request.sampled = parent.sampled


def _log_result(name: Named, record: InvocationRecord, tail: LogTail, memory_mb: int) -> str:
    """The last 4 KiB of the invocation's log, with the lines that Lambda puts around it."""
    ident = record.invocation_id
    lines = tail.text_of(ident) + _failure_lines(record)
    took_ms = record.duration_ns / 1e6
    report = (
        f"REPORT RequestId: {ident}\tDuration: {took_ms:.2f} ms\tBilled Duration: {int(took_ms) + 1} ms\t"
        f"Memory Size: {memory_mb} MB\tMax Memory Used: {record.peak_rss_bytes // 1_048_576} MB\t"
    )
    if record.cold and record.init_ns:
        report += f"Init Duration: {record.init_ns / 1e6:.2f} ms\t"
    text = (
        f"START RequestId: {ident} Version: {_executed(name, record)}\n"
        f"{lines}END RequestId: {ident}\n{report}\n"
    )
    return base64.b64encode(text.encode("utf-8", "replace")[-_TAIL_BYTES:]).decode()


def _failure_lines(record: InvocationRecord) -> str:
    """A failure as Lambda's runtime writes it to the log."""
    error = record.error
    if error is None or not error.traceback:
        return ""
    return f"[ERROR] {error.type}: {error.message}\n{error.traceback.rstrip()}\n"
