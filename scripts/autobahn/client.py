"""Run the cases of Autobahn's testsuite against one server: `client.py SUITE URL [CASES...]`.

The suite itself is for Python 2.7. Its cases are taken as they are, made Python 3 by lib2to3 (so this runs on
Python 3.11 or 3.12), and run by Autobahn's own client: what a case calls a text of bytes is Latin-1 here.
"""

from __future__ import annotations

import asyncio
import fnmatch
import importlib
import json
import os
import re
import sys
import time
from lib2to3.refactor import RefactoringTool, get_fixers_from_package
from pathlib import Path
from typing import Any

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol

GOOD = ("OK", "NON-STRICT", "INFORMATIONAL")
_CASE_LIMIT_S = 120.0


_SHIMS = """
import binascii, struct
from autobahn.websocket.utf8validator import Utf8Validator as _Utf8Validator

def _bytes(value):
    return value.encode("latin-1") if isinstance(value, str) else value

def b2a_hex(value):
    return binascii.b2a_hex(_bytes(value)).decode()

hexlify = b2a_hex

def a2b_hex(value):
    return binascii.a2b_hex(_bytes(value)).decode("latin-1")

def pack(form, *values):
    return struct.pack(form, *values).decode("latin-1")

class Utf8Validator(_Utf8Validator):
    def validate(self, value):
        return super().validate(_bytes(value))
"""


def convert(suite: Path) -> Path:
    """The suite's cases as Python 3, beside it."""
    target = suite.parent / "cases3"
    package = target / "case"
    if not package.is_dir():
        package.mkdir(parents=True)
        fixers = [name for name in get_fixers_from_package("lib2to3.fixes") if "idioms" not in name]
        tool = RefactoringTool(fixers)
        for file in sorted((suite / "autobahntestsuite" / "case").glob("*.py")):
            text = file.read_text(encoding="latin-1").expandtabs(8).rstrip() + "\n"
            text = text.replace("pkg_resources, ", "").replace("import pkg_resources", "import os")
            text = text.replace("pkg_resources.resource_filename", "_data")
            if "case10" in file.name:
                text = text.replace(" / ", " // ")
            new = str(tool.refactor_string(text, file.name))
            new = re.sub(r"^from \.?(case\w*) import", r"from case.\1 import", new, flags=re.MULTILINE)
            new = re.sub(
                r"^(\s*)import (.*)\bbinascii\b",
                r"\1from case import _shims as binascii\n\1import \2os",
                new,
                flags=re.MULTILINE,
            )
            new = re.sub(r"^import struct", "from case import _shims as struct", new, flags=re.MULTILINE)
            new = new.replace("from autobahn.websocket.utf8validator import", "from case._shims import")
            new = new.replace("(object, Case, )", "(Case, )").replace("(object, Case)", "(Case, )")
            new = re.sub(r"^from case.case9_9_1 .*$", "", new, flags=re.MULTILINE)  # not among its cases
            for name in ("NoContextTakeover", "MaxWindowBits"):
                snake = re.sub(r"([A-Z])", r"_\1", name).lower()
                new = new.replace(f"request{name}", f"request{snake}").replace(
                    f"accept{name}", f"accept{snake}"
                )
            if "12" not in file.name:
                new = re.sub(r"(\.encode\(['\"][Uu][Tt][Ff]-?8['\"]\))", r"\1.decode('latin-1')", new)
            (package / file.name).write_text(f"from case._data import _data\n{new}", encoding="utf-8")
        data = suite / "autobahntestsuite"
        (package / "_data.py").write_text(
            f"import os\ndef _data(package, name):\n    return os.path.join({str(data)!r}, name)\n"
        )
        (package / "_shims.py").write_text(_SHIMS)
    return target


