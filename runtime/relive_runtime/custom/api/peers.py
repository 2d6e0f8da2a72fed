"""Who is at the other end of a connection: a process of this worker, or somebody else's.

TCP on loopback has no owner that the kernel tells (SO_PEERCRED is for unix sockets), and the Runtime API has
no secret that all of its clients would send. But whose descriptor a socket is can be seen in /proc: those of
this process and of what it has started, also of what has left its parents, as this process adopts orphans.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final

__all__ = ["Peers", "descendants"]

_MAX_PROCESSES: Final = 1_024
_LISTED: Final = 8 * 1024 * 1024  # of /proc/net/tcp: some 50,000 connections
_ROUNDS: Final = 2

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_REQUEST: Final = 1
_ERROR: Final = 2
_ALL_STATES: Final = 0xFFFF_FFFF
_NO_COOKIE: Final = 0xFFFF_FFFF
_NETLINK: Final = struct.Struct("=IHHII")
_DIAG_REQUEST: Final = struct.Struct("=BBBBI")
_DIAG_ID: Final = struct.Struct("!HH4s12x4s12xIII")
_INODE_AT: Final = 68
_ASK_S: Final = 1.0

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
        """Of the client's end, by the kernel. 0 if it has gone."""
        try:
            return _asked_inode(peer, self._listener)
        except OSError:  # a kernel without this interface
            return _listed_inode(peer, self._listener)

    def _has(self, inode: int) -> bool:
        wanted = f"socket:[{inode}]"
        own = os.getpid()
        return any(wanted in _links(pid) for pid in (*descendants(own), own))


def _asked_inode(own: Address, other: Address) -> int:
    """By the interface of `ss`: of one connection, without a list of all. Raises OSError."""
    ident = _DIAG_ID.pack(
        own[1], other[1], socket.inet_aton(own[0]), socket.inet_aton(other[0]), 0, _NO_COOKIE, _NO_COOKIE
    )
    request = _DIAG_REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ALL_STATES) + ident
    head = _NETLINK.pack(_NETLINK.size + len(request), _BY_FAMILY, _REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as asking:
        asking.settimeout(_ASK_S)
        asking.send(head + request)
        answer = asking.recv(8_192)
    size, kind, *_ = _NETLINK.unpack_from(answer)
    if kind == _ERROR:
        (code,) = struct.unpack_from("=i", answer, _NETLINK.size)
        if -code == errno.ENOENT:
            return 0
        raise OSError(-code, os.strerror(-code))
    if kind != _BY_FAMILY or size < _NETLINK.size + _INODE_AT + 4:
        raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))
    (inode,) = struct.unpack_from("=I", answer, _NETLINK.size + _INODE_AT)
    return int(inode)


def _listed_inode(own: Address, other: Address) -> int:
    """By the table of all connections of the machine."""
    table = _read("/proc/self/net/tcp", _LISTED)
    at = table.find(f"{_hex(own)} {_hex(other)}".encode())
    if at < 0:
        return 0
    fields = table[at : table.find(b"\n", at)].split()
    return int(fields[8]) if len(fields) > 8 else 0


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
