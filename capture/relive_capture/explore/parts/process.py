"""The process around the failure: what failed and waited beside it, its interpreter, its heap, itself."""

from __future__ import annotations

import msgspec
from relive_base.parts import Code, PartState, Why, missing, not_applicable

from relive_capture.explore.parts.part import Extent, SceneInput, ScenePart, always
from relive_capture.explore.scene import SceneFile
from relive_capture.explore.text import Line, beside_lines, task_lines, thread_lines

__all__ = ["BACKGROUND", "ENVIRONMENT", "HEAP", "LIVE", "NATIVE", "TASKS", "THREADS"]


def _beside(scene: SceneFile, extent: Extent) -> list[Line]:
    return beside_lines(scene, extent.width)


def _tasks(scene: SceneFile, extent: Extent) -> list[Line]:
    return task_lines(scene, extent.width)


def _threads(scene: SceneFile, extent: Extent) -> list[Line]:
    return thread_lines(scene, extent.width)


def _of_its_process(code: Code, source: SceneInput) -> PartState:
    """A process whose thread or task failed beside a handler that returned goes on."""
    if source.scene is not None and source.scene.error.kind == "background":
        return not_applicable(Why.WENT_ON)
    return missing(code)


BACKGROUND = ScenePart(
    name="background",
    absent=always(not_applicable(Why.NO_BACKGROUND)),
    json_key="background",
    read=lambda scene: msgspec.to_builtins(scene.background),
    render=_beside,
)
TASKS = ScenePart(
    name="tasks",
    absent=always(missing(Why.ENDED_BEFORE_SAVING)),
    json_key="tasks",
    read=lambda scene: msgspec.to_builtins(scene.tasks),
    render=_tasks,
)
THREADS = ScenePart(
    name="threads",
    absent=always(missing(Why.ENDED_BEFORE_SAVING)),
    json_key="threads",
    read=lambda scene: msgspec.to_builtins(scene.threads),
    render=_threads,
)
ENVIRONMENT = ScenePart(
    name="environment",
    absent=always(missing(Why.ENDED_BEFORE_SAVING)),
    read=lambda scene: scene.environment,
)
HEAP = ScenePart(name="heap", absent=lambda source: _of_its_process(Why.ENDED_BEFORE_WALK, source))
LIVE = ScenePart(name="live", absent=lambda source: _of_its_process(Why.ENDED, source))
NATIVE = ScenePart(name="native", absent=always(not_applicable(Why.SPOKE_FOR_ITSELF)))
