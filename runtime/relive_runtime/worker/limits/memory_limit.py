"""At the memory limit: the server asks this process, by a signal, to save itself as it stands.

Nothing is unwound: the frames are captured from inside the signal's handler, and the process then waits there
for what the server wants of it, until it is ended. Code that does not react (C code, blocked signals) is
stopped and read from outside instead.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

from relive_base.kept_builtins import KEPT
from relive_base.wire.messages import FunctionSpec, Invoke, Scene
from relive_base.wire.sink import FrameSink
from relive_capture import record as capture

from relive_runtime.worker.failures.failed import Failed
from relive_runtime.worker.limits.memory import Reserve
from relive_runtime.worker.limits.memory_signal import MEMORY_SIGNAL
from relive_runtime.worker.start.namesakes import originals

__builtins__ = KEPT

__all__ = ["MemoryLimit"]


class MemoryLimit:
    """Handles the signal on the main thread, while an invocation runs."""

    def __init__(
        self,
        spec: FunctionSpec,
        sink: FrameSink,
        failed: Failed,
        reserve: Reserve,
        stay: Callable[[], None],
    ) -> None:
        """`stay` does not return: it serves the server's commands until the process is to leave."""
        self._spec = spec
        self._sink = sink
        self._failed = failed
        self._reserve = reserve
        self._stay = stay
        self.invoke: Invoke | None = None
        """What there is to save; None while the handler does not run."""
        self.beside: Callable[[FrameType], list[Scene]] | None = None
        """The scenes of those that run beside each other, and `invoke` is of none."""
        self.quiet: Callable[[], object] = bool
        """Ends timers and profiling, first of all."""
        signal.signal(MEMORY_SIGNAL, self._on_signal)

    def leave(self) -> Invoke | None:
        """The invocation ends where it stands, for another reason; gives it."""
        invoke, self.invoke = self.invoke, None
        self.quiet()
        return invoke

    def _on_signal(self, _number: int, frame: FrameType | None) -> None:
        invoke = self.invoke
        if frame is None or (invoke is None and self.beside is None):
            return
        if self._sink.busy:
            os.kill(os.getpid(), MEMORY_SIGNAL)  # once more, when the frame that is being sent has left
            return
        self.invoke = None
        self.quiet()
        self._reserve.release()
        if invoke is None:
            self._save_all(frame)
            return
        limit = self._spec.memory_mb
        with originals():
            scene = capture.capture_frames(
                frame,
                kind="memory",
                spec=self._spec,
                invocation_id=invoke.invocation_id,
                error_name="MemoryLimitExceeded",
                message=f"the worker was stopped at 85 % of its {limit} MB of memory",
            )
        self._failed.keep_stack(invoke.invocation_id, frame)
        self._sink.send_surely(scene)
        self._stay()

    def _save_all(self, frame: FrameType) -> None:
        with originals():
            scenes = self.beside(frame) if self.beside is not None else []
        for scene in reversed(scenes):  # the server waits for the one whose code runs here
            self._sink.send_surely(scene)
        if scenes:
            self._stay()
