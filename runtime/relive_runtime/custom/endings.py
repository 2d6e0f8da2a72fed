"""How a program came to its end: by itself, at its time limit, or at its memory limit; with what its language
can still say of where it stood."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable
from typing import Any, Final

from relive_base.wire.messages import FunctionSpec
from relive_capture.record.told import Told, parse_stack

from relive_runtime.custom.output import LogWriter
from relive_runtime.custom.program import ENDING_SIGNAL, Program

__all__ = ["Endings"]

_MIB: Final = 1_048_576
_MEMORY_SHARE: Final = (
    0.8  # a program killed (SIGKILL) that held so much of its limit counts as out of memory
)
_SAY_S: Final = 1.0  # that a program has to print its stacks
_SAY_SOON_S: Final = 0.3  # at its memory limit: it grows on meanwhile, and the server waits for 1.5 s
_LOOK_S: Final = 0.01
_REPORT: Final = "node-report.json"
_REPORT_BYTES: Final = 8 * _MIB
_MOST_HANDLES: Final = 40
_HEAP_ENDS: Final = ("heap out of memory", "out of memory", "OutOfMemoryError", "cannot allocate memory")


class Endings:
    """Of the programs of one worker."""

    def __init__(self, spec: FunctionSpec, log: LogWriter) -> None:
        self._spec = spec
        self._log = log

    def is_out_of_memory(self, status: int | None, peak_bytes: int) -> bool:
        """Whether it ended because there was no memory left for it, as far as that can be told."""
        if status is None:
            return False
        tail = self._log.tail()
        if any(text in tail for text in _HEAP_ENDS) and (os.WIFSIGNALED(status) or os.WEXITSTATUS(status)):
            return peak_bytes > self._spec.memory_mb * _MIB // 2
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        return killed and peak_bytes > self._spec.memory_mb * _MIB * _MEMORY_SHARE

    def ended(self, how: str, out_of_memory: bool) -> list[Told]:
        """It ended by itself: how, and what its last lines say of why."""
        if out_of_memory:
            limit = self._spec.memory_mb
            told = Told(
                "Runtime.OutOfMemory",
                f"the program ended ({how}) with most of its {limit} MB of memory in use",
            )
        else:
            told = Told("Runtime.ExitError", f"Runtime exited with error: {how}")
        return self._with_tail(told, how)

    async def stopped(
        self, kind: str, program: Program, drain: Callable[[], None], text: str = ""
    ) -> list[Told]:
        """Have it say where it stands, as its language can, and end."""
        spec = self._spec
        limit_s = _SAY_SOON_S if kind == "memory" else _SAY_S
        report = await self._node_report(program, limit_s) if spec.runtime == "nodejs" else None
        if report is None:
            program.send(ENDING_SIGNAL)
            await self._wait(lambda: program.status is not None, limit_s)
            drain()
        if kind == "memory":
            text = f"the program was stopped at 85 % of its {spec.memory_mb} MB of memory"
            told = Told("MemoryLimitExceeded", text)
        elif kind == "init":
            told = Told("InitTimeout", text)
        else:
            told = Told("Timeout", f"{spec.name} ran longer than its {spec.timeout_s:g} s")
        if report is None:
            return self._with_tail(told, "")
        told.stack, told.details = report
        return [told]

    def _with_tail(self, told: Told, how: str) -> list[Told]:
        tail = self._log.tail()
        told.details = [("end", how), ("stderr", tail)]
        if parse_stack(tail):
            told.stack = tail
        return [told]

    async def _wait(self, done: Callable[[], bool], limit_s: float) -> None:
        for _ in range(int(limit_s / _LOOK_S)):
            if done():
                return
            await asyncio.sleep(_LOOK_S)

    async def _node_report(
        self, program: Program, limit_s: float
    ) -> tuple[str, list[tuple[str, str]]] | None:
        """Node writes a report at SIGUSR2, also out of a loop that never ends; None if it did not."""
        path = os.path.join(self._spec.scratch, _REPORT)
        program.send(signal.SIGUSR2)
        found: dict[str, Any] | None = None

        def written() -> bool:
            nonlocal found
            found = _read_report(path)
            return found is not None or program.status is not None

        await self._wait(written, limit_s)
        with contextlib.suppress(OSError):
            os.unlink(path)  # it has the whole environment in it
        return _told_by(found) if found is not None else None


def _read_report(path: str) -> dict[str, Any] | None:
    """None as long as it is not whole. Hostile: the program can write there, too."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            found = json.loads(file.read(_REPORT_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _told_by(report: dict[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """(the stack of JavaScript, what it waited for) of a report; of its other parts nothing is kept."""
    stack = report.get("javascriptStack")
    lines = stack.get("stack") if isinstance(stack, dict) else None
    text = (
        "\n".join(f"    {line}" for line in lines if isinstance(line, str)) if isinstance(lines, list) else ""
    )
    handles = report.get("libuv")
    waits = [
        _handle(handle)
        for handle in (handles if isinstance(handles, list) else ())[:_MOST_HANDLES]
        if isinstance(handle, dict) and handle.get("is_active") and handle.get("is_referenced")
    ]
    return text, [("waits for", "\n".join(filter(None, waits)))]


def _handle(handle: dict[str, Any]) -> str:
    kind = str(handle.get("type", ""))[:40]
    remote = handle.get("remoteEndpoint")
    if isinstance(remote, dict) and remote.get("port"):
        host = remote.get("host") or remote.get("ip4") or remote.get("ip6") or ""
        return f"{kind} to {host}:{remote.get('port')}"[:200]
    if kind == "timer":
        left = handle.get("firesInMsFromNow")
        return f"timer, in {left} ms" if isinstance(left, int) else "timer"
    return kind if kind in ("process", "fs_event", "signal") else ""
