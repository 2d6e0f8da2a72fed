"""aiohttp: bytes as on the wire, without TLS, at the protocol of a connection."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

from relive_base.unseen import UNSEEN, without_this_frame

from relive_capture.record.recording.recorded import INSIDE, Call, CallRecordingHolder

__all__ = ["patch_aiohttp"]

_UPGRADED = 101
_CALL = "_relive_call"  # on a protocol: the call that it works on


def patch_aiohttp(recorder: CallRecordingHolder, module: ModuleType) -> None:
    """Copy what a client's protocols send and receive, and note what fails before."""
    import sys

    _patch_connect(recorder, module.BaseConnector)
    _patch_send(recorder, module.ClientRequest)
    _patch_start(module.ClientResponse)
    _patch_writer(sys.modules["aiohttp.http_writer"].StreamWriter)
    _patch_protocol(sys.modules["aiohttp.client_proto"].ResponseHandler)


def _patch_connect(recorder: CallRecordingHolder, connector: Any) -> None:
    connect = connector.connect

    @wraps(connect)
    async def recorded(self: Any, request: Any, *arguments: Any, **options: Any) -> Any:
        kept_calls = recorder.kept_calls
        if kept_calls is None:
            with UNSEEN:
                return await connect(self, request, *arguments, **options)
        token = INSIDE.set(True)
        try:
            return await connect(self, request, *arguments, **options)
        except BaseException as error:  # even if it is cancelled
            without_this_frame(error)
            call = kept_calls.call("parts", "aiohttp", method=request.method, url=str(request.url))
            call.failed(error, "connect")
            raise
        finally:
            INSIDE.reset(token)

    connector.connect = recorded


def _patch_send(recorder: CallRecordingHolder, request: Any) -> None:
    send = request.send

    @wraps(send)
    async def recorded(self: Any, connection: Any) -> Any:
        kept_calls = recorder.kept_calls
        protocol = connection.protocol
        if kept_calls is not None and protocol is not None:
            origin = str(self.url.origin())
            call = kept_calls.call("wire", "aiohttp", origin=origin, method=self.method, url=str(self.url))
            protocol.__dict__[_CALL] = call
        with UNSEEN:
            return await send(self, connection)

    request.send = recorded


def _patch_start(response: Any) -> None:
    from asyncio import CancelledError  # aiohttp has imported it

    start = response.start

    @wraps(start)
    async def recorded(self: Any, connection: Any) -> Any:
        try:
            found = await start(self, connection)
            if self.status == _UPGRADED:
                _note_upgrade(self, connection)
            return found
        except BaseException as error:
            without_this_frame(error)
            call = _call_of(connection.protocol)
            if call is not None:
                timer = type(error) is TimeoutError and error.__cause__  # its own timer has cancelled it
                call.failed(timer if isinstance(timer, CancelledError) else error, "response")
            raise

    response.start = recorded


def _note_upgrade(response: Any, connection: Any) -> None:
    """What comes now are frames of a WebSocket: they are not recorded, and it is named."""
    call = _call_of(connection.protocol)
    if call is not None:
        call.kept_calls.connected(f"WebSocket {response.url}")
        connection.protocol.__dict__.pop(_CALL)


def _patch_writer(writer: Any) -> None:
    write, writelines = writer._write, writer._writelines

    @wraps(write)
    def recorded_write(self: Any, chunk: Any) -> None:
        call = _call_of(self._protocol)
        if call is not None:
            call.sent(chunk)
        with UNSEEN:
            write(self, chunk)

    @wraps(writelines)
    def recorded_writelines(self: Any, chunks: Any) -> None:
        call = _call_of(self._protocol)
        if call is not None:
            chunks = tuple(chunks)
            for chunk in chunks:
                call.sent(chunk)
        with UNSEEN:
            writelines(self, chunks)

    writer._write = recorded_write
    writer._writelines = recorded_writelines


def _patch_protocol(protocol: Any) -> None:
    data_received, connection_lost = protocol.data_received, protocol.connection_lost

    @wraps(data_received)
    def recorded_data(self: Any, data: bytes) -> None:
        call = _call_of(self)
        if call is not None and data:
            if not call.answered:
                call.answer_begins()
                call.timed()
            call.received(data)
        with UNSEEN:
            data_received(self, data)

    @wraps(connection_lost)
    def recorded_lost(self: Any, error: BaseException | None) -> None:
        call = _call_of(self)
        if call is not None:
            call.raw.ended = True
        with UNSEEN:
            connection_lost(self, error)

    protocol.data_received = recorded_data
    protocol.connection_lost = recorded_lost


def _call_of(protocol: Any) -> Call | None:
    return None if protocol is None else protocol.__dict__.get(_CALL)
