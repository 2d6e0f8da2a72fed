"""The handlers of a gRPC server, as attempts."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import grpc
from relive_base.wire.messages import FunctionSpec
from relive_runtime.adapters.grpc.handlers import RecordingHandlers
from relive_runtime.adapters.grpc.recording import CallRecorder
from relive_runtime.adapters.grpc.wrapping import MISSING


async def _say(request: bytes, _context: Any) -> bytes:
    return request


def _details(method: str) -> Any:
    return SimpleNamespace(method=method, invocation_metadata=())


def _recorder() -> CallRecorder:
    return CallRecorder(FunctionSpec(name="f", version=1, handler="m:f", timeout_s=1, memory_mb=64), int)


def test_registered_handlers_come_first_and_each_is_wrapped_once() -> None:
    """Given a server with a registered handler and a generic one, when calls come, I expect the registered
    one before the other, the same handler each time, and for what nobody knows the one that says so."""
    own, other = (grpc.unary_unary_rpc_method_handler(_say) for _ in range(2))
    handlers = RecordingHandlers(_recorder(), begins=True)
    handlers.add([grpc.method_handlers_generic_handler("shop.Echo", {"Say": other, "More": other})])
    handlers.register({"/shop.Echo/Say": own})

    async def scenario() -> None:
        first = handlers.service(_details("/shop.Echo/Say"))
        assert first is handlers.service(_details("/shop.Echo/Say"))
        assert first is not handlers.service(_details("/shop.Echo/More"))
        assert handlers.service(_details("/shop.Echo/None")) is MISSING

    asyncio.run(scenario())


def test_only_connections_that_the_server_has_told_of_are_known() -> None:
    """Given a connection that the server has announced, when it is closed, I expect it to be nobody's."""
    recorder = _recorder()
    recorder.wired(4711, made=True)
    assert recorder.knows("ipv4:127.0.0.1:4711")
    assert not recorder.knows("ipv4:127.0.0.2:4711")
    recorder.wired(4711, made=False)
    assert not recorder.knows("ipv4:127.0.0.1:4711")
