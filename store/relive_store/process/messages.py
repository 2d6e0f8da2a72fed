"""The wire of the store process: frames of msgpack (`relive_base.wire.framing`), one Struct per kind, one
answer per request."""

from __future__ import annotations

import socket
from typing import Any, Final

import msgspec
from relive_base.wire.framing import HEADER_BYTES, FrameError, put_header, read_frame

from relive_store.errors import QueryLimit, StoreUnavailable

__all__ = [
    "MAX_MESSAGE_BYTES",
    "Answer",
    "Cancel",
    "Execute",
    "Failure",
    "Hello",
    "Insert",
    "Migrate",
    "Ping",
    "Query",
    "Request",
    "Response",
    "Result",
    "decode_request",
    "decode_response",
    "encode_message",
    "receive_message",
]

MAX_MESSAGE_BYTES: Final = 256 * 1024 * 1024


class _Message(msgspec.Struct, tag_field="t", omit_defaults=True, kw_only=True):
    """Unknown fields are ignored, so that client and process may differ by a version."""


class Hello(_Message, tag="hello"):
    """The first message of every connection; answered by Answer with the pid."""

    token: str = ""


class Query(_Message, tag="query"):
    """Store.query; answered by Result."""

    sql: str
    parameters: dict[str, Any] = {}
    timeout_s: float = 30.0
    max_rows: int = 1_000_000
    read_only: bool = True
    query_id: str = ""
    bytes_columns: list[str] = []


class Insert(_Message, tag="insert"):
    """One block of Store.insert: `columns` is a msgpack map of lists; answered by Answer with the rows."""

    table: str
    columns: msgspec.Raw
    token: str = ""
    timeout_s: float = 60.0


class Execute(_Message, tag="execute"):
    """Store.execute; answered by Answer."""

    sql: str
    parameters: dict[str, Any] = {}
    timeout_s: float = 60.0


class Cancel(_Message, tag="cancel"):
    """Store.cancel; answered by Answer with a bool."""

    query_id: str


class Migrate(_Message, tag="migrate"):
    """Store.migrate; answered by Answer with a list of names."""


class Ping(_Message, tag="ping"):
    """Answered by Answer with the pid."""


Request = Hello | Query | Insert | Execute | Cancel | Migrate | Ping


class Answer(_Message, tag="answer"):
    """A plain value."""

    value: Any = None


class Result(_Message, tag="result"):
    """The columns of a query."""

    names: list[str]
    types: list[str]
    data: list[list[Any]]


class Failure(_Message, tag="failure"):
    """An error, by its name in errors.ERROR_KINDS."""

    kind: str
    message: str
    where: str = ""
    hint: str = ""


Response = Answer | Result | Failure

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_responses: msgspec.msgpack.Decoder[Response] = msgspec.msgpack.Decoder(Response)


def encode_message(message: Request | Response) -> bytearray:
    """`message` with its length before it. Raises QueryLimit over MAX_MESSAGE_BYTES, and msgspec's own
    errors."""
    buffer = bytearray(HEADER_BYTES)
    _encoder.encode_into(message, buffer, HEADER_BYTES)
    length = len(buffer) - HEADER_BYTES
    if length > MAX_MESSAGE_BYTES:
        raise QueryLimit(
            f"a message of {length} bytes is over the {MAX_MESSAGE_BYTES} that the store process takes",
            hint="ask for fewer rows or columns",
        )
    put_header(buffer)
    return buffer


def receive_message(connection: socket.socket, limit: int = MAX_MESSAGE_BYTES) -> bytearray | None:
    """The next message's msgpack; None if the other side has gone. Raises StoreUnavailable over the
    limit."""
    try:
        return read_frame(connection.recv_into, limit)
    except FrameError as error:
        raise StoreUnavailable(error.message) from None


def decode_request(data: bytes | bytearray) -> Request:
    """Raises msgspec.DecodeError."""
    return _requests.decode(data)


def decode_response(data: bytes | bytearray) -> Response:
    """Raises msgspec.DecodeError."""
    return _responses.decode(data)
