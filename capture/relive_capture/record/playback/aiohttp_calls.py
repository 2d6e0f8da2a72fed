"""aiohttp: connections to nobody, whose protocol is fed from the recording."""

from __future__ import annotations

import asyncio
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

from relive_capture.record.playback.answers import is_abandoned, pause_async, rebuild, wait_async, wire_answer
from relive_capture.wire import parse_request

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls

__all__ = ["play_aiohttp"]

_UPGRADED = 101
_ROUNDS = 10_000
"""Turns of the loop that a request's body may take to be written."""


def play_aiohttp(player: PlayedCalls, module: ModuleType) -> None:
    """Instead of connecting; and before a response is awaited, its bytes."""

    async def create_connection(self: Any, request: Any, *_arguments: Any, **_options: Any) -> Any:
        entry = player.recorded_calls.failed("http", str(request.url))
        if entry is not None and is_abandoned(entry):
            await wait_async()
        if entry is not None and entry.failure is not None:
            failure = entry.failure
            raise rebuild(failure, request.connection_key) if failure.inner is not None else rebuild(failure)
        protocol = self._factory()
        protocol.connection_made(_Transport(protocol))
        return protocol

    for connector in (module.TCPConnector, module.UnixConnector):
        player.undo.set(connector, "_create_connection", create_connection)
    start = module.ClientResponse.start

    @wraps(start)
    async def played_start(self: Any, connection: Any) -> Any:
        protocol = connection.protocol
        transport = protocol.transport if protocol is not None else None
        if isinstance(transport, _Transport):
            body = await transport.whole()
            recorded_call = player.request(self.method, str(self.url), body)
            if recorded_call.status == _UPGRADED:
                raise player.refuse(f"what came over the WebSocket {self.url}")
            await pause_async(player.took_s(recorded_call))
            if player.ended(recorded_call):
                protocol.data_received(wire_answer(recorded_call, self.method))
            if recorded_call.failure is not None and not is_abandoned(recorded_call):
                protocol.connection_lost(rebuild(recorded_call.failure))
        return await start(self, connection)

    player.undo.set(module.ClientResponse, "start", played_start)


class _Transport(asyncio.Transport):
    """Takes what is written."""

    def __init__(self, protocol: Any) -> None:
        super().__init__()
        self._protocol = protocol
        self._sent = bytearray()
        self._closing = False

    def write(self, data: Any) -> None:
        self._sent += data

    def writelines(self, list_of_data: Any) -> None:
        for data in list_of_data:
            self._sent += data

    async def whole(self) -> bytes:
        """The body of the request, once all of it is there."""
        for _ in range(_ROUNDS):
            request = parse_request(bytes(self._sent))
            if request is not None and request.complete:
                break
            await asyncio.sleep(0)
        self._sent.clear()
        return request.body if request is not None else b""

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def is_reading(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
