"""Who is at the other end of a connection: a process of this worker, or somebody else's.

TCP on loopback has no owner that the kernel tells (SO_PEERCRED is for unix sockets), and the Runtime API has
no secret that all of its clients would send. But whose descriptor a socket is can be seen in /proc: those of
this process and of what it has started, also of what has left its parents, as this process adopts orphans.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from typing import Final

__all__ = ["Peers", "descendants"]

_MAX_PROCESSES: Final = 1_024
_LISTED: Final = 8 * 1024 * 1024  # of /proc/net/tcp: some 50,000 connections
_ROUNDS: Final = 2

Address = tuple[str, int]


def descendants(pid: int) -> list[int]:
    """All that a process has started and that still is there, within limits."""
    found: list[int] = []
    pending = [pid]
    while pending and len(found) < _MAX_PROCESSES:
        for child in _children(pending.pop()):
            found.append(child)
            pending.append(child)
    return found


def _children(pid: int) -> Iterator[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for thread in threads:
        yield from map(int, _read(f"/proc/{pid}/task/{thread}/children", 65_536).split())


class Peers:
    """Knows whether a client of our listener is one of our own processes."""

    def __init__(self, own: socket.socket) -> None:
        """`own`: the listener, on 127.0.0.1."""
        self._listener: Address = own.getsockname()

    def belongs(self, peer: Address) -> bool:
        """Whether the client at the address `peer` is this process's or one of its descendants'."""
        inode = self._inode(peer)
        # A process that is forked while we look may have the only descriptor by then: once more.
        return inode > 0 and any(self._has(inode) for _ in range(_ROUNDS))

    def _inode(self, peer: Address) -> int:
        """Of the client's end, by the kernel's table of connections, which has it with its addresses swapped;
        0 if it has gone."""
        wanted = f"{_hex(peer)} {_hex(self._listener)}".encode()
        table = _read("/proc/self/net/tcp", _LISTED)
        at = table.find(wanted)
        if at < 0:
            return 0
        fields = table[at : table.find(b"\n", at)].split()
        return int(fields[8]) if len(fields) > 8 else 0

    def _has(self, inode: int) -> bool:
        wanted = f"socket:[{inode}]"
        own = os.getpid()
        return any(wanted in _links(pid) for pid in (*descendants(own), own))


def _hex(address: Address) -> str:
    """As /proc/net/tcp has it: the address in the machine's byte order, the port as a number."""
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"


def _links(pid: int) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"{folder}/{name}")
        except OSError:
            continue  # closed meanwhile


def _read(path: str, limit: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts: list[bytes] = []
        size = 0
        while size < limit and (part := os.read(descriptor, 65_536)):
            parts.append(part)
            size += len(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
