"""The server's end of the process that receives OTLP: when it listens."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from relive_base.wire.framing import framed
from relive_platform.server.otlp_in import OtlpIn
from relive_platform.signals.receivers.otlp.child import OtlpChild
from relive_platform.signals.receivers.otlp.messages import OtlpState


class Receiver:
    """A process that says what a test has it say."""

    def __init__(self) -> None:
        self.socket: socket.socket
        self.child = OtlpChild(cast(Any, self._spawn))

    def _spawn(self, control: socket.socket) -> Any:
        self.socket = control.dup()
        return SimpleNamespace(pid=1, wait=lambda timeout: 0)

    def says(self, **state: Any) -> None:
        self.socket.sendall(framed(msgspec.msgpack.encode(OtlpState(**state))))

    async def end(self) -> None:
        self.socket.close()
        await self.child.close()


async def test_who_waits_goes_on_when_it_listens_by_all_that_were_named() -> None:
    receiver = Receiver()
    await receiver.child.start()
    waits = asyncio.ensure_future(receiver.child.opened(("grpc", "http"), 60.0))
    receiver.says(grpc="127.0.0.1:1")
    while not receiver.child.state.grpc:  # noqa: ASYNC110  (its messages come by the loop)
        await asyncio.sleep(0.001)
    assert not waits.done()
    receiver.says(grpc="127.0.0.1:1", http="127.0.0.1:2")
    assert await waits
    await receiver.end()


async def test_a_problem_ends_the_wait() -> None:
    receiver = Receiver()
    await receiver.child.start()
    receiver.says(problems=["OTLP over HTTP is not received on 127.0.0.1:2: taken"])
    assert await receiver.child.opened(("http",), 60.0)
    await receiver.end()


async def test_one_that_does_not_listen_in_time_is_told(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver()
    await receiver.child.start()
    await OtlpIn(receiver.child, named={"http": "127.0.0.1:2"}).opened(0.01)
    assert caplog.messages == ["OTLP is not received yet on 127.0.0.1:2: relive status says when it is"]
    # ... and nobody waits for one that was not asked for
    caplog.clear()
    await OtlpIn(receiver.child).opened(60.0)
    assert caplog.messages == []
    await receiver.end()