def octets(value: Any) -> Any:
    """Texts of the suite, which are bytes to it."""
    return value.encode("latin-1") if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """For a comparison: bytes and texts of bytes are the same."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, list | tuple):
        return tuple(plain(item) for item in value)
    return value


class Client(WebSocketClientProtocol):
    """What a case has as `self.p`."""

    Case: Any
    ended: asyncio.Event
    runCase: Any = None

    def startHandshake(self) -> None:
        self.connectionWasOpen = False
        self.createWirelog = False
        self.txFrameStats: dict[int, int] = {}
        self.runCase = self.Case(self)
        super().startHandshake()

    def onOpen(self) -> None:
        self.connectionWasOpen = True
        self.runCase.onOpen()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        hashes = type(self.runCase).__name__.startswith(("Case12", "Case13"))
        self.runCase.onMessage(payload if hashes else payload.decode("latin-1"), isBinary)

    def onPing(self, payload: bytes) -> None:
        self.runCase.onPing(payload.decode("latin-1"))
        self.sendPong(payload)

    def onPong(self, payload: bytes) -> None:
        self.runCase.onPong(payload.decode("latin-1"))

    def onClose(self, wasClean: bool, code: Any, reason: Any) -> None:
        if self.runCase is not None:
            self.runCase.onClose(wasClean, code, reason)

    def _connectionLost(self, reason: Any) -> None:
        super()._connectionLost(reason)
        if self.runCase is not None:
            self.runCase.onConnectionLost(self.failedByMe)
        self.ended.set()

    # ------------------------------------------------------------ what cases call

    def sendFrame(self, opcode: int, payload: Any = b"", **more: Any) -> None:
        more = {name: octets(value) for name, value in more.items()}
        super().sendFrame(opcode, octets(payload), **more)

    def sendMessage(self, payload: Any, isBinary: bool = False, **more: Any) -> None:
        super().sendMessage(octets(payload), isBinary, **more)

    def sendMessageFrameData(self, payload: Any, sync: bool = False) -> Any:
        return super().sendMessageFrameData(octets(payload), sync)

    def sendCloseFrame(self, code: Any = None, reasonUtf8: Any = None, isReply: bool = False) -> None:
        super().sendCloseFrame(code, octets(reasonUtf8), isReply)

    def sendClose(self, code: Any = None, reason: Any = None) -> None:
        if self.state == self.STATE_OPEN:
            super().sendClose(code, reason)

    def logTxFrame(self, header: Any, *_more: Any) -> None:
        self.txFrameStats[header.opcode] = self.txFrameStats.get(header.opcode, 0) + 1

    logFrames = True

    def logRxFrame(self, *_more: Any) -> None:
        pass

    def enableWirelog(self, _enable: bool) -> None:
        pass

    def _later(self, delay: float, call: Any) -> None:
        def run() -> None:
            if self.state != self.STATE_CLOSED:
                call()

        asyncio.get_running_loop().call_later(delay, run)

    def continueLater(self, delay: float, call: Any, _tag: Any = None) -> None:
        self._later(delay, call)

    def killAfter(self, delay: float) -> None:
        self._later(max(delay, 10), self._fail_connection)

    def closeAfter(self, delay: float) -> None:
        self._later(max(delay, 1), self.sendClose)


async def run_case(url: str, case: Any) -> dict[str, Any]:
    """One case on a connection of its own."""
    ended = asyncio.Event()
    made: list[Client] = []

    def protocol() -> Client:
        one = Client()
        one.Case, one.ended = case, ended
        made.append(one)
        return one

    factory = WebSocketClientFactory(url)
    factory.setProtocolOptions(
        failByDrop=False, utf8validateIncoming=False, openHandshakeTimeout=30, closeHandshakeTimeout=15,
        serverConnectionDropTimeout=15,
    )  # fmt: skip
    factory.protocol = protocol
    host, port = factory.host, factory.port
    began = time.monotonic()
    await asyncio.get_running_loop().create_connection(factory, host, port)
    limit = 600 if case.__name__.startswith(("Case9", "Case12", "Case13")) else _CASE_LIMIT_S
    try:
        await asyncio.wait_for(ended.wait(), limit)
    except TimeoutError:
        if made[0].transport is not None:
            made[0].transport.abort()
        return {"behavior": "FAILED", "close": "FAILED", "why": f"it did not end within {limit} s"}
    one = made[0].runCase
    if one is None:
        return {"behavior": "FAILED", "close": "FAILED", "why": str(made[0].wasNotCleanReason)}
    return {
        "behavior": one.behavior,
        "close": one.behaviorClose,
        "why": one.result if one.behavior not in GOOD else one.resultClose,
        "s": round(time.monotonic() - began, 2),
        "code": made[0].remoteCloseCode,
    }


def load_cases(suite: Path) -> dict[str, Any]:
    """Every case by its number."""
    sys.path.insert(0, str(convert(suite)))
    found: dict[str, Any] = {}
    package = importlib.import_module("case")
    base = importlib.import_module("case.case").Case
    base.compare = lambda _self, one, other: plain(one) == plain(other)
    for one in package.Cases:
        found[one.__name__.removeprefix("Case").replace("_", ".")] = one
    return found


async def main(suite: Path, url: str, wanted: list[str]) -> int:
    """All that is wanted; 0 if none has failed."""
    cases = load_cases(suite)
    order = sorted(cases, key=lambda name: [int(part) for part in name.split(".")])
    chosen = [name for name in order if any(fnmatch.fnmatch(name, one) for one in wanted or ["*"])]
    counts: dict[str, int] = {}
    for name in chosen:
        told = await run_case(url, cases[name])
        good = told["behavior"] in GOOD and told["close"] in (*GOOD, "")
        kind = told["behavior"] if good else told["behavior"] if told["behavior"] not in GOOD else "CLOSE"
        counts[kind] = counts.get(kind, 0) + 1
        if not good or os.environ.get("SHOW"):
            print(name, json.dumps(told), flush=True)
    print(json.dumps({"cases": len(chosen), **counts}))
    return int(any(kind not in GOOD for kind in counts))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])))
