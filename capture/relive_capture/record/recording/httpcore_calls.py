"""httpcore, and so httpx: one call at the connection pool, sync and async; bodies as they are iterated
over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import wraps
from types import ModuleType
from typing import Any

from relive_base.unseen import UNSEEN, without_this_frame

from relive_capture.record.recording.recorded import INSIDE, Call, CallRecording, CallRecordingHolder

__all__ = ["patch_httpcore", "request_call", "url_text"]


def patch_httpcore(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """Wrap handle_request of the pools; HTTP/2 and proxies are below it."""
    _patch_sync(recorder, module.ConnectionPool)
    _patch_async(recorder, module.AsyncConnectionPool)


def _patch_sync(recorder: CallRecordingHolder, pool: Any) -> None:
    handle = pool.handle_request

    @wraps(handle)
    def recorded(self: Any, request: Any) -> Any:
        kept_calls = recorder.kept_calls
        if kept_calls is None:
            with UNSEEN:
                return handle(self, request)
        call = request_call(kept_calls, request)
        request.stream = _Sent(request.stream, call)
        with _Waiting(call):
            response = handle(self, request)
        _answered(call, response)
        response.stream = _Received(response.stream, call)
        return response

    pool.handle_request = recorded


def _patch_async(recorder: CallRecordingHolder, pool: Any) -> None:
    handle = pool.handle_async_request

    @wraps(handle)
    async def recorded(self: Any, request: Any) -> Any:
        kept_calls = recorder.kept_calls
        if kept_calls is None:
            with UNSEEN:
                return await handle(self, request)
        call = request_call(kept_calls, request)
        request.stream = _AsyncSent(request.stream, call)
        with _Waiting(call):
            response = await handle(self, request)
        _answered(call, response)
        response.stream = _AsyncReceived(response.stream, call)
        return response

    pool.handle_async_request = recorded


class _Waiting:
    """While httpcore is at work on a request: what its sockets do is not recorded beside it."""

    __slots__ = ("_call", "_token")

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._token = INSIDE.set(True)

    def __exit__(self, _kind: Any, error: BaseException | None, _traceback: Any) -> None:
        INSIDE.reset(self._token)
        if error is not None:  # even if it is cancelled
            without_this_frame(error)
            self._call.failed(error, "response")


def request_call(kept_calls: CallRecording, request: Any) -> Call:
    """A call for a httpcore.Request."""
    method = request.method.decode("ascii", "replace")
    call = kept_calls.call("parts", "httpcore", method=method, url=url_text(request.url))
    call.raw.request_headers = _headers(request.headers)
    return call


def url_text(url: Any) -> str:
    """A httpcore.URL as text."""
    host = url.host.decode("ascii", "replace")
    host = f"[{host}]" if ":" in host else host
    port = f":{url.port}" if url.port is not None else ""
    return f"{url.scheme.decode('ascii', 'replace')}://{host}{port}{url.target.decode('ascii', 'replace')}"


def _headers(headers: Any) -> tuple[tuple[str, str], ...]:
    return tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers])


def _answered(call: Call, response: Any) -> None:
    call.raw.status = response.status
    call.raw.response_headers = _headers(response.headers)
    call.answer_begins()
    call.timed()


class _Wrapped:
    """A stream of httpcore, with what httpx asks of it."""

    def __init__(self, stream: Any, call: Call) -> None:
        self._stream = stream
        self._call = call

    def __getattr__(self, name: str) -> Any:
        with UNSEEN:
            return getattr(self._stream, name)


class _Sent(_Wrapped):
    def __iter__(self) -> Iterator[bytes]:
        with UNSEEN:
            for chunk in self._stream:
                self._call.sent(chunk)
                yield chunk


class _AsyncSent(_Wrapped):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        with UNSEEN:
            async for chunk in self._stream:
                self._call.sent(chunk)
                yield chunk


class _Received(_Wrapped):
    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._stream:
                self._call.received(chunk)
                yield chunk
        except GeneratorExit:  # not read to its end
            raise
        except BaseException as error:
            without_this_frame(error)
            self._call.failed(error, "body")
            raise
        self._call.raw.ended = True


class _AsyncReceived(_Wrapped):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                self._call.received(chunk)
                yield chunk
        except GeneratorExit:  # not read to its end
            raise
        except BaseException as error:
            without_this_frame(error)
            self._call.failed(error, "body")
            raise
        self._call.raw.ended = True
