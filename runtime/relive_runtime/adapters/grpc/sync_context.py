"""The context of a handler that is no coroutine: grpc.aio's own cannot tell which status it was given."""

from __future__ import annotations

from typing import Any

__all__ = ["SyncContext"]


class SyncContext:
    """All is grpc's, and the status is remembered."""

    def __init__(self, context: Any) -> None:
        self._relive_context = context
        self._relive_code: Any = None
        self._relive_details: Any = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._relive_context, name)

    def set_code(self, code: Any) -> None:
        """The status that the call ends with."""
        self._relive_code = code
        self._relive_context.set_code(code)

    def set_details(self, details: Any) -> None:
        """What is said of it."""
        self._relive_details = details
        self._relive_context.set_details(details)

    def abort(self, code: Any, details: Any = "", *more: Any, **named: Any) -> None:
        """End the call with it. Raises."""
        self._relive_code, self._relive_details = code, details
        self._relive_context.abort(code, details, *more, **named)

    def code(self) -> Any:
        """What was set."""
        return self._relive_code

    def details(self) -> Any:
        """What is said of it."""
        return self._relive_details
