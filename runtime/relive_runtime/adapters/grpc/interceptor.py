"""Stands before every other interceptor of a server: each call becomes an attempt of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio

from relive_runtime.adapters.grpc.recording import CallRecorder
from relive_runtime.adapters.grpc.wrapping import MISSING, wrapped

__all__ = ["RecordingInterceptor"]


class RecordingInterceptor(grpc.aio.ServerInterceptor):
    """One per server that has others."""

    def __init__(self, recorder: CallRecorder) -> None:
        self._recorder = recorder

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """The handler of a call, which begins here. Raises what the others raise."""
        call = self._recorder.begin(handler_call_details.method, handler_call_details.invocation_metadata)
        try:
            handler = await continuation(handler_call_details)
            return MISSING if handler is None else wrapped(handler).handler(call)
        except BaseException as error:
            call.fail(error, None)
            raise
