"""An event as the program gets it, and its answer as the platform gives it on."""

from __future__ import annotations

import json
import time
from typing import Final

import msgspec
from relive_base.wire.messages import FunctionSpec, Invoke

from relive_runtime.adapters.base import JSON_TYPE, Answer
from relive_runtime.adapters.event.answers import event_answer
from relive_runtime.adapters.event.context import function_arn
from relive_runtime.adapters.event.decoding import BadEvent, decode_event
from relive_runtime.adapters.event.payload import http_event, trace_headers
from relive_runtime.adapters.results import encode_result
from relive_runtime.worker.start.lambda_variables import trace_value

__all__ = ["answer_of", "event_bytes", "event_headers", "split_prelude"]

_MILLISECOND_NS: Final = 1_000_000
_PRELUDE_END: Final = b"\0" * 8
_MAX_PRELUDE: Final = 262_144
_TEXT_TYPE: Final = "text/plain; charset=utf-8"
_BINARY_TYPE: Final = "application/octet-stream"
_raw = msgspec.json.Decoder(msgspec.Raw)


def event_bytes(invoke: Invoke, spec: FunctionSpec) -> bytes:
    """JSON text; of an HTTP request what AWS's gateways make of one. Raises BadEvent."""
    if invoke.http is not None:
        return encode_result(http_event(invoke, invoke.http, spec))
    if not invoke.event:
        return b"null"
    try:
        _raw.decode(invoke.event)
    except msgspec.DecodeError:
        decode_event(invoke.event)  # which says where it is wrong
        raise BadEvent("the event is not JSON") from None
    return invoke.event


def event_headers(invoke: Invoke, spec: FunctionSpec) -> list[tuple[str, str]]:
    """What the Runtime API tells beside the event."""
    left_ns = invoke.deadline_monotonic_ns - time.monotonic_ns()
    parent, state = trace_headers(invoke)
    headers = [
        ("Lambda-Runtime-Aws-Request-Id", invoke.invocation_id),
        ("Lambda-Runtime-Deadline-Ms", str((time.time_ns() + left_ns) // _MILLISECOND_NS)),
        ("Lambda-Runtime-Invoked-Function-Arn", invoke.context.get("arn") or function_arn(spec)),
        ("Lambda-Runtime-Trace-Id", trace_value(invoke).decode()),
        ("traceparent", parent),
    ]
    more = (
        ("tracestate", state),
        ("baggage", invoke.baggage),
        ("Lambda-Runtime-Client-Context", invoke.context.get("client_context", "")),
        ("Lambda-Runtime-Cognito-Identity", invoke.context.get("cognito_identity", "")),
    )
    return headers + [(name, _one_line(value)) for name, value in more if value]


def _one_line(value: str) -> str:
    return "".join(char for char in value if char.isprintable())


def answer_of(invoke: Invoke, body: bytes, content_type: str) -> Answer:
    """To an HTTP request the object of payload 1.0 or 2.0, or any other value with 200; else what the program
    sent, as it sent it. Raises BadResult."""
    kind = content_type if _is_clean(content_type) else ""
    if invoke.http is not None:
        try:
            value = json.loads(body) if body else None
        except (ValueError, RecursionError):
            return Answer(body, 200, _type_of(body, kind))
        if isinstance(value, dict) and "statusCode" in value:
            return event_answer(value)
        return Answer(body or b"null", 200, JSON_TYPE)
    try:
        _raw.decode(body)
        return Answer(body, 200, JSON_TYPE)
    except msgspec.DecodeError:
        return Answer(body, 200, _type_of(body, kind))


def _type_of(body: bytes, told: str) -> str:
    """Of what is no JSON, whatever was said of it."""
    if told and not told.startswith(JSON_TYPE):
        return told
    try:
        body.decode()
    except UnicodeDecodeError:
        return _BINARY_TYPE
    return _TEXT_TYPE


def _is_clean(text: str) -> bool:
    return text.isascii() and text.isprintable() and len(text) <= 256


def split_prelude(data: bytes) -> tuple[Answer, bytes] | None:
    """(status and headers, the first bytes of the body) of a streamed HTTP answer; None: more is needed.
    Raises BadResult, ValueError."""
    end = data.find(_PRELUDE_END)
    if end < 0:
        if len(data) > _MAX_PRELUDE:
            raise ValueError(f"a streamed HTTP answer begins with a head of up to {_MAX_PRELUDE} bytes")
        return None
    head = json.loads(data[:end])
    if not isinstance(head, dict):
        raise ValueError("the head of a streamed HTTP answer is a JSON object")
    head = {"statusCode": 200, **head}
    head.pop("body", None)
    return event_answer(head), data[end + len(_PRELUDE_END) :]
