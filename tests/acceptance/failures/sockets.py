"""Sockets, open, half open and refused."""

import socket
import struct


class ProtocolError(Exception):
    """The other side does not keep to the protocol."""


def _read(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ProtocolError(f"{len(data)} of {size} bytes came")  # fails here: half_a_reply
        data += part
    return data


def half_a_reply(event, context):
    """
    event = {order = 12}
    error = "ProtocolError"
    says = "3 of 64 bytes came"
    locals = {data = "b'abc'", connection = "socket"}
    """
    ours, theirs = socket.socketpair()
    theirs.sendall(struct.pack(">I", 64) + b"abc")
    theirs.close()
    (size,) = struct.unpack(">I", _read(ours, 4))
    return _read(ours, size).decode()


def refused(event, context):
    """
    event = {host = "127.0.0.1", port = 1}
    error = "ConnectionRefusedError"
    locals = {host = "'127.0.0.1'", address = "127.0.0.1"}
    """
    host = event["host"]
    address = (host, event["port"])
    return socket.create_connection(address, timeout=1)  # fails here


def silent_peer(event, context):
    """
    event = {patience_s = 0.05}
    error = "TimeoutError"
    says = "timed out"
    locals = {patience_s = "0.05", ours = "socket"}
    """
    patience_s = event["patience_s"]
    ours, theirs = socket.socketpair()
    ours.settimeout(patience_s)
    theirs.send(b"")
    return ours.recv(100)  # fails here
