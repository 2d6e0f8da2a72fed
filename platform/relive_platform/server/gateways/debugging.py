"""Debugging sessions in workers of a gateway beside the server, for clients of the server's control API."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Final, Protocol

import msgspec
from relive_base.errors import NotFound

from relive_platform.api import control_pb2 as pb
from relive_platform.api.local_debug import LocalDebugCall, attach_local
from relive_platform.engine.engine import Engine
from relive_platform.server.gateways.channel import Channel

__all__ = ["RemoteDebugCall", "Sessions"]

_SLACK_S: Final = 5.0
_encode: Final = msgspec.msgpack.Encoder().encode


class Reachable(Protocol):
    """A gateway beside the server."""

    channel: Channel


class _Begun(msgspec.Struct, array_like=True):
    number: int
    worker: bytes  # a FrozenWorker of the control API


class _Wanted(msgspec.Struct, array_like=True):
    number: int
    timeout_s: float


class _Said(msgspec.Struct, array_like=True):
    """What the client does: "line", "end", "complete", "interrupt" or "close"."""

    number: int
    what: str
    text: str = ""
    request: int = 0


_begun: Final = msgspec.msgpack.Decoder(_Begun)
_wanted: Final = msgspec.msgpack.Decoder(_Wanted)
_said: Final = msgspec.msgpack.Decoder(_Said)


class Sessions:
    """In the gateway: the sessions in its workers, by number. On the event loop."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop
        self._numbers = count(1)
        self._calls: dict[int, LocalDebugCall] = {}

    def begin(self, ident: str) -> bytes:
        """Raises NotKept, Refused, UsageError."""
        call = attach_local(self._engine, ident)
        number = next(self._numbers)
        self._calls[number] = call
        return _encode(_Begun(number, call.worker.SerializeToString()))

    async def next(self, body: bytes) -> bytes:
        """What the process says next; empty after the time."""
        wanted = _wanted.decode(body)
        call = self._calls.get(wanted.number)
        if call is None:
            raise NotFound("the debugging session is over")
        said = await self._loop.run_in_executor(None, call.next, wanted.timeout_s)
        return said.SerializeToString() if said is not None else b""

    def said(self, body: bytes) -> None:
        """The client does something."""
        said = _said.decode(body)
        call = self._calls.get(said.number)
        if call is None:
            return
        if said.what in ("line", "end"):
            call.send_line(said.text, end=said.what == "end")
        elif said.what == "complete":
            call.send_complete(said.request, said.text)
        elif said.what == "interrupt":
            call.interrupt()
        else:
            del self._calls[said.number]
            call.close()


class RemoteDebugCall:
    """In the server: one session, used as a `LocalDebugCall` is, by another thread than the loop's."""

    def __init__(self, gateway: Reachable, loop: asyncio.AbstractEventLoop, begun: bytes) -> None:
        found = _begun.decode(begun)
        self.worker = pb.FrozenWorker.FromString(found.worker)
        self._number = found.number
        self._gateway = gateway
        self._loop = loop

    def next(self, timeout_s: float) -> pb.DebugResponse | None:
        """What the process says next; None after `timeout_s`. `ended` is the last."""
        wanted = _Wanted(self._number, timeout_s)
        asking = self._gateway.channel.ask("debug_next", wanted, timeout_s + _SLACK_S)
        try:
            said = asyncio.run_coroutine_threadsafe(asking, self._loop).result()
        except NotFound:
            said = b""
        except Exception:
            return pb.DebugResponse(ended=pb.DebugEnded(reason="the gateway that had the process has ended"))
        return pb.DebugResponse.FromString(said) if said else None

    def send_line(self, text: str, *, end: bool = False) -> None:
        """The answer to a prompt; `end` is the end of the input."""
        self._say(_Said(self._number, "end" if end else "line", text))

    def send_complete(self, request: int, text: str) -> None:
        """Ask for completions of the line up to the cursor."""
        self._say(_Said(self._number, "complete", text, request))

    def interrupt(self) -> None:
        """Stop what runs."""
        self._say(_Said(self._number, "interrupt"))

    def close(self) -> None:
        """The client has left."""
        self._say(_Said(self._number, "close"))

    def _say(self, said: _Said) -> None:
        try:
            self._loop.call_soon_threadsafe(self._gateway.channel.tell, "debug_said", said)
        except RuntimeError:
            pass  # the loop has ended, and the session with it
