"""How a program came to its end: by itself, at its time limit, or at its memory limit; with what its language
can still say of where it stood."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Final

from relive_base.wire.messages import FunctionSpec
from relive_capture.record.told import Told, parse_stack

from relive_runtime.custom.inspector import InspectorError, look_into_node
from relive_runtime.custom.output import LogWriter
from relive_runtime.custom.program import ENDING_SIGNAL, Program

__all__ = ["Endings"]

_MIB: Final = 1_048_576
_MEMORY_SHARE: Final = (
    0.8  # a program killed (SIGKILL) that held so much of its limit counts as out of memory
)
_SAY_S: Final = 2.0  # to say where it stands, and again to be asked; the server waits for 5 s
_SAY_SOON_S: Final = 0.3  # at its memory limit: it grows on meanwhile, and the server waits for 1.5 s
_LOOK_S: Final = 0.01
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
        if kind == "memory":
            text = f"the program was stopped at 85 % of its {spec.memory_mb} MB of memory"
            told = Told("MemoryLimitExceeded", text)
        elif kind == "init":
            told = Told("InitTimeout", text)
        else:
            told = Told("Timeout", f"{spec.name} ran longer than its {spec.timeout_s:g} s")
        limit_s = _SAY_SOON_S if kind == "memory" else _SAY_S
        if spec.runtime == "nodejs":
            await self._ask_node(told, program, limit_s)
            return [told]
        self._log.divert()
        program.send(ENDING_SIGNAL)
        await self._wait(lambda: program.status is not None, limit_s)
        drain()
        said = "\n".join(self._log.said)
        told.details = [("stderr", self._log.tail())]
        told.stack = said if parse_stack(said) else ""
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

    async def _ask_node(self, told: Told, program: Program, limit_s: float) -> None:
        """By its inspector; if that says nothing, nothing is known but its last lines."""
        log = self._log
        log.divert()
        program.send(signal.SIGUSR1)
        await self._wait(lambda: bool(log.said) or program.status is not None, limit_s)
        try:
            state = await look_into_node("\n".join(log.said), self._spec.source, limit_s)
        except (InspectorError, TimeoutError) as error:
            told.details = [("stderr", log.tail()), ("inspector", str(error))]
            return
        told.frames, told.seen_by = state.frames, "Node.js's inspector" if state.frames else ""
        told.details = [("waits for", "\n".join(state.waits)), ("stderr", log.tail())]
