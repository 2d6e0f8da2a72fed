"""httpcore, and so httpx: pools that answer from the recording."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

from relive_capture.bodies import body_bytes
from relive_capture.record.playback.answers import is_abandoned, pause, pause_async, rebuild, wait, wait_async
from relive_capture.record.recording.httpcore_calls import url_text
from relive_capture.recording_format import RecordedCall

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls

__all__ = ["play_httpcore"]


def play_httpcore(player: PlayedCalls, module: ModuleType) -> None:
    """Instead of handle_request of the pools."""
    sync, asynchronous = module.ConnectionPool, module.AsyncConnectionPool

    @wraps(sync.handle_request)
    def played(self: Any, request: Any) -> Any:
        body = b"".join(request.stream)
        recorded_call = player.request(request.method.decode(), url_text(request.url), body)
        pause(player.took_s(recorded_call))
        if not player.ended(recorded_call):
            wait()
        return _response(module, recorded_call)

    @wraps(asynchronous.handle_async_request)
    async def played_async(self: Any, request: Any) -> Any:
        body = b"".join([chunk async for chunk in request.stream])
        recorded_call = player.request(request.method.decode(), url_text(request.url), body)
        await pause_async(player.took_s(recorded_call))
        if not player.ended(recorded_call):
            await wait_async()
        return _response(module, recorded_call)

    player.undo.set(sync, "handle_request", played)
    player.undo.set(asynchronous, "handle_async_request", played_async)


def _response(module: ModuleType, recorded_call: RecordedCall) -> Any:
    headers = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in recorded_call.response_headers
    ]
    return module.Response(recorded_call.status, headers=headers, content=_Body(recorded_call))


class _Body:
    """A response's body; it ends in what the recorded one ended in."""

    def __init__(self, recorded_call: RecordedCall) -> None:
        self._data = body_bytes(recorded_call.response_body)
        self._failure = recorded_call.failure
        self._abandoned = is_abandoned(recorded_call)

    def __iter__(self) -> Iterator[bytes]:
        if self._data:
            yield self._data
        if self._abandoned:
            wait()
        if self._failure is not None:
            raise rebuild(self._failure)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._data:
            yield self._data
        if self._abandoned:
            await wait_async()
        if self._failure is not None:
            raise rebuild(self._failure)

    def close(self) -> None: ...

    async def aclose(self) -> None: ...
