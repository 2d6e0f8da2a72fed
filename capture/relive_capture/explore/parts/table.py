"""All parts of a scene, in the order in which a failure is told."""

from __future__ import annotations

from typing import Final

from relive_capture.explore.parts.blocking import BLOCKING
from relive_capture.explore.parts.event import CONTEXT, EVENT, HEALTHY
from relive_capture.explore.parts.exception import EXCEPTION, SOURCE
from relive_capture.explore.parts.outside import OUTSIDE
from relive_capture.explore.parts.part import ScenePart
from relive_capture.explore.parts.process import BACKGROUND, ENVIRONMENT, HEAP, LIVE, NATIVE, TASKS, THREADS
from relive_capture.explore.parts.recorded import CASSETTE, REPLAY
from relive_capture.explore.parts.result import RESULT
from relive_capture.explore.parts.telemetry import LOGS, PROFILE, SPANS

__all__ = ["PARTS"]

PARTS: Final[tuple[ScenePart, ...]] = (
    EXCEPTION,
    SOURCE,
    BACKGROUND,
    BLOCKING,
    TASKS,
    THREADS,
    CASSETTE,
    REPLAY,
    RESULT,
    EVENT,
    CONTEXT,
    HEALTHY,
    LOGS,
    SPANS,
    PROFILE,
    OUTSIDE,
    ENVIRONMENT,
    HEAP,
    LIVE,
    NATIVE,
)
