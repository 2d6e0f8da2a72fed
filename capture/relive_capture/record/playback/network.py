"""No way to the network: connections, datagrams and names, loopback included."""

from __future__ import annotations

import socket
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any

from relive_capture.record.playback.sockets import FakeSocket, fake_connect

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls

__all__ = ["play_network", "play_ssl"]


def play_network(player: PlayedCalls, module: ModuleType) -> None:
    """Stand before what `socket` offers. A server that the function itself has begun to run can be
    reached."""
    own = player.own_ports
    cls = socket.socket
    connect, connect_ex, listen, sendto = cls.connect, cls.connect_ex, cls.listen, cls.sendto

    def check(address: Any) -> None:
        if _port(address) not in own:
            failure = player.connection_failure(*_place(address))
            raise failure if failure is not None else player.refuse(f"a connection to {_shown(address)}")

    @wraps(connect)
    def played_connect(self: socket.socket, address: Any, /) -> None:
        check(address)
        connect(self, address)

    @wraps(connect_ex)
    def played_connect_ex(self: socket.socket, address: Any, /) -> int:
        try:
            check(address)
        except OSError as error:
            return error.errno or 0
        return connect_ex(self, address)

    @wraps(listen)
    def played_listen(self: socket.socket, *arguments: Any) -> None:
        listen(self, *arguments)
        own.add(_port(self.getsockname()))

    @wraps(sendto)
    def played_sendto(self: socket.socket, data: Any, *arguments: Any) -> int:
        check(arguments[-1])
        return sendto(self, data, *arguments)

    for name, played in (
        ("connect", played_connect),
        ("connect_ex", played_connect_ex),
        ("listen", played_listen),
        ("sendto", played_sendto),
    ):
        player.undo.set(cls, name, played)
    player.undo.set(module, "create_connection", fake_connect(player, module.create_connection))
    _play_names(player, module)


def _play_names(player: PlayedCalls, module: ModuleType) -> None:
    getaddrinfo, gethostbyname = module.getaddrinfo, module.gethostbyname

    @wraps(getaddrinfo)
    def played_getaddrinfo(
        host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        try:  # an address in numbers is no question to anybody
            return getaddrinfo(host, port, family, type, proto, flags | socket.AI_NUMERICHOST)
        except socket.gaierror:
            failure = player.connection_failure(host, port)
            raise (failure or player.refuse(f"the look-up of {host}")) from None

    @wraps(gethostbyname)
    def played_gethostbyname(host: str, /) -> str:
        return str(played_getaddrinfo(host, None, socket.AF_INET)[0][4][0])

    player.undo.set(module, "getaddrinfo", played_getaddrinfo)
    player.undo.set(module, "gethostbyname", played_gethostbyname)


def play_ssl(player: PlayedCalls, module: ModuleType) -> None:
    """A handshake with nobody."""
    context = module.SSLContext
    wrap_socket = context.wrap_socket

    @wraps(wrap_socket)
    def played_wrap(self: Any, sock: Any, *arguments: Any, **options: Any) -> Any:
        if not isinstance(sock, FakeSocket):
            return wrap_socket(self, sock, *arguments, **options)
        failure = player.handshake_failure(options.get("server_hostname") or "")
        if failure is not None:
            raise failure
        return sock.secure()

    player.undo.set(context, "wrap_socket", played_wrap)


def _place(address: Any) -> tuple[object, object]:
    return (address[0], address[1]) if isinstance(address, tuple) and len(address) > 1 else (address, "")


def _port(address: Any) -> object:
    return address[1] if isinstance(address, tuple) and len(address) > 1 else address


def _shown(address: Any) -> str:
    if isinstance(address, tuple) and len(address) > 1:
        return f"{address[0]}:{address[1]}"
    return address.decode(errors="replace") if isinstance(address, bytes) else str(address)
