"""All handlers of a server, in the place of its own: each call becomes an attempt of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import grpc
import grpc.aio

from relive_runtime.adapters.grpc.recording import CallRecorder
from relive_runtime.adapters.grpc.wrapping import MISSING, Wrapped, wrapped

__all__ = ["RecordingHandlers"]

_KEPT: Final = 1_000  # handlers that are wrapped once, and not for each call


class RecordingHandlers(grpc.GenericRpcHandler):
    """One per server. Calls begin here, unless there are interceptors: these may fail, too, and
    `RecordingInterceptor` stands before them. It costs each call two coroutines."""

    def __init__(self, recorder: CallRecorder, begins: bool) -> None:
        self._recorder = recorder
        self._begins = begins
        self._generic: list[Any] = []
        self._registered: dict[str, Any] = {}
        self._kept: dict[int, Wrapped] = {}  # by the id of what they wrap

    def add(self, handlers: Iterable[Any]) -> None:
        """Generic handlers: the first one that knows a method has it."""
        self._generic += handlers

    def register(self, handlers: Mapping[str, Any]) -> None:
        """Handlers by the whole name of their method; they come first."""
        self._registered.update(handlers)

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a call. In the task that serves it."""
        if not self._begins:
            return self._find(handler_call_details)
        call = self._recorder.begin(handler_call_details.method, handler_call_details.invocation_metadata)
        try:
            handler = self._find(handler_call_details)
            return MISSING if handler is None else self._wrapped(handler).handler(call)
        except BaseException as error:
            call.fail(error, None)
            raise

    def _find(self, details: Any) -> Any:
        found = self._registered.get(details.method)
        if found is not None:
            return found
        for generic in self._generic:
            found = generic.service(details)
            if found is not None:
                return found
        return None

    def _wrapped(self, handler: Any) -> Wrapped:
        kept = self._kept.get(id(handler))
        if kept is None or kept.original is not handler:
            kept = wrapped(handler)
            if len(self._kept) < _KEPT:
                self._kept[id(handler)] = kept
        return kept
