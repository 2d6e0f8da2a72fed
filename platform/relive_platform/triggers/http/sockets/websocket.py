"""One websocket: between the connection of a client and the attempt in a worker that serves it.

    waiting -> open -> closing -> over

Frames are read here, not in the worker: pings are answered, limits hold and the connection is closed with a
code that says why, even if the application's loop stands still or its process is gone.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final, Protocol, cast

from relive_base.records import InvocationRecord
from relive_base.wire.messages import (
    MESSAGE_COST_BYTES,
    WINDOW_BYTES,
    SocketAccept,
    SocketClose,
    SocketData,
    SocketTaken,
    StreamHead,
    StreamPart,
)
from relive_base.wire.messages import Frame as Message
from websockets.exceptions import ProtocolError
from websockets.frames import CLOSE, PING, PONG, Close, Frame
from websockets.http11 import Response as Opening
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from relive_platform.engine.invocation import AnswerStream, Outcome
from relive_platform.triggers.http.bodies import BodyBudget
from relive_platform.triggers.http.responses import BadHeader, opening_lines
from relive_platform.triggers.http.sockets.assembling import Assembler, BadMessage
from relive_platform.triggers.http.sockets.counts import Counts
from relive_platform.triggers.http.sockets.limits import SocketLimits
from relive_platform.triggers.http.sockets.plain import plain_frame, plain_messages

__all__ = ["WebSocket", "WorkerEnd"]

_log = logging.getLogger(__name__)
WAITING: Final = "waiting"  # for the application to accept it
OPENED: Final = "open"
CLOSING: Final = "closing"  # a close was sent, or the connection is being closed
OVER: Final = "over"

_SLICE_BYTES: Final = 8_192
"""So much is parsed before others have their turn: the smallest frames have six bytes."""
_NORMAL: Final = 1000
_GOING_AWAY: Final = 1001
_LOST: Final = 1006
_INTERNAL: Final = 1011
_SWITCHING: Final = 101
_PING: Final = b"relive"


class WorkerEnd(Protocol):
    """The attempt in its worker."""

    def send(self, message: Message, /) -> None: ...
    def gone(self) -> None: ...


class Handshake(Protocol):
    """The HTTP request that has asked for it, and its connection."""

    transport: asyncio.Transport

    def prepare(self, outcome: Outcome, /) -> None: ...
    def set_result(self, outcome: Outcome, /) -> None: ...
    def begin_stream(self, record: InvocationRecord, head: StreamHead, stream: AnswerStream, /) -> None: ...
    def take_part(self, part: StreamPart, /) -> None: ...
    def connection_lost(self, error: Exception | None, /) -> None: ...


class WebSocket(asyncio.Protocol):
    """Waits for the outcome of its attempt, and is the protocol of its connection once that was asked to
    change."""

    def __init__(
        self,
        handshake: Handshake,
        protocol: ServerProtocol,
        opening: Opening,
        limits: SocketLimits,
        budget: BodyBudget,
        on_over: Callable[[WebSocket], None],
    ) -> None:
        """`opening`: the answer that accepts it. `on_over` is told when the connection has gone."""
        self.state = WAITING
        self.counts = Counts()
        self._handshake = handshake
        self._protocol = protocol
        self._opening = opening
        self._limits = limits
        self._assembler = Assembler(limits.fragments, budget)
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self._transport = handshake.transport
        self._worker: WorkerEnd | None = None
        self._ident = ""
        self._version = 0
        self._plain = not protocol.extensions
        self._attached = False  # it has its connection
        self._told = False  # the attempt is over
        self._unparsed = bytearray()
        self._parsing = False  # another turn is due
        self._ahead = 0  # of what the application has taken
        self._write_paused = False
        self._deaf = False  # it reads nothing before the client has read
        self._half_closed = False  # nothing can be written any more
        self._untold = 0  # of what was written, and not told to the worker
        self._used = self._loop.time()  # the last message either way, as of the last sweep
        self._moved = False  # there was one since
        self._pinged = 0.0  # when the last ping left; 0: it was answered
        self._ping_due = 0.0
        self._closing_since = 0.0
        self._leaves_at = 0.0  # when it is closed because its version was replaced

    # ------------------------------------------------------------ from the engine

    def done(self) -> bool:
        """Whether the attempt is over."""
        return self._told

    def begin_body(self, record: InvocationRecord, worker: WorkerEnd, /) -> None:
        """A worker has the attempt."""
        self._worker, self._ident, self._version = worker, record.invocation_id, record.version
        if self.state == OVER:
            worker.gone()

    def begin_stream(self, record: InvocationRecord, head: StreamHead, stream: AnswerStream, /) -> None:
        """The application answers with a response of its own: the handshake is denied."""
        if self.state == WAITING:
            self._handshake.begin_stream(record, head, stream)

    def take_part(self, part: StreamPart, /) -> None:
        """A part of that."""
        if self.state == WAITING:
            self._handshake.take_part(part)

    def take_socket(self, record: InvocationRecord, message: Message, /) -> None:
        """What the application sends."""
        if type(message) is SocketData:
            self._send(message)
        elif type(message) is SocketTaken:
            self._taken(message.size)
        elif type(message) is SocketClose:
            self._close(message.code, message.reason)
        elif type(message) is SocketAccept:
            self._accept(record, message)

    def prepare(self, outcome: Outcome, /) -> None:
        """The attempt is over: its record is told of the messages, or of the answer that there will be."""
        if self.counts.opened:
            record = outcome.record
            if self.state == OPENED:
                self.counts.closed(Close(*_last_word(outcome)), "server")
            record.http_status = _SWITCHING
            record.attributes = {**record.attributes, **self.counts.attributes()}
        else:
            self._handshake.prepare(outcome)

    def set_result(self, outcome: Outcome, /) -> None:
        """The attempt is over, and so is the websocket."""
        self._told = True
        try:
            if not self.counts.opened:
                if self.state == WAITING:
                    self._handshake.set_result(outcome)
            else:
                self._close(*_last_word(outcome))
        except Exception:
            _log.exception("a websocket could not be closed")

    @property
    def version(self) -> int:
        """Of the function that serves it; 0 while it waits for a worker."""
        return self._version

    def leave(self, within_s: float = 0.0) -> None:
        """It is to be closed: the server stops, or its version was replaced. `within_s`: at some time until
        then, so that not all clients come back at once."""
        if within_s and not self._leaves_at:
            self._leaves_at = self._loop.time() + random.uniform(0.0, within_s)
        elif not within_s:
            self._send_away("the server stops")

    # ------------------------------------------------------------ out

    def _accept(self, record: InvocationRecord, message: SocketAccept) -> None:
        if self.state != WAITING or not self._attached:
            return
        opening = self._opening
        try:
            own = opening_lines(record, message.headers)
            if message.subprotocol:
                opening.headers["Sec-WebSocket-Protocol"] = message.subprotocol
            head = opening.serialize()[:-2] + own + b"\r\n"
        except (BadHeader, ValueError) as error:
            self.counts.refused = str(error)
            self._tell_closed(_INTERNAL, f"its accept cannot be sent: {error}")
            return
        self.state = OPENED
        self.counts.opened = True
        self._used = self._loop.time()
        self._ping_due = self._used + self._limits.ping_s
        self._transport.write(head)
        self._go_on()

    def _tell_closed(self, code: int, reason: str) -> None:
        if self._worker is not None and not self._told:
            self._worker.send(SocketClose(invocation_id=self._ident, code=code, reason=reason))

    def _send(self, message: SocketData) -> None:
        data = message.data
        if self.state == OPENED:
            if self._plain:
                self._transport.write(plain_frame(data, message.text))
            else:
                (self._protocol.send_text if message.text else self._protocol.send_binary)(data)
                self._flush()
            self.counts.sent(len(data))
            self._moved = True
        self._untold += len(data) + MESSAGE_COST_BYTES
        if not self._write_paused and self._untold > WINDOW_BYTES // 4:
            self._tell_written()

    def _tell_written(self) -> None:
        size, self._untold = self._untold, 0
        if size and self._worker is not None and not self._told:
            self._worker.send(SocketTaken(invocation_id=self._ident, size=size))

    def _flush(self) -> None:
        """Write what the protocol has to say; an empty part is the end."""
        parts = self._protocol.data_to_send()
        if self._half_closed or self._transport.is_closing():
            return
        if len(parts) == 1 and parts[0]:
            self._transport.write(parts[0])
        elif parts:
            data = b"".join(parts)
            if data:
                self._transport.write(data)
            if not parts[-1]:
                self._end()

    def _end(self) -> None:
        """Hear the client out: to close now could reset the connection, and it would not see why."""
        if self._transport.can_write_eof():
            self._half_closed = True
            self._transport.write_eof()
        else:
            self._transport.close()

    def _send_away(self, reason: str) -> None:
        """Close it though its application has not."""
        if self.state == OPENED:
            self._tell_closed(_GOING_AWAY, reason)
            self._close(_GOING_AWAY, reason)

    def _close(self, code: int, reason: str) -> None:
        """Begin to close, from this end."""
        if self.state != OPENED:
            return
        self.state = CLOSING
        self._closing_since = self._loop.time()
        try:
            self._protocol.send_close(code, _short(reason))
        except ProtocolError:  # no code that may be sent
            self._protocol.send_close(_INTERNAL, "the application gave no valid close code")
        self.counts.closed(self._protocol.close_sent, "server")
        self._flush()
        self._go_on()  # the client's answer may be behind what nobody wants any more

    # ------------------------------------------------------------ the connection

    def attach(self, early: bytes) -> None:
        """The connection is its own from now on; `early` came with the request."""
        if self._transport.is_closing():  # it was refused at once
            self.lost_early()
            return
        self._attached = True
        self._transport.set_protocol(self)
        if early:
            self.data_received(early)

    def lost_early(self) -> None:
        """Its connection has gone, and was never its own."""
        if not self._attached and self.state != OVER:
            self.state = OVER
            if self._worker is not None and not self._told:
                self._worker.gone()
            self._on_over(self)

    def data_received(self, data: bytes) -> None:
        if self.state == WAITING:
            self._unparsed += data
            if len(self._unparsed) > self._limits.early_bytes:
                self._transport.pause_reading()
        elif self.state == OVER:
            return
        elif self._parsing or self._unparsed:
            self._unparsed += data
        elif len(data) <= _SLICE_BYTES:
            self._parse(data)
        else:
            self._unparsed += data
            self._parse_on()

    def _parse_on(self) -> None:
        """One slice, and the rest when others had their turn."""
        self._parsing = False
        if self.state == OVER:
            return
        piece = bytes(self._unparsed[:_SLICE_BYTES])
        del self._unparsed[:_SLICE_BYTES]
        self._parse(piece)
        if self._unparsed and not self._deaf and (self._ahead <= WINDOW_BYTES or self.state == CLOSING):
            self._parsing = True
            self._transport.pause_reading()
            self._loop.call_soon(self._parse_on)
        elif not self._unparsed:
            self._go_on()

    def _parse(self, data: bytes) -> None:
        protocol = self._protocol
        if self.state == OPENED and protocol.current_size is None and not protocol.reader.buffer:
            messages, rest = plain_messages(data, self._limits.message_bytes)
            for message, text in messages:
                self._receive(message, text)
            if rest == len(data):
                return
            data = data[rest:]
        protocol.receive_data(data)
        try:
            for frame in protocol.events_received():
                self._take(cast("Frame", frame))
            if self.state == OPENED:
                self._assembler.hold(len(protocol.reader.buffer))
        except BadMessage as error:
            protocol.fail(error.code, error.reason)
        if protocol.writes:
            self._flush()
            if self._write_paused:  # it asks, and does not read the answers
                self._deaf = True
                self._transport.pause_reading()
        if protocol.state is not OPEN and self.state == OPENED:
            self._failed()

    def _take(self, frame: Frame) -> None:
        """A whole frame of the client. Raises BadMessage."""
        opcode = frame.opcode
        if opcode is PONG:
            self._pinged = 0.0
        elif opcode is CLOSE:
            self._client_closes()
        elif opcode is not PING and self.state == OPENED:
            message = self._assembler.take(frame)
            if message is not None:
                self._receive(*message)

    def _receive(self, data: bytes, text: bool) -> None:
        size = len(data)
        self.counts.received(size)
        self._moved = True
        self._ahead += size + MESSAGE_COST_BYTES
        if self._worker is not None and not self._told:
            self._worker.send(SocketData(invocation_id=self._ident, data=data, text=text))
        if self._ahead > WINDOW_BYTES:
            self._transport.pause_reading()

    def _taken(self, size: int) -> None:
        """The application has taken so much."""
        self._ahead = max(self._ahead - size, 0)
        if self._ahead <= WINDOW_BYTES // 2:
            self._go_on()

    def _go_on(self) -> None:
        """Parse what has come, then read on, as far as there is room."""
        if self._parsing or self._deaf or self._transport.is_closing():
            return
        if self._ahead <= WINDOW_BYTES or self.state == CLOSING:
            if self._unparsed:
                self._parse_on()
            else:
                self._transport.resume_reading()

    def _client_closes(self) -> None:
        received = self._protocol.close_rcvd
        if self.state == OPENED and received is not None:
            self.counts.closed(received, "client")
            self._tell_closed(received.code, received.reason)
        self._become_closing()

    def _failed(self) -> None:
        """The client has broken a rule: the protocol has closed."""
        sent = self._protocol.close_sent
        self.counts.closed(sent, "server")
        self._tell_closed(sent.code if sent is not None else _LOST, sent.reason if sent is not None else "")
        self._become_closing()

    def _become_closing(self) -> None:
        if self.state == OPENED:
            self.state = CLOSING
            self._closing_since = self._loop.time()

    def eof_received(self) -> bool | None:
        return None  # the connection is closed

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = self._deaf = False
        self._tell_written()
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone, with a word or without one."""
        opened = self.state == OPENED
        waiting = self.state == WAITING
        self.state = OVER
        self._assembler.close()
        self._unparsed = bytearray()
        if opened:
            self.counts.lost()
            self._tell_closed(_LOST, "")
        elif waiting and self._worker is not None and not self._told:
            self._worker.gone()
        self._tell_written()
        self._handshake.connection_lost(exc)
        self._on_over(self)

    # ------------------------------------------------------------ now and then

    def sweep(self, now: float) -> None:
        """Pings, and the limits on time."""
        limits = self._limits
        if self.state == CLOSING and now - self._closing_since > limits.close_s:
            self._transport.abort()
        if self.state != OPENED:
            return
        if self._moved:
            self._moved, self._used = False, now
        if self._pinged and now - self._pinged > limits.pong_s:
            self.counts.unanswered = True
            self._tell_closed(_LOST, "the client did not answer a ping")
            self.counts.lost()
            self._become_closing()
            self._transport.abort()
        elif self._leaves_at and now >= self._leaves_at:
            self._send_away("a newer version is in service")
        elif limits.idle_s and now - self._used > limits.idle_s:
            self._send_away(f"no message for {limits.idle_s:g} s")
        elif limits.ping_s and not self._pinged and now >= self._ping_due:
            self._pinged, self._ping_due = now, now + limits.ping_s
            self._protocol.send_ping(_PING)
            self._flush()


def _last_word(outcome: Outcome) -> tuple[int, str]:
    """What a websocket is closed with that its application has left open."""
    if outcome.ok:
        return _NORMAL, ""
    if outcome.record.status == "cancelled":
        return _GOING_AWAY, "the invocation was cancelled"
    return _INTERNAL, "the function failed"


def _short(reason: str) -> str:
    """As much as fits into a close."""
    return reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore")
