"""Where a socket listens, as settings name it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from relive_base.errors import UsageError

__all__ = ["Address", "SettingsError", "parse_address"]


class SettingsError(UsageError):
    """A setting of the server is wrong."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a socket listens: host and port, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str, *, name: str = "address") -> Address:
    """`HOST:PORT`, `[IPv6]:PORT`, `:PORT` (loopback) or `unix:///PATH`. Port 0 picks a free one.

    Raises SettingsError.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        path = path.removeprefix("//")
        if not path.startswith("/"):
            raise SettingsError(
                f"the socket path in {text!r} is not absolute", where=name, hint="write unix:///path"
            )
        return Address(path=path)
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise SettingsError(
            f"{text!r} is not HOST:PORT",
            where=name,
            hint="write for example 127.0.0.1:8700, or port 0 for a free one",
        )
    return Address(host=host.strip("[]") or "127.0.0.1", port=int(port))
