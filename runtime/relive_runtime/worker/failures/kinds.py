"""What kind of failure an exception is."""

from __future__ import annotations

from typing import Final

from relive_runtime.adapters.event.decoding import BadEvent
from relive_runtime.adapters.results import BadResult
from relive_runtime.worker.limits.deadline import HandlerTimeout

__all__ = ["failure_kind"]

_BAD_REQUEST: Final = 400
_BAD_GATEWAY: Final = 502
_GATEWAY_TIMEOUT: Final = 504
_INTERNAL_ERROR: Final = 500


def failure_kind(error: BaseException) -> tuple[str, str, int]:
    """Status, failure kind (records.STATUSES, FAILURE_KINDS) and HTTP status of what a handler raised."""
    if isinstance(error, HandlerTimeout):
        return "timeout", "timeout", _GATEWAY_TIMEOUT
    if isinstance(error, SystemExit):
        return "crash", "exit", _BAD_GATEWAY
    if isinstance(error, MemoryError):
        return "memory", "memory", _BAD_GATEWAY
    if isinstance(error, RecursionError):
        return "error", "recursion", _INTERNAL_ERROR
    if isinstance(error, BadResult):
        return "error", "bad_result", _BAD_GATEWAY
    if isinstance(error, BadEvent):
        return "error", "bad_event", _BAD_REQUEST
    return "error", "exception", _INTERNAL_ERROR
