"""Stands before every other interceptor of a server: each call becomes an attempt of its own."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

import grpc
import grpc.aio

from relive_runtime.adapters.grpc.calls import UNIMPLEMENTED
from relive_runtime.adapters.grpc.recording import Call, CallRecorder
from relive_runtime.adapters.grpc.sync_context import SyncContext

__all__ = ["RecordingInterceptor"]

_KINDS: Final = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}


class RecordingInterceptor(grpc.aio.ServerInterceptor):
    """One per server."""

    def __init__(self, recorder: CallRecorder) -> None:
        self._recorder = recorder

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """The handler of a call, which begins here. Raises what the others raise."""
        call = self._recorder.begin(handler_call_details.method, handler_call_details.invocation_metadata)
        try:
            handler = await continuation(handler_call_details)
            if handler is None:
                call.end(UNIMPLEMENTED)
                return None
            return _recorded(handler, call)
        except BaseException as error:
            call.fail(error, None)
            raise


def _recorded(handler: Any, call: Call) -> Any:
    streams = bool(handler.request_streaming), bool(handler.response_streaming)
    name, make = _KINDS[streams]
    inner = getattr(handler, name)
    if streams[1]:
        call.streams()
        outer = _streaming(inner, call)
    elif inspect.iscoroutinefunction(inner):
        outer = _async_unary(inner, call)
    else:
        outer = _sync_unary(inner, call)
    return make(
        outer,
        request_deserializer=handler.request_deserializer,
        response_serializer=call.watched(handler.response_serializer),
    )


def _async_unary(inner: Any, call: Call) -> Any:
    async def handle(request: Any, context: Any) -> Any:
        call.context = context
        try:
            response = await call.runs(_awaited(inner, request, context))
        except BaseException as error:
            call.fail(error, context)
            if call.verdict is not None:  # ended from here: the client is to hear why
                await context.abort(*call.verdict)
            raise
        call.returned(context)
        return response

    return handle


async def _awaited(inner: Any, request: Any, context: Any) -> Any:
    """grpc's own coroutines cannot be looked into: from here on one sees where the code stands."""
    return await inner(request, context)


def _sync_unary(inner: Any, call: Call) -> Any:
    def handle(request: Any, given: Any) -> Any:
        context = call.context = SyncContext(given)
        try:
            response = call.run(inner, request, context)
        except BaseException as error:
            call.fail(error, context)
            raise
        call.returned(context)
        return response

    return handle


def _streaming(inner: Any, call: Call) -> Any:
    if inspect.isasyncgenfunction(inner):
        return _async_parts(inner, call)
    if inspect.iscoroutinefunction(inner):
        return _async_unary(inner, call)  # it writes by its context, and returns nothing
    return _sync_parts(inner, call)


def _async_parts(inner: Any, call: Call) -> Any:
    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        call.context = context
        parts = call.runs(inner(request, context))
        try:
            async for part in parts:
                call.moves()
                yield part
        except GeneratorExit:
            call.fail(asyncio.CancelledError(), context)
            raise
        except BaseException as error:
            call.fail(error, context)
            if call.verdict is not None:  # ended from here: the client is to hear why
                await context.abort(*call.verdict)
            raise
        finally:
            await parts.aclose()
        call.returned(context)

    return handle


def _sync_parts(inner: Any, call: Call) -> Any:
    def handle(request: Any, given: Any) -> Iterator[Any]:
        context = call.context = SyncContext(given)
        try:
            parts = iter(call.run(inner, request, context))
            while True:
                try:
                    part = call.run(next, parts)
                except StopIteration:
                    break
                call.moves()
                yield part
        except GeneratorExit:
            call.fail(asyncio.CancelledError(), context)
            raise
        except BaseException as error:
            call.fail(error, context)
            raise
        call.returned(context)

    return handle
