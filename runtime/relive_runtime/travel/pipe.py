"""Messages between the processes of a session: MessagePack with a length before it, on a socket pair."""

from __future__ import annotations

import os
import resource
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import msgspec
from relive_runtime.worker.start.process import high_descriptor

__all__ = ["Closed", "Pipe"]

_LENGTH: Final = struct.Struct("!I")
_LARGEST: Final = 64 * 1_048_576


@contextmanager
def _room() -> Iterator[None]:
    """The code may have used up its descriptors; ours come from above its limit, which stays as it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Closed(Exception):
    """The process at the other end is gone, or has sent what is no message."""


class Pipe:
    """One end."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        end.setblocking(True)

    @classmethod
    def pair(cls) -> tuple[Pipe, Pipe]:
        """Both ends."""
        with _room():
            first, second = socket.socketpair()
            return cls.of(first.detach()), cls.of(second.detach())

    @classmethod
    def of(cls, descriptor: int) -> Pipe:
        """An end by its descriptor; where the code would not have one: what it opens has the same numbers in
        every run."""
        with _room():
            high = high_descriptor(descriptor)
            if high != descriptor:
                os.close(descriptor)
            return cls(socket.socket(fileno=high))

    def send(self, message: msgspec.Struct, descriptors: tuple[int, ...] = ()) -> None:
        """Raises Closed."""
        data = msgspec.msgpack.encode(message)
        data = _LENGTH.pack(len(data)) + data
        try:
            if descriptors:
                sent = socket.send_fds(self.end, [data], list(descriptors))
                data = data[sent:]
            self.end.sendall(data)
        except OSError as error:
            raise Closed from error

    def receive(self, kind: Any, *, descriptors: int = 0) -> tuple[Any, list[int]]:
        """The next message, and the descriptors that came with it. Raises Closed."""
        try:
            if descriptors:
                with _room():
                    head, found, _, _ = socket.recv_fds(self.end, _LENGTH.size, descriptors)
            else:
                head, found = self.end.recv(_LENGTH.size), []
            while 0 < len(head) < _LENGTH.size:
                more = self.end.recv(_LENGTH.size - len(head))
                head = head + more if more else b""
            if not head:
                raise Closed
            (left,) = _LENGTH.unpack(head)
            if left > _LARGEST:
                raise Closed
            parts = []
            while left:
                part = self.end.recv(min(left, 1_048_576))
                if not part:
                    raise Closed
                parts.append(part)
                left -= len(part)
            return msgspec.msgpack.decode(b"".join(parts), type=kind), list(found)
        except (OSError, msgspec.DecodeError) as error:
            raise Closed from error

    def ready(self, timeout_s: float) -> bool:
        """Whether something comes, or the other end closes, within `timeout_s`."""
        poll = select.poll()
        poll.register(self.end, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def close(self) -> None:
        """Idempotent."""
        self.end.close()
