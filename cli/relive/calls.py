"""Calling other functions from a function. The call is a span of the caller's trace, which goes on in the
callee."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from relive_base.errors import ReliveError

if TYPE_CHECKING:
    from relive_base.wire.messages import CallResult

__all__ = ["FunctionError", "NotInFunction", "invoke", "send"]


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
    """relive.invoke and relive.send work inside a function that Relive runs."""


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
    answer = _exchange(function, payload, None, asynchronous=True, event_id=event_id)
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
