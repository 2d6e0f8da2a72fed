"""Which servers a client of pymongo knew when it chose one, as documents that a replay can make them of."""

from __future__ import annotations

import sys
from typing import Any, Final
from weakref import ref

from relive_capture.record.recording.recorded import Call

__all__ = ["Servers", "fact", "raised"]

_CHANGES: Final = 50
_TEXT: Final = 8_000
_HEAD: Final = bytes(4)
_MESSAGE: Final = (2013).to_bytes(4, "little")
_KINDS: Final[dict[str, dict[str, object]]] = {
    "RSPrimary": {"isWritablePrimary": True},
    "RSSecondary": {"secondary": True},
    "RSArbiter": {"arbiterOnly": True},
    "RSOther": {"hidden": True},
    "RSGhost": {"isreplicaset": True},
    "Mongos": {"msg": "isdbgrid", "isWritablePrimary": True},
    "Standalone": {"isWritablePrimary": True},
    "LoadBalancer": {"serviceId": 1, "isWritablePrimary": True},
    "Unknown": {"ok": 0},
}
_NAMED: Final = (
    ("_max_bson_size", "maxBsonObjectSize"),
    ("_max_message_size", "maxMessageSizeBytes"),
    ("_max_write_batch_size", "maxWriteBatchSize"),
    ("_min_wire_version", "minWireVersion"),
    ("_max_wire_version", "maxWireVersion"),
    ("_replica_set_name", "setName"),
    ("_set_version", "setVersion"),
    ("_election_id", "electionId"),
    ("_tags", "tags"),
    ("_ls_timeout_minutes", "logicalSessionTimeoutMinutes"),
    ("_topology_version", "topologyVersion"),
)


class Servers:
    """Of one client in one invocation. Descriptions never change: they are made documents when told."""

    __slots__ = ("_call", "_changes", "_last", "count", "topology")

    def __init__(self, call: Call, topology: Any) -> None:
        self.count = 0  # servers that were chosen
        self._call = call
        self.topology = ref(topology)
        self._last: Any = None
        self._changes: list[tuple[int, Any]] = []
        call.answered = True
        call.later.append(self._tell)

    def selected(self, description: Any) -> None:
        """A server was chosen, or none was found, of those that are known now."""
        self.count += 1
        if description is not self._last:
            self._last = description
            if len(self._changes) < _CHANGES:
                self._changes.append((self.count, description))
            else:
                self._call.raw.response_cut += 1

    def _tell(self) -> None:
        for at, description in self._changes:
            fact(self._call, {"at": at, **_described(description)})
        self._call.raw.ended = True


def fact(call: Call, value: dict[str, Any]) -> None:
    """A document of ours, as a message that answers."""
    bson: Any = sys.modules["bson"]
    content: bytes = bson.encode(value)
    size = (21 + len(content)).to_bytes(4, "little")
    call.received(size + bytes(8) + _MESSAGE + _HEAD + b"\0" + content)


def raised(error: BaseException, parts: dict[str, object]) -> dict[str, object]:
    """What is to be known of an exception of pymongo, to make one like it."""
    if not type(error).__module__.startswith("pymongo."):
        return parts
    found = dict(parts)
    for name in ("code", "details"):
        value = getattr(error, name, None)
        if isinstance(value, int | dict):
            found[name] = value
    labels = getattr(error, "_error_labels", None)
    if labels:
        found["labels"] = sorted(map(str, labels))
    return found


def _described(description: Any) -> dict[str, Any]:
    servers = [_server(found) for found in description.server_descriptions().values()]
    names: Any = sys.modules["pymongo.topology_description"].TOPOLOGY_TYPE._fields
    return {
        "type": names[description.topology_type],
        "set": description.replica_set_name,
        "servers": servers,
    }


def _server(found: Any) -> dict[str, Any]:
    kind = found.server_type_name
    hello: dict[str, Any] = {"ok": 1, "helloOk": True, **_KINDS.get(kind, {})}
    for attribute, name in _NAMED:
        value = getattr(found, attribute, None)
        if value is not None and value != {}:
            hello[name] = dict(value) if isinstance(value, dict) else value
    hosts = sorted(_joined(host) for host in found.all_hosts)
    if hosts:
        hello["hosts"] = hosts
    for name in ("primary", "me"):
        address = getattr(found, name, None)
        if address:
            hello[name] = _joined(address)
    if found.last_write_date:
        hello["lastWrite"] = {"seconds": found.last_write_date}
    host, port = found.address
    made: dict[str, Any] = {"host": host, "port": port, "hello": hello}
    if found.round_trip_time is not None:
        made["rtt_s"] = found.round_trip_time
    if found.error is not None:
        made["error"] = f"{type(found.error).__name__}: {found.error}"[:_TEXT]
    return made


def _joined(address: Any) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
