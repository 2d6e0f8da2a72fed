"""A process without a network: for a program that runs again what it did once."""

from __future__ import annotations

import fcntl
import socket
import struct
from typing import Final

from relive_runtime.isolation.mounts import unshare

__all__ = ["cut_network"]

_NEW_NETWORK: Final = 0x4000_0000
_SET_FLAGS: Final = 0x8914  # SIOCSIFFLAGS
_UP: Final = 0x1
_REQUEST: Final = struct.Struct("16sh14x")


def cut_network() -> str:
    """From now on this process, which has one thread, and what it starts reach nothing but themselves: "", or
    why not."""
    try:
        unshare(_NEW_NETWORK)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, _SET_FLAGS, _REQUEST.pack(b"lo", _UP))
    except OSError as error:
        return error.strerror or str(error)
    return ""
