"""Addresses to listen on that nobody else can reach."""

from __future__ import annotations

import ipaddress
import socket

from relive_base.errors import ReliveError, UsageError

__all__ = ["listen", "loopback_address"]


def loopback_address(text: str, port: int, what: str) -> tuple[str, int]:
    """(host, port) of HOST:PORT. `port`: the usual one; `what` speaks there ("these pages"). Raises
    UsageError."""
    host, _, given = text.rpartition(":")
    host = host.strip("[]")
    if not host or not given.isascii() or not given.isdigit() or int(given) > 65_535:
        raise UsageError(f"{text!r} is no address", hint=f"give HOST:PORT, such as 127.0.0.1:{port}")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise UsageError(
            f"{host} can be reached by others, and {what} speak plain HTTP",
            hint=f"forward the port instead: ssh -L {port}:127.0.0.1:{port} HOST",
        )
    return host, int(given)


def listen(host: str, port: int) -> socket.socket:
    """Raises ReliveError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise ReliveError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="choose another port with --http"
        ) from error
    return listener
