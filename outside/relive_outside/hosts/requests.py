"""A request as a scene has it, from what ASGI and WSGI servers give."""

from __future__ import annotations

from typing import Any, Final

from relive_base.wire.messages import HttpRequest

__all__ = ["request_of_environ", "request_of_scope"]

_HEADERS: Final = 200
_PORTS: Final = {"http": "80", "https": "443"}


def request_of_scope(scope: Any) -> HttpRequest:
    """Of a scope of ASGI for HTTP or a websocket, without its body."""
    headers = [
        (bytes(name).decode("latin-1").lower(), bytes(value).decode("latin-1"))
        for name, value in list(scope.get("headers") or ())[:_HEADERS]
    ]
    client = scope.get("client") or ("", 0)
    mount = str(scope.get("root_path") or "").rstrip("/")
    path = str(scope.get("path") or "/")
    raw = scope.get("raw_path")
    return HttpRequest(
        method=str(scope.get("method") or "GET"),
        path=path.removeprefix(mount) if mount and path.startswith(mount) else path,
        query=bytes(scope.get("query_string") or b"").decode("latin-1"),
        headers=headers,
        scheme=str(scope.get("scheme") or ("ws" if scope.get("type") == "websocket" else "http")),
        host=next((value for name, value in headers if name == "host"), ""),
        client=str(client[0] or ""),
        mount=mount,
        target=bytes(raw).decode("latin-1") if raw else "",
        version=str(scope.get("http_version") or "1.1"),
        client_port=int(client[1] or 0),
    )


def request_of_environ(environ: dict[str, Any]) -> HttpRequest:
    """Of an environ of WSGI, without its body. Its texts are bytes in the guise of Latin-1."""
    headers: list[tuple[str, str]] = []
    for name, value in environ.items():
        if type(value) is str and len(headers) < _HEADERS:
            if name.startswith("HTTP_"):
                headers.append((name[5:].replace("_", "-").lower(), value))
            elif name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
                headers.append((name.replace("_", "-").lower(), value))
    scheme = str(environ.get("wsgi.url_scheme", "http"))
    host = str(environ.get("HTTP_HOST") or "")
    if not host:
        port = str(environ.get("SERVER_PORT", ""))
        host = str(environ.get("SERVER_NAME", ""))
        host = host if port in ("", _PORTS.get(scheme)) else f"{host}:{port}"
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    port_text = str(environ.get("REMOTE_PORT", ""))
    return HttpRequest(
        method=str(environ.get("REQUEST_METHOD", "GET")),
        path=_text(environ.get("PATH_INFO")) or "/",
        query=str(environ.get("QUERY_STRING", "")),
        headers=headers,
        scheme=scheme,
        host=host,
        client=str(environ.get("REMOTE_ADDR", "")),
        mount=_text(environ.get("SCRIPT_NAME")).rstrip("/"),
        target=str(raw).partition("?")[0],
        version=str(environ.get("SERVER_PROTOCOL", "HTTP/1.1")).rpartition("/")[2],
        client_port=int(port_text) if port_text.isdecimal() else 0,
    )


def _text(value: object) -> str:
    text = value if type(value) is str else ""
    if text.isascii():
        return text
    return text.encode("latin-1", "replace").decode("utf-8", "replace")
