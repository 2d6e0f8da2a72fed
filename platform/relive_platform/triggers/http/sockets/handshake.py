"""The opening of a websocket: what the client asks for, checked, and the answer that accepts it."""

from __future__ import annotations

import logging
from typing import Final

from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import CLOSE, Frame
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from relive_platform.triggers.http.connections.head import Head
from relive_platform.triggers.http.responses import Response as Refusal
from relive_platform.triggers.http.responses import problem
from relive_platform.triggers.http.sockets.limits import SocketLimits

__all__ = ["is_websocket", "open_handshake"]

_SWITCHING: Final = 101
_UPGRADE_REQUIRED: Final = 426
_KINDS: Final = {405: "MethodNotAllowed", 426: "UpgradeRequired", 505: "HttpVersion"}
_MORE: Final = {405: "allow: GET\r\n", 426: "upgrade: websocket\r\nsec-websocket-version: 13\r\n"}
_log = logging.getLogger("relive.websockets")
_log.setLevel(logging.CRITICAL)  # what clients do wrong is told to them, and fills no log
_DEFLATE: Final = ServerPerMessageDeflateFactory(
    server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
)
"""Some 64 KiB for a connection, in place of 300."""


class _Server(ServerProtocol):
    """A client may close in the middle of a message."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is CLOSE:
            self.current_size = None
        super().recv_frame(frame)


def is_websocket(head: Head) -> bool:
    """Whether a client asks for one."""
    return head.special.get("upgrade", b"").lower() == b"websocket" and head.method == "GET"


def open_handshake(
    head: Head, limits: SocketLimits, version: str = "HTTP/1.1"
) -> tuple[ServerProtocol, Response] | Refusal:
    """The protocol of an open websocket and the answer that opens it; or why there is none."""
    protocol = _Server(
        state=OPEN,
        extensions=[_DEFLATE] if limits.compression else [],
        max_size=limits.message_bytes,
        logger=_log,
    )
    headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.raw)
    if headers.get_all("Sec-WebSocket-Version") not in (["13"], []):
        more = _MORE[_UPGRADE_REQUIRED]
        return problem(_UPGRADE_REQUIRED, "UpgradeRequired", "only version 13 of websockets is known", more)
    response = protocol.accept(Request(head.path, headers, protocol=version))
    status = int(response.status_code)
    if status != _SWITCHING:
        message = str(protocol.handshake_exc) or "this is no handshake of a websocket"
        return problem(status, _KINDS.get(status, "BadRequest"), message, _MORE.get(status, ""), close=True)
    del response.headers["Date"]
    return protocol, response
