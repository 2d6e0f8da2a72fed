"""What libpq does with a connection's memory and psycopg's C code does past Python's methods, in Python."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Escaping", "play_adapters"]


class Escaping:
    """As psycopg.pq.Escaping on a server with standard strings."""

    __module__ = "psycopg.pq"

    def __init__(self, conn: Any = None) -> None:
        self.conn = conn

    def _check(self, name: str) -> None:
        if self.conn is None:
            raise sys.modules["psycopg.errors"].OperationalError(f"{name} failed: no connection provided")
        if self.conn.status != 0:
            raise sys.modules["psycopg.errors"].OperationalError("the connection is closed")

    def escape_literal(self, data: Any) -> bytes:
        """With its quotes; an E before them if it has backslashes."""
        self._check("escape_literal")
        inside = bytes(data).replace(b"'", b"''")
        if b"\\" in inside:
            return b" E'" + inside.replace(b"\\", b"\\\\") + b"'"
        return b"'" + inside + b"'"

    def escape_identifier(self, data: Any) -> bytes:
        """With its quotes."""
        self._check("escape_identifier")
        return b'"' + bytes(data).replace(b'"', b'""') + b'"'

    def escape_string(self, data: Any) -> bytes:
        """Without quotes."""
        return bytes(data).replace(b"'", b"''")

    def escape_bytea(self, data: Any) -> bytes:
        """In hexadecimal digits."""
        return b"\\x" + bytes(data).hex().encode()

    def unescape_bytea(self, data: Any) -> bytes:
        """Of hexadecimal digits, or of the older form with octal numbers."""
        data = bytes(data)
        if data.startswith(b"\\x"):
            return bytes.fromhex(data[2:].decode())
        found, at = bytearray(), 0
        while at < len(data):
            if data[at] != 0x5C:
                found.append(data[at])
                at += 1
            elif data[at + 1 : at + 2] == b"\\":
                found.append(0x5C)
                at += 2
            else:
                found.append(int(data[at + 1 : at + 4], 8))
                at += 4
        return bytes(found)


def play_adapters(adapters: Any, put: Callable[[Any, str, object], None]) -> None:
    """Loaders and dumpers in Python in the place of those in C, which read libpq's memory."""
    optimised = adapters._optimised

    def plain(cls: Any) -> Any:
        return next((own for own, fast in optimised.items() if fast is cls), cls)

    for name in ("get_dumper", "get_dumper_by_oid", "get_loader"):
        put(adapters, name, _plain_of(getattr(adapters, name), plain))


def _plain_of(original: Any, plain: Callable[[Any], Any]) -> Any:
    found: dict[Any, Any] = {}

    def get(self: Any, key: Any, form: Any) -> Any:
        cls = original(self, key, form)
        if cls not in found:
            found[cls] = plain(cls)
        return found[cls]

    return get
