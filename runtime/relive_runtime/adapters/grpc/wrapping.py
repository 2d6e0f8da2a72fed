"""Handlers of gRPC as attempts: what stands around the code of each kind."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import grpc

from relive_runtime.adapters.grpc.calls import NO_METHOD
from relive_runtime.adapters.grpc.recording import Call, current_call, watched, watched_request
from relive_runtime.adapters.grpc.sync_context import SyncContext

__all__ = ["MISSING", "Wrapped", "wrapped"]

_KINDS: Final = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}
_STRANGER: Final = "this port is for the platform: connect to the service's own"


class Wrapped:
    """A handler, with what records each of its calls around it. One whose code is a coroutine is made once:
    it finds its call by its context. One that runs in a thread has none, and is made for each call."""

    __slots__ = ("_made", "_wrap", "original")

    def __init__(self, original: Any, made: Any, wrap: Callable[[Call], Any] | None) -> None:
        self.original = original
        self._made = made
        self._wrap = wrap

    def handler(self, call: Call) -> Any:
        """What gRPC is to call."""
        return self._made if self._wrap is None else self._wrap(call)


def wrapped(handler: Any) -> Wrapped:
    """`handler`: of any of the four kinds."""
    name, make = _KINDS[bool(handler.request_streaming), bool(handler.response_streaming)]
    inner = getattr(handler, name)
    codecs = {
        "request_deserializer": handler.request_deserializer,
        "response_serializer": watched(handler.response_serializer, parts=bool(handler.response_streaming)),
    }
    if not handler.request_streaming:  # else what it raises comes to the handler, which may go on
        codecs["request_deserializer"] = watched_request(handler.request_deserializer)
    if inspect.isasyncgenfunction(inner):
        return Wrapped(handler, make(_async_parts(inner), **codecs), None)
    if inspect.iscoroutinefunction(inner):  # one that streams writes by its context, and returns nothing
        return Wrapped(handler, make(_async_unary(inner, bool(handler.response_streaming)), **codecs), None)
    outer = _sync_parts if handler.response_streaming else _sync_unary
    return Wrapped(handler, None, lambda call: make(outer(inner, call.in_thread()), **codecs))


def _async_unary(inner: Any, parts: bool) -> Any:
    async def handle(request: Any, context: Any) -> Any:
        call = current_call()
        call.context = context
        try:
            if not call.admits(context):
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, _STRANGER)
            response = await call.runs(_awaited(inner, request, context))
        except BaseException as error:
            call.fail(error, context)
            if call.verdict is not None:  # ended from here: the client is to hear why
                await context.abort(*call.verdict)
            raise
        call.returned(context, parts=parts)
        return response

    return handle


async def _awaited(inner: Any, request: Any, context: Any) -> Any:
    """grpc's own coroutines cannot be looked into: from here on one sees where the code stands."""
    return await inner(request, context)


def _async_parts(inner: Any) -> Any:
    async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
        call = current_call()
        call.context = context
        parts = None
        try:
            if not call.admits(context):
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, _STRANGER)
            parts = call.runs(inner(request, context))
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
            if parts is not None:
                await parts.aclose()
        call.returned(context, parts=True)

    return handle


def _sync_unary(inner: Any, call: Call) -> Any:
    def handle(request: Any, given: Any) -> Any:
        context = call.context = SyncContext(given)
        try:
            if not call.admits_later(given):
                context.abort(grpc.StatusCode.PERMISSION_DENIED, _STRANGER)
            response = call.run(inner, request, context)
        except BaseException as error:
            call.fail(error, context)
            raise
        call.returned(context, parts=False)
        return response

    return handle


def _sync_parts(inner: Any, call: Call) -> Any:
    def handle(request: Any, given: Any) -> Iterator[Any]:
        context = call.context = SyncContext(given)
        try:
            if not call.admits_later(given):
                context.abort(grpc.StatusCode.PERMISSION_DENIED, _STRANGER)
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
        call.returned(context, parts=True)

    return handle


async def _missing(_requests: Any, context: Any) -> None:
    call = current_call()
    call.context = context
    if not call.admits(context):
        call.end(grpc.StatusCode.PERMISSION_DENIED.value[0])
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, _STRANGER)
    call.unknown_method()
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, NO_METHOD)


MISSING: Final = grpc.stream_stream_rpc_method_handler(_missing)
"""The handler of methods that a server has none for: to clients it is as if there were none."""
