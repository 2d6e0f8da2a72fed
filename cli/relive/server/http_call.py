"""One HTTP request to a function, through the server's gateway: what `relive invoke --path` sends."""

from __future__ import annotations

import http.client
import socket
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relive_base.errors import ServerUnreachable, UsageError

__all__ = ["Answer", "Request", "headers_of", "send"]

_TIMEOUT_S: Final = 920.0
_UNIX: Final = "unix://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent. `path` is below the function's own URL, with its query."""

    function: str
    method: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `invocation_id` is "" where the gateway answered by itself."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    seconds: float

    @property
    def invocation_id(self) -> str:
        """Of the invocation that gave this answer."""
        return self._header("x-relive-invocation-id")

    @property
    def trace_id(self) -> str:
        """Of its trace."""
        parts = self._header("traceparent").split("-")
        return parts[1] if len(parts) == 4 else ""

    def _header(self, wanted: str) -> str:
        return next((value for name, value in self.headers if name.lower() == wanted), "")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def headers_of(lines: Sequence[str]) -> list[tuple[str, str]]:
    """ "Name: value" lines, as curl takes them. Raises UsageError."""
    found = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or any(character in line for character in "\r\n"):
            raise UsageError(f"{line!r} is not a header", hint="write it as 'Name: value'")
        found.append((name.strip(), value.strip()))
    return found


def send(gateway: str, token: str, request: Request) -> Answer:
    """Raises ServerUnreachable, UsageError."""
    path = request.path if request.path.startswith("/") else f"/{request.path}"
    try:
        target = f"/fn/{urllib.parse.quote(request.function)}{urllib.parse.quote(path, safe=_SAFE)}"
        connection = _connection(gateway)
        began = time.monotonic()
        names = {name.lower() for name, _ in request.headers}
        connection.putrequest(
            request.method, target, skip_host="host" in names, skip_accept_encoding="accept-encoding" in names
        )
        if token:
            connection.putheader("X-Relive-Token", token)
        for name, value in request.headers:
            connection.putheader(name, value.encode("utf-8"))
        if request.body is not None:
            if "content-type" not in names:
                connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        with connection.getresponse() as response:
            body = response.read()
            return Answer(
                status=response.status,
                reason=response.reason,
                headers=response.getheaders(),
                body=body,
                seconds=time.monotonic() - began,
            )
    except (ValueError, UnicodeError) as error:
        raise UsageError(f"this cannot be sent: {error}", hint="see --method, --path and --header") from error
    except (OSError, http.client.HTTPException) as error:
        raise ServerUnreachable(
            f"the gateway gave no answer: {error}", where=gateway, hint="relive status says whether it runs"
        ) from error


_SAFE: Final = "/?&=%+:;,@!$'()*~-._[]"


def _connection(gateway: str) -> http.client.HTTPConnection:
    if gateway.startswith(_UNIX):
        return _UnixConnection(gateway.removeprefix(_UNIX), _TIMEOUT_S)
    place = urllib.parse.urlsplit(gateway)
    return http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=_TIMEOUT_S)
