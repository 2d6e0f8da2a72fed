"""Holding an invocation at a line: its caller is answered, and the process stays there to be debugged."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from relive_base.wire.messages import BREAKPOINT, Done, FunctionSpec, Invoke, Point, Result
from relive_base.wire.sink import FrameSink
from relive_capture.record import capture_frames
from relive_tracer.record import Telemetry

from relive_runtime.worker.failures.failed import Failed
from relive_runtime.worker.outside import Outside
from relive_runtime.worker.start.namesakes import originals

__all__ = ["Holding"]


class Holding:
    """Of one worker. `leave` ends its timers and profiling, and gives the invocation; `stay` serves the
    server until it is to leave."""

    def __init__(
        self,
        spec: FunctionSpec,
        sink: FrameSink,
        telemetry: Telemetry,
        outside: Outside,
        failed: Failed,
        leave: Callable[[], Invoke | None],
        stay: Callable[[], NoReturn],
    ) -> None:
        self._spec = spec
        self._sink = sink
        self._telemetry = telemetry
        self._outside = outside
        self._failed = failed
        self._leave = leave
        self._stay = stay

    def hold(self, frame: FrameType, point: Point) -> NoReturn:
        """Does not return: nothing of the function's code runs any more, but what a debugger calls."""
        invoke = self._leave()
        now_ns = time.time_ns()
        ident = self._telemetry.invocation_id
        with originals():
            scene = capture_frames(
                frame,
                kind=BREAKPOINT,
                spec=self._spec,
                invocation_id=ident,
                error_name="Breakpoint",
                message=f"held at {point.file}:{point.line}, as `relive break` has asked",
            )
        self._failed.keep_stack(ident, frame)
        self._outside.tell(scene, invoke)
        self._sink.send_surely(scene, bell=False)
        self._outside.end()
        result = Result(
            invocation_id=ident,
            status="error" if point.answer else "timeout",
            started_ns=self._telemetry.started_ns or now_ns,
            ended_ns=now_ns,
            body=point.answer,
            http_status=200 if point.answer else 504,
            error=scene.error,
            reusable=False,
            answered=bool(point.answer),
        )
        self._telemetry.failed = True
        counts = self._telemetry.end()
        done = Done(
            invocation_id=ident,
            spans=counts.spans,
            logs=counts.logs,
            dropped=counts.dropped,
            reusable=False,
        )
        self._sink.send_surely(result, done)
        self._stay()
