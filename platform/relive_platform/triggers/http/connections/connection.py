"""uvicorn's HTTP/1.1 protocol and the limits it lacks: slow clients, the size of each part of a request."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Final, cast

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from relive_platform.triggers.http.connections.exchange import Exchange
from relive_platform.triggers.http.connections.framing import LAST_CHUNK, begin_answer, framed
from relive_platform.triggers.http.connections.head import BadHead, Head, check_authority
from relive_platform.triggers.http.connections.http2 import PREFACE, Taken
from relive_platform.triggers.http.connections.limits import ListenerLimits
from relive_platform.triggers.http.connections.listening import Listening
from relive_platform.triggers.http.connections.refusals import refusal, too_large, too_long
from relive_platform.triggers.http.connections.resuming import parser_of_body
from relive_platform.triggers.http.connections.upgrading import Upgraded, UpgradeExchange
from relive_platform.triggers.http.cors import with_lines
from relive_platform.triggers.http.responses import Response

__all__ = ["Connection"]

SMALL_BODY_BYTES: Final = 65_536  # up to here uvicorn takes a body in without pausing
SLICE_BYTES: Final = 8_192
"""The parser gets no more at once of what may have no end, so that it is counted in time."""
_PIPELINED: Final = 32  # requests that wait for the answers before them; what comes then is not parsed yet
_FRAMING_RATIO: Final = 8  # bytes of framing for each byte of a chunked body, at most


class _Nowhere:
    """Where the headers go that come after a body: no function sees them."""

    def append(self, _header: tuple[bytes, bytes]) -> None:
        pass


_NOWHERE: Final = cast("list[tuple[bytes, bytes]]", _Nowhere())


class Connection(HttpToolsProtocol):
    """One connection. uvicorn's parser, flow control and pipelining; what it does for each request anew (an
    ASGI scope, a task, a timer) is done only if it is needed."""

    cycle: Exchange

    def __init__(self, owner: Listening) -> None:
        super().__init__(config=owner.config, server_state=owner.state, app_state={}, _loop=owner.loop)
        self.owner = owner
        self.address = ""
        self.port = 0
        self.descriptor = -1
        self.receiving = ""  # "head" or "body", from a request's first byte to its last
        self.head_since = owner.loop.time()  # it did not come in one piece; 0 while none is on its way
        self.body_since = 0.0
        self.head_bytes = 0
        self.chunked = False
        self.framing = 0  # bytes of a chunked body since its last part
        self.body_bytes = 0  # of a chunked body
        self.wire_bytes = 0  # with its framing
        self.unparsed = b""  # behind many requests that wait already
        self.refusal: Response | None = None  # why the parser was stopped
        self.idle_since = 0.0
        self.small: Exchange | None = None
        self.going = False
        self.held = False  # the client does not read what it was answered: nothing more is begun for it
        self.unread = 0
        self.unread_since = 0.0
        self.deaf_since = 0.0  # it was answered before all of its body was here: the rest is thrown away
        self.access_log = False
        self.streamed: Exchange | None = None  # whose answer is being sent in parts
        self.left_behind: Sequence[tuple[bytes, bytes]] = ()  # headers of a body that the parser did not take
        self.upgraded: Upgraded | None = None  # what it is once the request is read that asks for it
        self.fresh = owner.http2 is not None  # it may be HTTP/2 by its first bytes
        self.first = b""  # of its preface, as far as it has come
        self.taken: Taken | None = None  # who has it, if it was

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.address = str(self.client[0]) if self.client else ""
        self.port = self.client[1] if self.client else 0
        sock = transport.get_extra_info("socket")
        self.descriptor = sock.fileno() if sock is not None else -1
        if len(self.connections) > self.owner.limits.connections and not self.owner.make_room(self):
            self.owner.refused += 1
            self.refuse(refusal(503, "TooManyConnections", "the gateway's connections are all in use"))

    # ------------------------------------------------------------ in

    def data_received(self, data: bytes) -> None:
        if self._mute:
            return
        if self.fresh and not (data := self._first_of(data)):
            return
        if self.unparsed:
            self.unparsed += data
            return
        size = 0
        try:
            while data:
                try:
                    size = self._parse(data)
                    break
                except httptools.HttpParserUpgrade as end:
                    data = data[end.args[0] :]
                if self.upgraded is not None:
                    self.upgraded.attach(data)
                    return
                self._stay()  # it is answered as if it had not asked for another protocol
        except httptools.HttpParserError:
            if self.refusal is not None:
                self.refuse(self.refusal, sending=True)
            else:
                self.send_400_response("")
            return
        if self.receiving:
            self._watch(size)

    def _parse(self, data: bytes) -> int:
        """Gives how much of it is not counted yet."""
        size = len(data)
        if size > SLICE_BYTES and (self.receiving != "body" or self.chunked):
            return self._feed_slices(data)
        self.parser.feed_data(data)
        return size

    def _stay(self) -> None:
        """The protocol remains the same: what follows the head is its body, or the next request."""
        if self.left_behind:
            headers, self.left_behind = self.left_behind, ()
            self.parser = parser_of_body(self, headers, self.cycle.keep_alive)

    def _first_of(self, data: bytes) -> bytes:
        """What is for the parser of a connection's first bytes: nothing of HTTP/2."""
        data, self.first = self.first + data, b""
        if not PREFACE.startswith(data[: len(PREFACE)]):
            self.fresh = False
        elif len(data) < len(PREFACE):
            self.first, self.receiving = data, "head"
            return b""
        else:
            self.fresh = False
            self.receiving = "head"
            return self._begin_http2(data)
        return data

    def _begin_http2(self, data: bytes) -> bytes:
        http2 = self.owner.http2
        if http2 is not None:
            self.taken = http2.take(self.transport, self.address, data, self._over)
        if self.taken is None:
            return data  # the parser knows no such version
        self.head_since = self.idle_since = 0.0  # it has limits of its own
        return b""

    def _over(self) -> None:
        self.connection_lost(None)

    def _feed_slices(self, data: bytes) -> int:
        """Have all of it parsed, slice by slice; gives the size of the last, which is not counted yet."""
        view = memoryview(data)
        piece = view[:SLICE_BYTES]
        for start in range(0, len(data), SLICE_BYTES):
            piece = view[start : start + SLICE_BYTES]
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as end:
                raise httptools.HttpParserUpgrade(start + end.args[0]) from None
            if self._mute:
                break
            if len(self.pipeline) > _PIPELINED:
                self.unparsed = bytes(view[start + SLICE_BYTES :])
                break
            if self.receiving and start + SLICE_BYTES < len(data):
                self._watch(len(piece))
                if self._mute:
                    break
        return len(piece)

    def _watch(self, size: int) -> None:
        """A request has not come in one piece: from now on it is timed and counted."""
        if self._mute:
            return
        now = self.loop.time()
        if self.receiving == "body":
            self.body_since = self.body_since or now
            if self.chunked:
                self._count_framing(size)
            return
        self.head_since = self.head_since or now
        self.head_bytes += size
        limits = self.owner.limits
        if len(self.url) > limits.target_bytes:
            self.refuse(too_long(limits.target_bytes), sending=True)
        elif self.head_bytes > limits.head_bytes:
            self.refuse(too_large(f"the request head is over {limits.head_bytes} bytes"), sending=True)

    def _count_framing(self, size: int) -> None:
        """Sizes of chunks, extensions and trailers are no body, and count as well."""
        limits = self.owner.limits
        self.framing += size
        self.wire_bytes += size
        rest = self.wire_bytes - self.body_bytes
        if self.framing > limits.chunk_bytes + SLICE_BYTES:
            self.refuse(
                too_large(f"chunk extensions or trailers are over {limits.chunk_bytes} bytes"), sending=True
            )
        elif rest > limits.head_bytes + _FRAMING_RATIO * self.body_bytes:
            self.refuse(too_large("the body has more framing than content"), sending=True)

    def on_message_begin(self) -> None:
        self.receiving = "head"
        self.url = b""
        self.headers = []
        self.idle_since = 0.0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.receiving = "body"
        self.head_since = 0.0
        self.head_bytes = 0
        owner, parser, url, headers = self.owner, self.parser, self.url, self.headers
        self.headers = _NOWHERE
        limits, texts = owner.limits, owner.texts
        if len(url) > limits.target_bytes:
            self.refusal = too_long(limits.target_bytes)
            raise BadHead
        if len(headers) > limits.headers:
            self.refusal = too_large(f"the request has more than {limits.headers} headers")
            raise BadHead
        path, query, target, segments = texts.target(url)
        pairs, special = texts.headers(headers)
        version = parser.get_http_version()
        if "host" not in special and version == "1.1":
            raise BadHead("there is no host")
        if not url.startswith(b"/"):
            check_authority(url, special.get("host", b""))
            url = (target + (f"?{query}" if query else "")).encode("latin-1")  # as all others name it
        if "expect" in special and special["expect"].lower() != b"100-continue" and version == "1.1":
            message = "the only expectation that this server meets is 100-continue"
            self.refusal = refusal(417, "ExpectationFailed", message)
            raise BadHead
        head = Head(
            texts.method(parser.get_method()),
            path,
            query,
            pairs,
            special,
            self.scheme or "http",
            self.address,
            headers,
            self.address,
            self.port,
            url,
            target,
            segments,
            version,
        )
        keep_alive = parser.should_keep_alive()
        if "connection" in special:  # without it only HTTP/1.1 keeps connections
            keep_alive = keep_alive and version != "1.0"
        previous = self.cycle
        waits = previous is not None and not previous.response_complete
        exchange = self.cycle = self._exchange(head, keep_alive, waits)
        if not keep_alive and version == "1.0":
            exchange.old = True
        if waits:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))
        elif head.bodiless:
            self.small = exchange  # begins in on_message_complete, in this same turn
        else:
            self._start(exchange)

    def _exchange(self, head: Head, keep_alive: bool, waits: bool) -> Exchange:
        """`waits`: behind others, of the same connection."""
        special = head.special
        if self.parser.should_upgrade() and head.body_bytes:
            self.left_behind = head.raw
            special.pop("upgrade", None)  # with a body, nobody is given another protocol
        if "transfer-encoding" in special:
            self.chunked = True
            self.framing = self.body_bytes = self.wire_bytes = 0
        if "upgrade" in special:
            if not waits:
                return UpgradeExchange(self, head, keep_alive)
            del special["upgrade"]  # it is answered as if it had not asked
        return Exchange(self, head, keep_alive)

    def on_body(self, body: bytes) -> None:
        if self.chunked:
            self.framing = 0
            self.body_bytes += len(body)
        exchange = self.cycle
        if exchange.response_complete:
            return
        if exchange.passes_on:
            self.body_since = self.loop.time()  # it moves: a large upload may take its time
        if exchange.body:
            exchange.body += body
        else:
            exchange.body = bytearray(body)
        if len(exchange.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        exchange.message_event.set()

    def on_message_complete(self) -> None:
        if self.left_behind:
            return
        self.receiving = ""
        self.body_since = 0.0
        self.chunked = False
        exchange = self.cycle
        if not exchange.response_complete:
            exchange.more_body = False
            exchange.message_event.set()
        if self.small is not None:
            exchange, self.small = self.small, None
            self._begin(exchange)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client may close its end after its request: it still gets the answer."""
        if self.unparsed:
            return True
        if self.cycle is None or self.cycle.response_complete or self.receiving:
            return None
        if self.cycle.upstream is not None:
            return None  # as other servers do it: a service is told at once that its client has gone
        self.cycle.keep_alive = False  # it is the last one, even if others wait before it
        return True

    # ------------------------------------------------------------ on

    def _start(self, exchange: Exchange) -> None:
        """A complete request needs no task; a large or chunked body is read by one."""
        head = exchange.head
        if not exchange.more_body:
            self._begin(exchange)
        elif 0 <= head.body_bytes <= SMALL_BODY_BYTES and "expect" not in head.special:
            self.small = exchange  # begins in on_message_complete, in this same turn as a rule
        else:
            self._spawn(exchange)

    def _begin(self, exchange: Exchange) -> None:
        if not self.owner.gateway.begin(exchange.head, bytes(exchange.body), exchange):
            self._spawn(exchange)

    def _spawn(self, exchange: Exchange) -> None:
        exchange.open()
        task = self.loop.create_task(self._handle(exchange))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _handle(self, exchange: Exchange) -> None:
        response = await self.owner.gateway.handle(exchange.head, exchange)
        if response is not None:
            exchange.free()
            self.respond(exchange, response)
        elif exchange.disconnected and not exchange.told:
            exchange.free()

    # ------------------------------------------------------------ out

    def respond(self, exchange: Exchange, response: Response) -> None:
        """Head and body in one write: two would be two system calls, and wake the client twice."""
        if exchange.disconnected or self._mute:
            return
        status, head, body, close = response
        if exchange.head.method == "HEAD":
            body = b""
        if close:
            exchange.keep_alive = False
        if exchange.cors:
            head = with_lines(head, exchange.cors)
        end = b"\r\n" if exchange.keep_alive else b"connection: close\r\n\r\n"
        self._write_now(b"".join((STATUS_LINE[status], self.owner.date, head, end, body)))
        exchange.response_complete = True
        exchange.message_event.set()
        if not exchange.keep_alive:
            self._close(exchange)
        self.on_response_complete()

    def _write_now(self, data: bytes) -> None:
        """Past the loop, which writes only after it has read all that has come, from workers, too: the client
        goes on meanwhile."""
        transport = self.transport
        if self.descriptor >= 0 and not transport.get_write_buffer_size():
            try:
                data = data[os.write(self.descriptor, data) :]
            except OSError:
                pass  # it is full, or gone: the transport will find out
        if data:
            transport.write(data)

    def _close(self, exchange: Exchange) -> None:
        """Close, but hear out a client that is still sending its body.

        To close now would reset the connection, and most clients would see that instead of their answer.
        """
        if exchange.more_body and exchange is self.cycle:
            self._hear_out()
        else:
            self.transport.close()

    def _hear_out(self) -> None:
        if self.transport.can_write_eof():
            self.deaf_since = self.loop.time()
            self.transport.write_eof()
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Begin the next request, but not for a client that does not read: its answers would pile up."""
        flow = self.flow
        over = self._mute
        if flow.write_paused and not over:
            self.held = True
            flow.pause_reading()
        elif over or self.pipeline or self.unparsed or self.held or self.going:
            self._go_on()
        else:  # nothing waits, as nearly always
            flow.resume_reading()
            self.idle_since = self.loop.time()

    # ------------------------------------------------------------ out, part by part

    def begin_stream(self, exchange: Exchange, response: Response) -> None:
        """The head of an answer whose body follows."""
        transport = self.transport
        self.streamed = exchange
        if exchange.disconnected or self._mute:
            exchange.lost()
            return
        transport.write(begin_answer(exchange, response, self.owner.date))
        if exchange.bodiless and exchange.stream is not None:
            exchange.stream.left()  # the function need not go on

    def write_part(self, exchange: Exchange, part: bytes) -> bool:
        """Whether it was written: the client is there, and wants a body."""
        if exchange.disconnected or self._mute or not exchange.length:
            return False
        self.transport.write(framed(exchange, part))
        return True

    def end_stream(self, exchange: Exchange, ok: bool) -> None:
        """A clean end, or none: a client has to see that an answer broke off."""
        self.streamed = None
        transport = self.transport
        if exchange.disconnected or self._mute:
            return
        if not ok and exchange.length:
            self._break_off(exchange)
            return
        if exchange.chunked:
            transport.write(LAST_CHUNK)
        exchange.response_complete = True
        exchange.message_event.set()
        if not exchange.keep_alive:
            self._close(exchange)
        self.on_response_complete()

    def _break_off(self, exchange: Exchange) -> None:
        if exchange.chunked or exchange.length > 0:
            self.transport.close()
        else:
            self.transport.abort()  # HTTP/1.0: the end of the connection is the end of the answer

    def shutdown(self) -> None:
        """The server stops."""
        if self.taken is not None:
            self.taken.leave()
            return
        if self.upgraded is not None:
            self.upgraded.leave()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.cycle is not None:
            self._lose(self.cycle)
        super().connection_lost(exc)
        if self.upgraded is not None:
            self.upgraded.lost_early()
        if self.streamed is not None:
            self.streamed.lost()
            self.streamed = None

    def _lose(self, cycle: Exchange) -> None:
        """Its client has gone, or hears no more."""
        if cycle.upstream is not None and not cycle.told and cycle is not self.streamed:
            cycle.lost()
        if not cycle.response_complete:
            cycle.disconnected = True
        cycle.waiting_for_100_continue = False
        cycle.message_event.set()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.streamed is not None:
            self.streamed.taken()
        if self.held:
            self.held = False
            self._go_on()

    def _go_on(self) -> None:
        """Begin what waits, one after the other: many may be refused at once, without a worker."""
        if self.going:
            return  # called from below
        self.going = True
        try:
            while self.pipeline and not self._stopped:
                exchange = cast("Exchange", self.pipeline.pop()[0])
                if not self.pipeline:
                    self._take_more()
                self._start(exchange)
                if not exchange.response_complete:
                    return
        finally:
            self.going = False
        if self.deaf_since and not self.transport.is_closing():
            self.flow.resume_reading()  # what still comes is heard out
        if self._stopped:
            return
        self._take_more()
        if not self.unparsed:
            self.idle_since = self.loop.time()

    @property
    def _stopped(self) -> bool:
        """Nothing more is begun."""
        return self.held or self._mute

    @property
    def _mute(self) -> bool:
        """Nothing more is said to the client."""
        return bool(self.deaf_since) or self.transport.is_closing()

    def _take_more(self) -> None:
        """What waits to be parsed comes before what waits in the socket."""
        if self.unparsed:
            self.loop.call_soon(self._feed_rest)
        else:
            self.flow.resume_reading()

    def _feed_rest(self) -> None:
        data, self.unparsed = self.unparsed, b""
        if data:
            self.data_received(data)
            if not self.unparsed and not self.pipeline and not self.transport.is_closing():
                self.flow.resume_reading()

    def refuse(self, response: Response, *, sending: bool = False) -> None:
        """Answer and close. A client that is `sending` is heard out."""
        if self.streamed is not None:  # a second head would be taken for a part of that answer
            self._break_off(self.streamed)
            return
        status, head, body, _ = response
        end = b"connection: close\r\n\r\n"
        self.transport.write(b"".join((STATUS_LINE[status], self.owner.date, head, end, body)))
        if not sending:
            self.transport.close()
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._lose(cycle)
        self._hear_out()
        self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn does with a request that cannot be parsed."""
        response = refusal(400, "BadRequest", "this is not an HTTP request that can be understood")
        self.refuse(response, sending=True)

    @property
    def waits_since(self) -> float:
        """Since when it has no request, not even a part of one that will be answered; 0 if it has."""
        if self.transport is None or self.transport.is_closing():
            return 0.0
        if self.deaf_since or self.receiving or self.transport.get_write_buffer_size():
            return self.deaf_since
        return self.idle_since or (self.head_since if self.cycle is None else 0.0)

    def sweep(self, now: float, limits: ListenerLimits) -> None:
        """Turn the client away if it is too slow."""
        if self.taken is not None or self.transport is None:
            return  # who has taken it has limits of its own
        if self._stalled(now, limits.body_s) or self.transport.is_closing():
            return
        if self.deaf_since:
            if now - self.deaf_since > limits.body_s:
                self.transport.abort()
            return
        if self.cycle is not None and self.cycle.is_held:
            self.body_since = self.body_since and now  # the application's time
        if self.pipeline or (self.cycle is not None and not self.cycle.response_complete and self.head_since):
            # It waits for an answer itself: what it has sent of its next request may take its time.
            self.head_since = self.head_since and now
            self.body_since = self.body_since and now
        elif self.head_since and now - self.head_since > limits.head_s:
            self.refuse(refusal(408, "SlowRequest", "the request head did not arrive in time"))
        elif self.body_since and now - self.body_since > limits.body_s:
            self.refuse(refusal(408, "SlowRequest", "the request body did not arrive in time"))
        elif self.idle_since and now - self.idle_since > limits.keep_alive_s:
            self.transport.close()

    def _stalled(self, now: float, limit_s: float) -> bool:
        """Whether it has read nothing of what waits for it for too long; then it is cut off."""
        unread = self.transport.get_write_buffer_size()
        if unread != self.unread or not unread:
            self.unread, self.unread_since = unread, now
        elif now - self.unread_since > limit_s:
            self.transport.abort()
            return True
        return False
