"""Who may talk to the store process: its own user, and only who can read the token beside the socket.

A worker is a process of the same user, and its isolation cannot keep it from connecting to a unix socket; but
it keeps it from reading the home. So the file is the proof.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from relive_store.errors import StoreRefused, StoreUnavailable
from relive_store.process.messages import Hello, decode_request, receive_message

__all__ = ["Admission", "read_token", "token_path"]

HELLO_TIMEOUT_S: Final = 2.0
HELLO_BYTES: Final = 1024
_TOKEN_BYTES: Final = 32
_PEER_CREDENTIALS: Final = struct.Struct("3i")


def token_path(socket_path: Path | str) -> Path:
    """Where the token of the process behind a socket is."""
    return Path(f"{socket_path}.token")


def read_token(socket_path: Path | str) -> str:
    """The token of the process behind a socket. Raises StoreRefused if it may not be read,
    StoreUnavailable if there is none (the process is just leaving)."""
    path = token_path(socket_path)
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError as error:
        raise StoreUnavailable("the store process has no token", where=str(path), hint="try again") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a token"
        raise StoreRefused(
            f"the store's token cannot be read: {reason}",
            where=str(path),
            hint="only Relive itself and its commands talk to the store; functions cannot",
        ) from error


class Admission:
    """One run's token. Made before the process listens, taken away by `close`."""

    def __init__(self, socket_path: Path) -> None:
        self._path = token_path(socket_path)
        self._token = secrets.token_hex(_TOKEN_BYTES)
        draft = self._path.with_suffix(".new")
        with suppress(FileNotFoundError):
            draft.unlink()
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(self._token)
        draft.replace(self._path)

    def close(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            self._path.unlink()

    def check(self, client: socket.socket) -> None:
        """Read a new client's first message. Raises StoreRefused if it is no Hello with the right token,
        OSError or StoreUnavailable if the client goes away or says nothing for HELLO_TIMEOUT_S."""
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
        _, user, _ = _PEER_CREDENTIALS.unpack(credentials)
        if user != os.getuid():
            raise StoreRefused(f"user {user} may not use the store of user {os.getuid()}")
        client.settimeout(HELLO_TIMEOUT_S)
        try:
            data = receive_message(client, HELLO_BYTES)
            first = decode_request(data) if data is not None else None
        except (msgspec.DecodeError, StoreUnavailable):
            first = None
        given = first.token if isinstance(first, Hello) else ""
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode()):
            raise StoreRefused(
                "the store wants its token first, and this is not it",
                where=str(self._path),
                hint="only Relive itself and its commands talk to the store; functions cannot",
            )
