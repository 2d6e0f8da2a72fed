"""The scope of an HTTP request."""

from __future__ import annotations

from typing import Any, Final

from relive_base.wire.messages import HttpRequest

from relive_runtime.adapters.service.request import raw_path

__all__ = ["ScopeMaker"]

_FASTAPI_TELEMETRY: Final = "fastapi.telemetry"
"""What FastAPI itself puts into the scope of a request that it is not to look at."""
_KNOWN: Final = 1_000
_VERSION: Final = {"version": "3.0", "spec_version": "2.3"}
_SUBPROTOCOLS: Final = "sec-websocket-protocol"
_SECURE: Final = ("https", "wss")
_TRACE: Final = ("traceparent", "tracestate")


class ScopeMaker:
    """What repeats is encoded once."""

    def __init__(self, state: dict[str, Any], quiet: bool = False) -> None:
        """`quiet`: FastAPI is not to make spans and metrics of its own of each request."""
        self._state = state
        self._more: dict[str, Any] = {_FASTAPI_TELEMETRY: None} if quiet else {}
        self._names: dict[str, bytes] = {}
        self._values: dict[str, bytes] = {}
        self._hosts: dict[str, tuple[str, int]] = {}

    def http(self, request: HttpRequest, trace: tuple[str, str]) -> dict[str, Any]:
        """Of an HTTP request. `trace`: the `traceparent` and `tracestate` that the application is to see."""
        path = request.mount.rstrip("/") + request.path if request.mount else request.path
        target = request.target or raw_path(request)
        return {
            "type": "http",
            "asgi": _VERSION.copy(),
            "http_version": request.version,
            "method": request.method,
            "scheme": request.scheme,
            "path": path,
            "raw_path": target.encode("latin-1", "replace"),
            "query_string": request.query.encode("latin-1", "replace"),
            "root_path": request.mount.rstrip("/"),
            "headers": self.headers(request, trace),
            "client": (request.client, request.client_port) if request.client else None,
            "server": self._server(request),
            "state": self._state.copy(),
            **self._more,
        }

    def websocket(self, request: HttpRequest, trace: tuple[str, str]) -> dict[str, Any]:
        """Of a websocket."""
        scope = self.http(request, trace)
        del scope["method"]
        scope["type"] = "websocket"
        asked = [value for name, value in request.headers if name == _SUBPROTOCOLS]
        scope["subprotocols"] = [one.strip() for value in asked for one in value.split(",") if one.strip()]
        scope["extensions"] = {"websocket.http.response": {}}
        return scope

    def headers(self, request: HttpRequest, trace: tuple[str, str]) -> list[tuple[bytes, bytes]]:
        """All of them, with the trace that is continued instead of the client's."""
        names, values = self._names, self._values
        found: list[tuple[bytes, bytes]] = []
        for name, value in request.headers:
            raw = names.get(name)
            if raw is None:
                if name in _TRACE:
                    continue
                raw = name.encode("latin-1")
                if len(names) < _KNOWN:
                    names[name] = raw
            text = values.get(value)
            if text is None:
                text = value.encode("latin-1")
                if len(values) < _KNOWN and len(value) < 100:
                    values[value] = text
            found.append((raw, text))
        parent, state = trace
        found.append((b"traceparent", parent.encode()))
        if state:
            found.append((b"tracestate", state.encode("latin-1", "replace")))
        return found

    def _server(self, request: HttpRequest) -> tuple[str, int]:
        key = request.host if request.scheme == "http" else f"{request.host} {request.scheme}"
        known = self._hosts.get(key)
        if known is None:
            host, _, port = request.host.rpartition(":")
            if not port.isdecimal():
                host, port = request.host, ""
            known = (
                host.strip("[]") or "localhost",
                int(port) if port else 443 if request.scheme in _SECURE else 80,
            )
            if len(self._hosts) < _KNOWN:
                self._hosts[key] = known
        return known
