"""Which servers clients of pymongo know in a replay, and which of their choices and connections fail."""

from __future__ import annotations

import json
import sys
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import ref

from relive_capture.bodies import body_bytes
from relive_capture.bson_values import packed
from relive_capture.record.playback.answers import NotRecorded, is_abandoned
from relive_capture.record.playback.databases.answering import exception
from relive_capture.record.playback.databases.pymongo_server import MODULES
from relive_capture.record.recording.databases.pymongo_calls import is_monitoring, place_of, seeds_of

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls
    from relive_capture.recording_format import RecordedCall

__all__ = ["Clients", "Refusal", "mongo_error"]

_Address = tuple[str, Any]


class Refusal:
    """A choice of a server, or a connection, that failed."""

    def __init__(self, player: PlayedCalls, recorded: RecordedCall, value: dict[str, Any]) -> None:
        self.raises: dict[str, Any] = _module("bson").decode(packed(value.get("raises") or {}))
        self.took_s = player.took_s(recorded)
        self.given_up = is_abandoned(recorded) if recorded.failure is not None else False


class _Client:
    """One client: the changes of what it knew that are yet to come, and how often it has chosen."""

    def __init__(self, topology: Any, changes: list[dict[str, Any]]) -> None:
        self.topology = ref(topology)
        self.changes = deque(changes)
        self.count = 0
        self.known: dict[str, Any] | None = None


class Clients:
    """All of one replay."""

    def __init__(self, player: PlayedCalls) -> None:
        self._player = player
        self._clients: dict[int, _Client] = {}
        self._hellos: dict[_Address, dict[str, Any]] = {}

    # ------------------------------------------------------------ choosing

    def selects(self, topology: Any) -> Refusal | None:
        """A client is about to choose a server: how that failed, if it did. Raises NotRecorded for one that
        the recording does not know."""
        client = self._client(topology)
        client.count += 1
        while client.changes and client.changes[0].get("at", 0) <= client.count:
            client.known = client.changes.popleft()
        target, recorded_calls = seeds_of(topology), self._player.recorded_calls
        failed = recorded_calls.next_values("select", target)
        if failed is not None:
            value = _documents(failed)[:1] or [{}]
            if value[0].get("at") in (client.count, None) or client.known is None:
                recorded_calls.use(failed)
                return Refusal(self._player, failed, value[0])
        if client.known is None:
            recorded_calls.missing.append(f"open {target}")
            raise NotRecorded(f"{target} is not in the scene's recording", hint=self._player.hint)
        return None

    def _client(self, topology: Any) -> _Client:
        client = self._clients.get(id(topology))
        if client is None or client.topology() is not topology:
            recorded_calls = self._player.recorded_calls
            opened = recorded_calls.next_values("open", seeds_of(topology))
            if opened is not None:
                recorded_calls.use(opened)
            changes = [] if opened is None else _documents(opened)
            client = self._clients[id(topology)] = _Client(topology, changes)
        return client

    def shown(self, topology: Any) -> list[_Address]:
        """Have the client know what it knew; the servers whose connections it may use. Call it with its
        lock."""
        client = self._clients[id(topology)]
        known, names = client.known or {}, _module("pymongo.topology_description")
        made: dict[_Address, Any] = {}
        for server in known.get("servers") or ():
            address = (server["host"], server["port"])
            hello = self._hellos[address] = server["hello"]
            made[address] = _description(address, hello, server.get("rtt_s"))
        topology._description = names.TopologyDescription(
            getattr(names.TOPOLOGY_TYPE, known["type"]),
            made,
            known.get("set"),
            None,
            None,
            topology._settings,
        )
        return [address for address, found in made.items() if found.is_server_type_known]

    # ------------------------------------------------------------ connecting

    def hello(self, address: _Address) -> dict[str, Any]:
        """What that server says of itself, as bson_values has it."""
        return self._hellos.get((address[0], address[1]), {"ok": 1, "maxWireVersion": 21, "helloOk": True})

    def connects(self, pool: Any) -> Refusal | None:
        """How a connection failed, if all that went to that server before it has been asked."""
        if is_monitoring(pool):
            return None
        recorded_calls = self._player.recorded_calls
        failed = recorded_calls.next_values("", place_of(pool.address))
        if failed is None or failed.method != "connect":
            return None
        recorded_calls.use(failed)
        return Refusal(self._player, failed, (_documents(failed)[:1] or [{}])[0])


def mongo_error(raises: dict[str, Any]) -> Exception:
    """The recorded exception."""
    found: Any = exception(raises, MODULES)
    code, details = raises.get("code"), raises.get("details")
    if isinstance(code, int) or isinstance(details, dict):
        try:
            found = type(found)(raises["args"][0], code, details)
        except Exception:  # it is one that has no code
            pass
    for label in raises.get("labels") or ():
        found._add_error_label(label)
    return found  # type: ignore[no-any-return]


def _description(address: _Address, hello: dict[str, Any], rtt_s: Any) -> Any:
    plain = _module("bson").decode(packed(hello))
    seconds = (plain.pop("lastWrite", None) or {}).get("seconds")
    if seconds is not None:
        plain["lastWrite"] = {"lastWriteDate": datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)}
    cls, made = _module("pymongo.server_description").ServerDescription, _module("pymongo.hello").Hello
    return cls(address, made(plain), round_trip_time=rtt_s)


def _documents(recorded: RecordedCall) -> list[dict[str, Any]]:
    data = body_bytes(recorded.response_body)
    return [json.loads(line) for line in data.split(b"\n")] if data else []


def _module(name: str) -> Any:
    return sys.modules[name]
