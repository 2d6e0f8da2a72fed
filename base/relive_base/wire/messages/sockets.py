"""A websocket: its messages both ways, within the attempt that serves it.

Credit keeps each side from running ahead of the other: who sends stops once it is `WINDOW_BYTES` ahead of
what the other end says that it has taken.
"""

from __future__ import annotations

from typing import Final

from relive_base.wire.messages.frame import Frame

__all__ = [
    "MESSAGE_COST_BYTES",
    "WEBSOCKET",
    "WINDOW_BYTES",
    "SocketAccept",
    "SocketClose",
    "SocketData",
    "SocketTaken",
]

WEBSOCKET: Final = "websocket"
"""`Invoke.wire` of an attempt that is a websocket."""

WINDOW_BYTES: Final = 262_144
MESSAGE_COST_BYTES: Final = 64
"""What a message counts beside its bytes, so that empty ones are not free."""


class SocketAccept(Frame, tag="socket_accept"):
    """Up: the application takes the websocket; until then, its Result is an HTTP answer."""

    invocation_id: str
    subprotocol: str = ""
    headers: list[tuple[str, str]] = []


class SocketData(Frame, tag="socket_data"):
    """Both ways: one whole message. Text is UTF-8."""

    invocation_id: str
    data: bytes
    text: bool = False


class SocketClose(Frame, tag="socket_close"):
    """Up: the application closes the websocket. Down: it is closed, nothing more will come. 1005: without a
    code; 1006: without a word."""

    invocation_id: str
    code: int = 1000
    reason: str = ""


class SocketTaken(Frame, tag="socket_taken"):
    """Both ways: so much more of what the other end has sent was taken, in bytes and costs of messages."""

    invocation_id: str
    size: int
