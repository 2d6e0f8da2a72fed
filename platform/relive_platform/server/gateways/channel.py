"""What the server and a gateway beside it say to each other: questions with answers, and what is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from relive_base.errors import NotFound, Refused, ReliveError, UsageError
from relive_base.wire.framing import FrameError, FrameReader, framed
from relive_base.within import within

from relive_platform.engine.failed.frozen import NotKept

__all__ = ["Asked", "Channel", "Gone", "Told"]

Asked = Callable[[bytes], Awaitable[bytes]]
Told = Callable[[bytes], object]
_KINDS: Final = {kind.__name__: kind for kind in (NotKept, NotFound, Refused, UsageError)}
_log = logging.getLogger(__name__)
_encoder: Final = msgspec.msgpack.Encoder()


class Gone(ReliveError):
    """The process at the other end has ended, or does not answer."""


class _Message(msgspec.Struct, array_like=True):
    """`number` > 0: a question, < 0: the answer to it, 0: neither. `verb` is "" of an answer, "error" if it
    is one."""

    number: int
    verb: str
    body: bytes


class _Problem(msgspec.Struct, array_like=True):
    kind: str
    message: str
    where: str = ""
    hint: str = ""


_messages: Final = msgspec.msgpack.Decoder(_Message)
_problems: Final = msgspec.msgpack.Decoder(_Problem)


class Channel(asyncio.Protocol):
    """One end. Everything runs on the event loop."""

    def __init__(
        self, asked: Mapping[str, Asked], told: Mapping[str, Told], lost: Callable[[], object]
    ) -> None:
        """`asked` and `told`: who takes what, by verb; `lost`: the other end is closed."""
        self._asked = asked
        self._told = told
        self._lost = lost
        self._reader = FrameReader(self._take)
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
        except (FrameError, msgspec.DecodeError) as error:
            _log.error("a process of this server sent nonsense: %s", error)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Gone("the gateway's process has ended"))
        self._waiting.clear()
        self._lost()

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.abort()

    def tell(self, verb: str, body: object = None) -> None:
        """Say something; nothing comes back. A process that has gone does not hear it."""
        self._send(_Message(0, verb, _encoder.encode(body)))

    async def ask(self, verb: str, body: object = None, timeout_s: float = 10.0) -> bytes:
        """The answer. Raises Gone, and what the other end raises as ReliveError."""
        if self._transport is None:
            raise Gone("the gateway's process has ended")
        self._number += 1
        number = self._number
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send(_Message(number, verb, _encoder.encode(body)))
        try:
            return await within(future, timeout_s)
        except TimeoutError:
            raise Gone(f"a gateway's process did not answer within {timeout_s:g} s") from None
        finally:
            self._waiting.pop(number, None)

    def _send(self, message: _Message) -> None:
        if self._transport is not None:
            self._transport.write(framed(_encoder.encode(message)))

    def _take(self, payload: bytes) -> None:
        message = _messages.decode(payload)
        if message.number < 0:
            self._answered(message)
        elif message.number:
            task = asyncio.get_running_loop().create_task(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._hear(message)

    def _hear(self, message: _Message) -> None:
        """What is told. A handler that fails costs what it was told, and not the channel, whose end would be
        that of a gateway with all that it runs."""
        try:
            self._told[message.verb](message.body)
        except Exception:
            _log.exception("%r, as another process of this server told it, went wrong", message.verb)

    def _answered(self, message: _Message) -> None:
        future = self._waiting.get(-message.number)
        if future is None or future.done():
            return
        if message.verb != "error":
            future.set_result(message.body)
            return
        problem = _problems.decode(message.body)
        kind = _KINDS.get(problem.kind, ReliveError)
        future.set_exception(kind(problem.message, where=problem.where, hint=problem.hint))

    async def _answer(self, message: _Message) -> None:
        try:
            body, verb = await self._asked[message.verb](message.body), ""
        except ReliveError as error:
            problem = _Problem(type(error).__name__, error.message, error.where, error.hint)
            body, verb = _encoder.encode(problem), "error"
        except Exception as error:
            _log.exception("%r of another process of this server went wrong", message.verb)
            body, verb = _encoder.encode(_Problem("", f"{type(error).__name__}: {error}")), "error"
        self._send(_Message(-message.number, verb, body))
