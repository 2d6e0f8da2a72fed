"""Serving the control API: a unix socket always, TCP if it is asked for; both want the token."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc
from relive_base.errors import ReliveError

from relive_platform.api.backend import Backend
from relive_platform.api.control_pb2_grpc import add_ControlServicer_to_server
from relive_platform.api.service import ControlService, TokenCheck

__all__ = ["ControlListener"]

_THREADS: Final = 16
_RPC_LIMIT: Final = 64
_MESSAGE_LIMIT_BYTES: Final = 64 * 1024 * 1024
_STOP_GRACE_S: Final = 2.0


class ControlListener:
    """The gRPC servers, one for each address.

    The unix socket wants the token too: a worker may connect to any socket of its user, but its isolation
    keeps it from reading the file that holds the token.
    """

    def __init__(self, backend: Backend, token: str, *, upload_limit_bytes: int) -> None:
        self._token = token
        self._service = ControlService(backend, upload_limit_bytes=upload_limit_bytes)
        self._servers: list[Any] = []

    def listen_unix(self, path: Path) -> str:
        """Listen on `path` (0600, in a 0700 folder); gives the address for clients."""
        path.unlink(missing_ok=True)
        address = f"unix:{path}"
        self._start(address)
        # Not by umask, which belongs to the whole process: zygotes start meanwhile. Until here the folder
        # keeps others out, and the token does.
        path.chmod(0o600)
        return address

    def listen_tcp(self, host: str, port: int) -> str:
        """Listen on TCP; port 0 picks a free one. Gives "host:port"."""
        shown = f"[{host}]" if ":" in host else host
        bound = self._start(f"{shown}:{port}")
        return f"{shown}:{bound}"

    def _start(self, address: str) -> int:
        server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="relive-api"),
            interceptors=(TokenCheck(self._token),),
            maximum_concurrent_rpcs=_RPC_LIMIT,
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", _MESSAGE_LIMIT_BYTES),
                ("grpc.max_send_message_length", _MESSAGE_LIMIT_BYTES),
            ],
        )
        add_ControlServicer_to_server(self._service, server)  # type: ignore[no-untyped-call]
        try:
            port: int = server.add_insecure_port(address)
        except RuntimeError as error:
            raise ReliveError(
                f"the control API cannot listen on {address}", hint="choose another address with --api"
            ) from error
        server.start()
        self._servers.append(server)
        return port

    def stop(self) -> None:
        """Let running calls end for a moment, then cut them off."""
        stopping = [server.stop(_STOP_GRACE_S) for server in self._servers]
        for event in stopping:
            event.wait(_STOP_GRACE_S + 1)
        self._servers.clear()
