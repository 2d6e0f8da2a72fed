"""The result that could not be sent, if that was the failure."""

from __future__ import annotations

import msgspec
from relive_base.parts import Why, not_applicable
from relive_base.terminal import one_line
from relive_base.values import render

from relive_capture.explore.parts.part import Extent, ScenePart, always
from relive_capture.explore.scene import SceneFile
from relive_capture.explore.text import Line

__all__ = ["RESULT"]


def _render(scene: SceneFile, extent: Extent) -> list[Line]:
    result, width = scene.result, extent.wide
    if result is None:
        return []
    lines = [Line(""), Line("Result", "heading")]
    if found := ": ".join(filter(None, (result.path, result.reason))):
        lines.append(Line(one_line(f"  not JSON: {found}", width), "error"))
    if result.value is not None:
        lines.append(Line(f"  {render(result.value, width - 2)}", "local"))
    return lines


RESULT = ScenePart(
    name="result",
    absent=always(not_applicable(Why.NO_RESULT)),
    json_key="result",
    read=lambda scene: msgspec.to_builtins(scene.result),
    render=_render,
)
