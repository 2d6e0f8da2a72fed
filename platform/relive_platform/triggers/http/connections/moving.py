"""Connections that go from process to process between two requests: those of several gateways.

A connection's socket is handed over with what has been read of it and was not begun. So the other process
goes on as if it had accepted it, and the client sees nothing of it.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any, Final, Protocol

import httptools

from relive_platform.triggers.http.connections.connection import Connection
from relive_platform.triggers.http.connections.exchange import Exchange
from relive_platform.triggers.http.connections.head import BadHead, Head
from relive_platform.triggers.http.connections.listening import Listening
from relive_platform.triggers.http.connections.marks import ANSWERS, BEGUN, GONE, RESTS, Mark
from relive_platform.triggers.http.responses import Response

__all__ = ["Moves", "MovingConnection"]

_KEPT_BYTES: Final = 131_072
"""Of what was read since a connection rested, where connections may be handed over in the middle: a request
that goes has a body of 64 KB at most. With more, what is pipelined is not handed over any more."""
_AGAIN_S: Final = 0.005


class Moves(Protocol):
    """Who says where connections go. `round` changes now and then; `active` counts the connections that have
    been answered in it; `budget`: so many of them may go elsewhere."""

    round: int
    active: int
    budget: int
    keeps_all: bool
    """Whether this process begins every request: then nothing of what was read is kept."""

    def keeps(self, head: Head, /) -> bool:
        """Whether this process begins the request, else the connection is handed over with it."""

    def hand_over(self, descriptor: int, data: bytes, /) -> None:
        """Give a socket away with what was read of it. Takes the descriptor over."""

    def rested(self, head: Head, /) -> bool:
        """A connection has no request; `head` is of its last. True: it goes, and `budget` is less by it."""

    def came(self) -> bool:
        """A new connection. True: it is to go elsewhere at once."""


class MovingConnection(Connection):
    """As `Connection`; `moves` is asked at each request, and when nothing of one is left. `data`: what was
    read of it elsewhere. `mark`: where the process that has given it sees how it stands."""

    def __init__(
        self, owner: Listening, moves: Moves, data: bytes | None = None, mark: Mark | None = None
    ) -> None:
        super().__init__(owner)
        self.moves = moves
        self.mark = mark
        self.read: bytes | None = b""  # since it rested; None: too much
        self.begun = 0  # requests in it
        self.gone = False
        self.seen = -1  # the last of its moves' rounds in which it was answered
        self._given = data
        self._again = False
        self._late = b""
        self._feeding = False  # what is read just now: more requests may be in it

    def connection_made(self, transport: Any) -> None:
        if self.mark is not None:
            self.mark.tell(RESTS)
        super().connection_made(transport)
        if self._given is not None:  # it is no new one: it may rest as long as others
            self.head_since, self.idle_since = 0.0, self.loop.time()
        if self._given:
            self.data_received(self._given)
        elif self._given is None and self.moves.came():
            self.loop.call_soon(self._leave)

    def data_received(self, data: bytes) -> None:
        if self.gone:
            self._late += data
            return
        if self.moves.keeps_all:
            pass
        elif self._rests:
            self.read, self.begun = data, 0
        elif self.read is not None and not self._again:
            self.read = self.read + data if len(self.read) + len(data) <= _KEPT_BYTES else None
        self._feeding = True
        try:
            super().data_received(data)
        finally:
            self._feeding = False
        if self.first and self.mark is not None:
            self.mark.tell(BEGUN)

    def _begin_http2(self, data: bytes) -> bytes:
        if self.owner.http2 is None or self.owner.http2.here:
            return super()._begin_http2(data)
        self.gone = True
        self.flow.pause_reading()
        self._give(data)
        return b""

    def _feed_rest(self) -> None:
        self._again = True  # it has been counted
        try:
            super()._feed_rest()
        finally:
            self._again = False

    @property
    def _rests(self) -> bool:
        """Whether it has no request, not even a part of one."""
        if self._again or self.receiving or self.pipeline or self.unparsed or self.upgraded is not None:
            return False
        return self.cycle is None or self.cycle.response_complete

    def on_message_begin(self) -> None:
        self.begun += 1
        if self.mark is not None and self.mark.state == RESTS:
            self.mark.tell(BEGUN)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.gone:
            raise BadHead  # the parser stops, and nobody is answered

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self.gone:
            raise BadHead

    def _start(self, exchange: Exchange) -> None:
        if self.moves.keeps(exchange.head):
            super()._start(exchange)
        else:
            self._hand_over()

    def _begin(self, exchange: Exchange) -> None:
        if self.moves.keeps(exchange.head):
            super()._begin(exchange)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        # With all that has been read behind it, a part of a head included.
        behind = len(self.pipeline) + (self.receiving == "head")
        start = _begin_of(self.read or b"", self.begun - behind) if self.read is not None else -1
        self.pipeline.clear()
        if start < 0:
            self.transport.close()  # a client that pipelines sends again what was not answered
            return
        self.gone = True
        self.flow.pause_reading()
        self._give((self.read or b"")[start:])

    def _give(self, data: bytes) -> None:
        """Once all that was answered is with the kernel."""
        transport = self.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size():
            self.loop.call_later(_AGAIN_S, self._give, data)
            return
        try:
            descriptor = os.dup(transport.get_extra_info("socket").fileno())
        except OSError:  # there are no descriptors left: the client tries again
            transport.abort()
            return
        self.gone = True
        self._tell_gone()
        self.moves.hand_over(descriptor, data + self._late)
        transport.abort()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.read and not self._feeding and self._rests:
            self.read, self.begun = b"", 0
        if self.mark is not None and not self.transport.is_closing():
            unsent = self.transport.get_write_buffer_size()
            self.mark.tell(ANSWERS if unsent else RESTS if self._rests else BEGUN)
        moves = self.moves
        if self.seen != moves.round:
            self.seen = moves.round
            moves.active += 1
        if moves.budget > 0 and self.idle_since and not self.gone and moves.rested(self.cycle.head):
            self.loop.call_soon(self._leave)

    def _leave(self) -> None:
        if self.gone or not self._rests or self.transport is None or self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size():
            return
        self._give(b"")

    def respond(self, exchange: Exchange, response: Response) -> None:
        if self.mark is not None:
            self.mark.tell(ANSWERS)
        super().respond(exchange, response)

    def begin_stream(self, exchange: Exchange, response: Response) -> None:
        if self.mark is not None:
            self.mark.tell(ANSWERS)
        super().begin_stream(exchange, response)

    def refuse(self, response: Response, *, sending: bool = False) -> None:
        if self.mark is not None:
            self.mark.tell(ANSWERS)
        super().refuse(response, sending=sending)

    def _tell_gone(self) -> None:
        """The last word: the place may be another connection's from now on."""
        mark, self.mark = self.mark, None
        if mark is not None:
            mark.tell(GONE)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.mark is not None:
            self._tell_gone()
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self.descriptor)) as same:
                same.shutdown(socket.SHUT_RDWR)  # the other process has it open, too
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        if not self.gone:
            super().send_400_response(msg)


def _begin_of(data: bytes, number: int) -> int:
    """Where the request with this number begins in `data`, which the parser has taken once already; -1: it
    cannot be told."""
    if number <= 1:
        return 0
    counter = _Counter()
    parser = httptools.HttpRequestParser(counter)
    try:
        for at in range(len(data)):
            parser.feed_data(data[at : at + 1])
            if counter.begun == number:
                return at
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        pass
    return -1


class _Counter:
    """Of requests in a stream of bytes."""

    def __init__(self) -> None:
        self.begun = 0

    def on_message_begin(self) -> None:
        self.begun += 1
