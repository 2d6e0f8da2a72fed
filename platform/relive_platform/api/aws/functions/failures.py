"""A failed invocation as Lambda tells it: a JSON object, and not an error of the API."""

from __future__ import annotations

import re
from typing import Any, Final

from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo

from relive_platform.api.aws.errors import AwsError

__all__ = ["failure_payload", "refusal"]

_MODULE: Final = re.compile(r"(?:No module named|there is no module) '([^']+)'")
_ATTRIBUTE: Final = re.compile(r"has no attribute '([^']+)'|has no '([^']+)'")
_EXIT: Final = re.compile(r"(?:exit\(|status |code |SystemExit: )(\d+)")
_SIGNAL: Final = re.compile(r"\(SIG([A-Z]+)\)")
_OF_LAMBDA: Final = ("Runtime.", "Function.")  # types that are no module's
_SIGNALS: Final = {"SEGV": "segmentation fault", "ABRT": "aborted", "TERM": "terminated", "BUS": "bus error"}


def refusal(record: InvocationRecord) -> AwsError | None:
    """The error of the API for an invocation that no worker has run; None if the function has failed."""
    if record.status == "rejected":
        error = record.error
        message = error.message if error is not None else "Rate Exceeded."
        return AwsError(
            "TooManyRequestsException",
            f"Rate Exceeded. {message}",
            429,
            Reason="ReservedFunctionConcurrentInvocationLimitExceeded"
            if "reserved concurrency" in message
            else "ConcurrentInvocationLimitExceeded",
        )
    if record.status == "lost":
        return AwsError("ServiceException", "the server ended in the middle of the invocation", 500)
    return None


def failure_payload(record: InvocationRecord, handler: str) -> dict[str, Any]:
    """errorType, errorMessage, and a stackTrace if there is one."""
    error = record.error
    kind = error.kind if error is not None else record.status
    tell = _TOLD.get(kind, _exception)
    return tell(record, handler)


def _exception(record: InvocationRecord, handler: str) -> dict[str, Any]:
    error = record.error
    if error is None:
        return {"errorType": "Error", "errorMessage": record.status, "requestId": record.invocation_id}
    return {
        "errorMessage": error.message,
        "errorType": error.type if error.type.startswith(_OF_LAMBDA) else error.type.rpartition(".")[2],
        "requestId": record.invocation_id,
        "stackTrace": _frames(error.traceback) or _lines(error),
    }


def _lines(error: ErrorInfo) -> list[str]:
    """The stack of another language, as it was told."""
    head, *rest = error.traceback.splitlines() or [""]
    return rest if head.startswith(error.type) else [head, *rest] if head else []


def _timeout(record: InvocationRecord, handler: str) -> dict[str, Any]:
    seconds = record.timeout_ns / 1e9
    return _told_of(record, "Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds")


def _told_of(record: InvocationRecord, kind: str, message: str) -> dict[str, Any]:
    """What Lambda itself says, and not the function's runtime."""
    return {"errorType": kind, "errorMessage": f"RequestId: {record.invocation_id} Error: {message}"}


def _ended(record: InvocationRecord, handler: str) -> dict[str, Any]:
    """The process is gone: it has exited, was killed, or had more memory than it may."""
    message = record.error.message if record.error is not None else ""
    found, killed = _EXIT.search(message), _SIGNAL.search(message)
    how = f"exit status {found[1]}" if found else "signal: killed"
    if killed:
        how = f"signal: {_SIGNALS.get(killed[1], 'killed')}"
    if record.status == "memory":
        return _told_of(record, "Runtime.OutOfMemory", "Runtime exited with error: signal: killed")
    return _told_of(record, "Runtime.ExitError", f"Runtime exited with error: {how}")


def _bad_result(record: InvocationRecord, handler: str) -> dict[str, Any]:
    error = record.error
    message = error.message if error is not None else ""
    too_large = "limit" in message and "bytes" in message
    return {
        "errorType": "Function.ResponseSizeTooLarge" if too_large else "Runtime.MarshalError",
        "errorMessage": message if too_large else f"Unable to marshal response: {message}",
        "requestId": record.invocation_id,
        "stackTrace": [],
    }


def _init(record: InvocationRecord, handler: str) -> dict[str, Any]:
    """The module could not be loaded."""
    error = record.error
    message = error.message if error is not None else ""
    kind = error.type.rpartition(".")[2] if error is not None else ""
    module, _, attribute = handler.partition(":")
    told = _exception(record, handler)
    missing = _MODULE.search(message)
    if kind in ("ModuleNotFoundError", "ImportError") or missing:
        told["errorType"] = "Runtime.ImportModuleError"
        message = f"No module named '{missing[1]}'" if missing else message
        told["errorMessage"] = f"Unable to import module '{module}': {message}"
    elif kind in ("SyntaxError", "IndentationError", "TabError"):
        told["errorType"] = "Runtime.UserCodeSyntaxError"
        told["errorMessage"] = f"Syntax error in module '{module}': {message}"
    elif _ATTRIBUTE.search(message) and attribute.partition(".")[0] in message:
        told["errorType"] = "Runtime.HandlerNotFound"
        told["errorMessage"] = f"Handler '{attribute}' missing on module '{module}'"
    return told


def _frames(traceback: str) -> list[str]:
    """The frames of a traceback, each with its line, as Lambda lists them."""
    frames: list[str] = []
    for line in traceback.splitlines():
        if line.startswith("  File "):
            frames.append(line + "\n")
        elif frames and line.startswith("    ") and not set(line.strip()) <= {"^", "~"}:
            frames[-1] += line + "\n"
    return frames


_TOLD: Final = {
    "timeout": _timeout,
    "exit": _ended,
    "signal": _ended,
    "memory": _ended,
    "bad_result": _bad_result,
    "init": _init,
}
