"""Commands of Relive that run code of the user's, each in a process of its own that is ended in time."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import anyio.abc
from relive_base.errors import ReliveError

__all__ = ["Busy", "Commands", "Ran"]

TIME_S: Final = 120.0
OUTPUT_BYTES: Final = 4 * 1_048_576
_GRACE_S: Final = 5.0
_CLOSED: Final = "relive mcp is ending"
AT_ONCE: Final = 2
WAITING: Final = 8


class Busy(ReliveError):
    """Too many calls wait already."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command has said. `status` None: it was ended, as `why` says."""

    status: int | None
    out: str
    err: str
    why: str = ""


class Commands:
    """`prefix`: how the command is called, with its home. At most two run, and eight wait."""

    def __init__(self, prefix: Sequence[str], environment: Mapping[str, str], time_s: float = TIME_S) -> None:
        self._prefix = tuple(prefix)
        self._environment = {**environment, "NO_COLOR": "1", "COLUMNS": "110"}
        self._time_s = time_s
        self._slots = anyio.CapacityLimiter(AT_ONCE)
        self._waiting = 0
        self._scopes: set[anyio.CancelScope] = set()
        self._closed = False

    def close(self) -> None:
        """End all that run or wait, and start no other."""
        self._closed = True
        for scope in self._scopes:
            scope.cancel()

    async def run(self, *arguments: str, cwd: Path | None = None) -> Ran:
        """Its whole output, within limits. Raises Busy."""
        if self._closed:
            return Ran(None, "", "", _CLOSED)
        if self._waiting >= AT_ONCE + WAITING:
            raise Busy(f"{self._waiting} calls run or wait already", hint="wait for their answers")
        self._waiting += 1
        scope = anyio.CancelScope()
        self._scopes.add(scope)
        try:
            with scope:
                async with self._slots:
                    return await self._run([*self._prefix, *arguments], cwd)
            return Ran(None, "", "", _CLOSED)
        finally:
            self._scopes.discard(scope)
            self._waiting -= 1

    async def _run(self, command: list[str], cwd: Path | None) -> Ran:
        process = await anyio.open_process(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self._environment, cwd=cwd, start_new_session=True,
        )  # fmt: skip
        out, err = bytearray(), bytearray()
        why = ""
        try:
            with anyio.move_on_after(self._time_s) as limit:
                async with anyio.create_task_group() as readers:
                    readers.start_soon(_read, process.stdout, out)
                    readers.start_soon(_read, process.stderr, err)
                await process.wait()
            if limit.cancelled_caught:
                why = f"it ran longer than {self._time_s:g} s and was ended"
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process)
        if len(out) >= OUTPUT_BYTES and not why:
            why = f"its output is over the limit of {OUTPUT_BYTES:,} bytes"
        return Ran(None if why else process.returncode, _text(out), _text(err), why)


async def _end(process: anyio.abc.Process) -> None:
    """With whatever it has started. It is asked first, so that it takes its files away."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        with anyio.move_on_after(_GRACE_S):
            await process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    await process.aclose()


async def _read(stream: anyio.abc.ByteReceiveStream | None, into: bytearray) -> None:
    assert stream is not None
    async for data in stream:
        into += data[: OUTPUT_BYTES - len(into)]


def _text(data: bytearray) -> str:
    return data.decode("utf-8", "replace")
