"""Calling other functions from a function. The call is a span of the caller's trace, which goes on in the
callee."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from relive_base.errors import ReliveError

if TYPE_CHECKING:
    from relive_base.wire.messages import CallResult

__all__ = ["FunctionError", "NotInFunction", "emit", "invoke", "send"]


class FunctionError(ReliveError):
    """The function that was called failed, or could not be called.

    `type` and `error_message` are those of the callee's exception; `invocation_id` ("" if it never ran)
    finds its scene.
    """

    __module__ = "relive"

    def __init__(self, type: str, message: str, invocation_id: str = "", *, function: str = "") -> None:
        hint = f"relive failure {invocation_id}" if invocation_id else ""
        super().__init__(f"{type}: {message}", where=function, hint=hint)
        self.type = type
        self.error_message = message
        self.invocation_id = invocation_id


class NotInFunction(ReliveError):
    """relive.invoke, relive.send and relive.emit work inside a function that Relive runs."""


def invoke(function: str, payload: Any = None, *, timeout_s: float | None = None) -> Any:
    """Call `function` with a JSON-able `payload`, wait, and give what it returned.

    Of an HTTP function, whose answer need not be JSON: text, or bytes that are not UTF-8.

    `timeout_s` defaults to what is left of the calling invocation's own time. Raises FunctionError if the
    function fails or cannot be called; NotInFunction outside of a function. May be called from any thread.
    """
    answer = _exchange(function, payload, timeout_s, asynchronous=False)
    return _value(answer.body) if answer.body else None


def send(function: str, payload: Any = None, *, event_id: str = "") -> str:
    """Send `function` an event to work on later, and give the event's id once it is safely stored.

    `event_id`: an id of your own, up to 256 characters. The same id with the same payload is taken once,
    however often it is sent; with another payload it is refused (FunctionError of type Conflict). Without it
    each call is a new event, also that of a retried invocation.

    Raises as `invoke` does; what becomes of the event is seen in `relive events`.
    """
    if not isinstance(event_id, str):
        raise TypeError(f"event_id must be a str, not {type(event_id).__name__}")
    return _accepted(_exchange(function, payload, None, asynchronous=True, event_id=event_id))


def emit(
    detail_type: str,
    detail: Mapping[str, Any] | None = None,
    *,
    source: str = "",
    bus: str = "default",
    resources: Sequence[str] = (),
    event_id: str = "",
) -> str:
    """Put an event on a bus, and give its id once each function that it fits has it durably.

    Functions get it in the shape of Amazon EventBridge: `detail-type`, `source` (by default this function's
    name), `detail` (JSON-able), `resources`. `event_id`: an id of your own; the same id with the same event
    is delivered once.

    Raises as `invoke` does.
    """
    if not isinstance(detail_type, str) or not isinstance(bus, str) or not isinstance(event_id, str):
        raise TypeError("detail_type, bus and event_id must be str")
    entry = {
        "source": source or os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        "detail-type": detail_type,
        "detail": {} if detail is None else detail,
        "resources": list(resources),
    }
    return _accepted(_exchange(f"bus:{bus}", entry, None, asynchronous=True, event_id=event_id))


def _accepted(answer: CallResult) -> str:
    """The id of an event that is stored."""
    accepted = json.loads(answer.body) if answer.body else ""
    if isinstance(accepted, dict):
        accepted = accepted.get("event_id", "")
    return str(accepted or answer.invocation_id)


def _value(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:  # an HTTP function may have answered anything
        pass
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body


def _exchange(
    function: str, payload: Any, timeout_s: float | None, *, asynchronous: bool, event_id: str = ""
) -> CallResult:
    from relive_runtime.worker.calling import CallRefused, current_caller

    caller = current_caller()
    if caller is None:
        raise NotInFunction(
            hint=f"from elsewhere, use the command `relive invoke {function}` or the function's URL"
        )
    try:
        answer = caller.call(
            function, payload, timeout_s, asynchronous=asynchronous, idempotency_key=event_id
        )
    except CallRefused as error:
        raise FunctionError("CallRefused", str(error), function=function) from None
    if not answer.ok:
        found = answer.error
        kind, message = (found.type, found.message) if found else ("Error", "the call failed")
        raise FunctionError(kind, message, answer.invocation_id, function=function)
    return answer
