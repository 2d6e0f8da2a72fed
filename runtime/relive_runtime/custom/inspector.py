"""Where a Node.js process stands, by its own inspector: frames with their locals, also out of a loop that
never ends, and what it waits for if nothing runs.

Nothing of it is there before it is needed: at SIGUSR1 Node listens on loopback, at an address with a secret
in it that only its stderr tells (`--inspect-publish-uid=stderr`), and the process ends right after.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from typing import Any, Final

from relive_base.errors import ReliveError
from relive_base.within import within
from relive_capture.record.told import ToldFrame, ToldValue

__all__ = ["InspectorError", "NodeState", "look_into_node"]

_ADDRESS: Final = re.compile(r"Debugger listening on ws://127\.0\.0\.1:(\d{1,5})/([0-9a-f-]{36})")
_MAX_MESSAGE: Final = 8 * 1_048_576
_PAUSE_S: Final = 0.5  # nothing runs that could be paused: it waits
_MAX_FRAMES: Final = 100
_MAX_WITH_LOCALS: Final = 10
_MAX_LOCALS: Final = 50
_MAX_HANDLES: Final = 40
_MAX_SCRIPTS: Final = 10_000
_MAX_URL: Final = 1_000
_TEXT: Final = 200
_SCOPES: Final = ("local", "block", "catch", "with")
_HANDLES: Final = "JSON.stringify(process.report.getReport().libuv)"
_BOOTSTRAP: Final = "/relive_runtime/custom/node/bootstrap.mjs"


class InspectorError(ReliveError):
    """It did not say where it stands."""


class NodeState:
    """`frames`: outermost first; none if nothing runs. `waits`: for what, then."""

    def __init__(self, frames: list[ToldFrame], waits: list[str]) -> None:
        self.frames = frames
        self.waits = waits


async def look_into_node(said: str, source: str, limit_s: float) -> NodeState:
    """`said`: what Node wrote when it began to listen. `source`: frames of files below it have their locals.
    Raises InspectorError, TimeoutError."""
    found = _ADDRESS.search(said)
    if found is None:
        raise InspectorError("Node.js did not say where it listens")
    inspector = _Inspector(int(found[1]), found[2])
    try:
        return await within(_look(inspector, source), limit_s)
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InspectorError(f"the inspector failed: {error!r}"[:200]) from error
    finally:
        inspector.close()


async def _look(inspector: _Inspector, source: str) -> NodeState:
    await inspector.open()
    await inspector.call("Debugger.enable")
    await inspector.call("Debugger.pause")
    try:
        paused = await within(inspector.paused(), _PAUSE_S)
    except TimeoutError:
        await inspector.call("Debugger.disable")
        return NodeState([], await _waits(inspector))
    frames: list[ToldFrame] = []
    with_locals = 0
    for frame in paused["callFrames"][:_MAX_FRAMES]:
        url = inspector.urls.get(frame["location"]["scriptId"], "")
        if url.endswith(_BOOTSTRAP):
            break  # what called the handler
        own = url.startswith(f"file://{source}/") and "/node_modules/" not in url
        values: list[ToldValue] = []
        if own and with_locals < _MAX_WITH_LOCALS:
            with_locals += 1
            values = await _locals(inspector, frame)
        frames.append(_frame(frame, url, values))
    return NodeState(frames[::-1], [])


def _frame(frame: dict[str, Any], url: str, values: list[ToldValue]) -> ToldFrame:
    place = frame["location"]
    return ToldFrame(
        url.removeprefix("file://"),
        int(place["lineNumber"]) + 1,
        str(frame.get("functionName", ""))[:_TEXT],
        int(place.get("columnNumber", -1)),
        tuple(values),
    )


async def _locals(inspector: _Inspector, frame: dict[str, Any]) -> list[ToldValue]:
    found: dict[str, ToldValue] = {}
    for scope in frame["scopeChain"]:
        if scope["type"] not in _SCOPES:
            continue
        told = await inspector.call(
            "Runtime.getProperties",
            objectId=scope["object"]["objectId"],
            ownProperties=True,
            generatePreview=True,
        )
        for item in told["result"]:
            if len(found) < _MAX_LOCALS and "value" in item:
                found.setdefault(item["name"], _value(item["name"][:_TEXT], item["value"]))
    return list(found.values())


def _value(name: str, value: dict[str, Any]) -> ToldValue:
    kind = str(value.get("className") or value.get("subtype") or value.get("type"))[:80]
    preview = value.get("preview")
    if isinstance(preview, dict) and "properties" in preview:
        return ToldValue(name, kind, _previewed(preview)[:_TEXT])
    return ToldValue(name, kind, _plain(value))


def _plain(value: dict[str, Any]) -> str:
    kind = value.get("type")
    if kind == "string":
        return json.dumps(str(value.get("value", ""))[:_TEXT], ensure_ascii=False)
    if kind == "function":
        return str(value.get("description", "function")).partition("{")[0].strip()[:_TEXT]
    if kind == "undefined" or value.get("subtype") == "null":
        return "null" if value.get("subtype") == "null" else "undefined"
    return str(value.get("description", value.get("value", "")))[:_TEXT]


def _previewed(preview: dict[str, Any]) -> str:
    """As the console shows it."""
    array = preview.get("subtype") == "array"
    parts = []
    for item in preview["properties"]:
        inner = item.get("value", item.get("type", ""))
        text = json.dumps(inner, ensure_ascii=False) if item.get("type") == "string" else str(inner)
        parts.append(text if array else f"{item['name']}: {text}")
    for entry in preview.get("entries", ()):
        key, value = entry.get("key"), entry.get("value", {})
        text = str(value.get("description", ""))
        parts.append(f"{key.get('description', '')} => {text}" if key is not None else text)
    if preview.get("overflow"):
        parts.append("…")
    inside = ", ".join(parts)
    name = str(preview.get("description", ""))
    head = "" if name in ("Object", "") or array else f"{name} "
    return f"[{inside}]" if array else f"{head}{{{inside}}}"


async def _waits(inspector: _Inspector) -> list[str]:
    """What the event loop waits for: timers, connections, children."""
    told = await inspector.call("Runtime.evaluate", expression=_HANDLES, returnByValue=True)
    handles = json.loads(told["result"]["value"])
    active = [
        handle
        for handle in handles[:_MAX_HANDLES]
        if isinstance(handle, dict) and handle.get("is_active") and handle.get("is_referenced")
    ]
    return [text for text in map(_handle, active) if text]


def _handle(handle: dict[str, Any]) -> str:
    kind = str(handle.get("type", ""))[:40]
    remote = handle.get("remoteEndpoint")
    if isinstance(remote, dict) and remote.get("port"):
        host = remote.get("host") or remote.get("ip4") or remote.get("ip6") or ""
        return f"{kind} to {host}:{remote.get('port')}"[:_TEXT]
    if kind == "timer":
        left = handle.get("firesInMsFromNow")
        return f"timer, in {left} ms" if isinstance(left, int) else "timer"
    return kind if kind in ("process", "fs_event", "signal") else ""


class _Inspector:
    """The inspector's protocol over a websocket, for one client that asks one thing after the other."""

    def __init__(self, port: int, secret: str) -> None:
        self._port = port
        self._secret = secret
        self._number = 0
        self._paused: dict[str, Any] | None = None
        self.urls: dict[str, str] = {}  # of scripts, by their ids
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Connect. Raises OSError, ValueError."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(
            f"GET /{self._secret} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            raise ValueError("no websocket")

    def close(self) -> None:
        """Leave."""
        if self._writer is not None:
            self._writer.close()

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask. Raises EOFError, ValueError."""
        self._number += 1
        asked = self._number
        self._send(json.dumps({"id": asked, "method": method, "params": parameters}).encode())
        while True:
            message = await self._next()
            if message.get("id") == asked:
                if "result" not in message:
                    raise ValueError(str(message.get("error"))[:_TEXT])
                result: dict[str, Any] = message["result"]
                return result
            self._keep(message)

    async def paused(self) -> dict[str, Any]:
        """Wait until it stands."""
        while self._paused is None:
            self._keep(await self._next())
        return self._paused

    def _keep(self, message: dict[str, Any]) -> None:
        method, told = message.get("method"), message.get("params", {})
        if method == "Debugger.paused":
            self._paused = told
        elif method == "Debugger.scriptParsed" and len(self.urls) < _MAX_SCRIPTS:
            self.urls[told["scriptId"]] = str(told.get("url", ""))[:_MAX_URL]

    def _send(self, data: bytes, kind: int = 1) -> None:
        assert self._writer is not None
        mask = os.urandom(4)
        size = len(data)
        head = bytes([0x80 | kind])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65_536:
            head += b"\xfe" + size.to_bytes(2, "big")
        else:
            head += b"\xff" + size.to_bytes(8, "big")
        self._writer.write(head + mask + bytes(byte ^ mask[at & 3] for at, byte in enumerate(data)))

    async def _next(self) -> dict[str, Any]:
        """The next message, of one frame or of several."""
        assert self._reader is not None
        whole = bytearray()
        while True:
            first, second = await self._reader.readexactly(2)
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
            if size + len(whole) > _MAX_MESSAGE:
                raise ValueError("a message is too long")
            data = await self._reader.readexactly(size)
            kind = first & 0x0F
            if kind == 8:
                raise EOFError("it has closed the connection")
            if kind == 9:
                self._send(data, 10)
            elif kind in (0, 1):
                whole += data
                if first & 0x80:
                    found = json.loads(whole)
                    return found if isinstance(found, dict) else {}
