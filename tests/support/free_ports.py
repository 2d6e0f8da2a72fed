"""Ports for servers that are told theirs before they listen, and again when they start anew."""

from __future__ import annotations

import fcntl
import os
import random
import socket
from pathlib import Path

__all__ = ["free_port"]

_LOCKS = Path(f"/tmp/relive-ports-{os.getuid()}")
_PORTS = range(20_000, 30_000)
"""Below those that the system gives to whoever asks for any: between the question and the start it would give
this one to somebody else."""
_held: list[int] = []  # descriptors: a lock lasts as long as this process


def free_port() -> int:
    """A port that nobody listens on, and that no other test on this machine gets while this process lives."""
    _LOCKS.mkdir(exist_ok=True)
    for port in random.sample(_PORTS, len(_PORTS)):
        lock = os.open(_LOCKS / str(port), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as found:
                found.bind(("127.0.0.1", port))
        except OSError:
            os.close(lock)
            continue
        _held.append(lock)
        return port
    raise RuntimeError("no port is free")
