"""What an HTTP trigger's span says of its request, by OpenTelemetry's semantic conventions."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Final

from relive_base.records import InvocationRecord

__all__ = ["FACTS", "client_json", "http_attributes", "http_name"]

FACTS: Final = ("http_scheme", "http_host", "client", "peer", "user_agent")
"""Fields of a record that many requests have in common."""

_KEPT: Final = 4_096
_LEFT: Final = "relive.client_disconnected"  # in the middle of an answer; no other record has it
_PORTS: Final = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
_WEBSOCKET: Final = ("network.protocol.name", "relive.websocket.")
"""What a websocket's record says of its messages and its end."""


def http_name(record: InvocationRecord) -> str:
    """Method and route, or the function if it has no route."""
    return f"{record.http_method} {record.http_route or record.function}"


def http_attributes(record: InvocationRecord, shared: dict[str, str]) -> dict[str, str]:
    """`shared` and what is known of the request and its answer. A migration makes the same in SQL."""
    attributes = {
        **shared,
        "faas.trigger": "http",
        "http.request.method": record.http_method,
        "url.path": record.http_path,
        **_client(*_facts(record)),
    }
    if record.http_route:
        attributes["http.route"] = record.http_route
    if record.http_status:
        attributes["http.response.status_code"] = str(record.http_status)
    if record.http_query:
        attributes["url.query"] = record.http_query
    if record.peer_port:
        attributes["network.peer.port"] = str(record.peer_port)
    if record.attributes:
        more = record.attributes.items()
        attributes.update((name, value) for name, value in more if name.startswith((_LEFT, *_WEBSOCKET)))
    return attributes


def _facts(record: InvocationRecord) -> tuple[str, str, str, str, str]:
    return record.http_scheme, record.http_host, record.client, record.peer, record.user_agent


@lru_cache(maxsize=_KEPT)
def _client(scheme: str, host: str, client: str, peer: str, user_agent: str) -> dict[str, str]:
    """One shared dict each, not to be changed."""
    address, port = _host(host)
    found = {
        "url.scheme": scheme,
        "server.address": address,
        "server.port": port or (_PORTS.get(scheme, "") if address else ""),
        "client.address": client,
        "network.peer.address": peer,
        "user_agent.original": user_agent,
    }
    return {name: value for name, value in found.items() if value}


@lru_cache(maxsize=_KEPT)
def client_json(scheme: str, host: str, client: str, peer: str, user_agent: str) -> str:
    """FACTS as JSON: the store keeps each different text once."""
    return json.dumps(_client(scheme, host, client, peer, user_agent), ensure_ascii=False)


def _host(host: str) -> tuple[str, str]:
    """Address and port of a Host header: `a.b:80`, `[::1]:80`, `a.b`."""
    if host.startswith("["):
        address, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        address, _, port = host.partition(":")
    return address, port if port.isdecimal() and len(port) < 6 else ""
