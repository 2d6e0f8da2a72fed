"""A part of a scene that Relive does not have: how long an event waited before its function was called."""

from __future__ import annotations

from typing import Any

import msgspec
from relive_base.parts import Why, missing, ok
from relive_capture.explore.parts import Extent, SceneInput, SceneMembers, ScenePart, always
from relive_capture.explore.scene import SceneFile
from relive_capture.explore.text import Line

__all__ = ["WAITING"]

_MEMBER = "waiting.json"


def _collect(source: SceneInput, built: SceneMembers) -> None:
    record = source.record
    if not record.accepted_ns or not record.started_ns:
        return
    waited = {"waited_ns": record.started_ns - record.accepted_ns}
    built.files[_MEMBER] = msgspec.json.encode(waited)
    built.parts["waiting"] = ok()


def _read(scene: SceneFile) -> dict[str, Any] | None:
    return msgspec.json.decode(scene.member(_MEMBER)) if _MEMBER in scene.names else None


def _render(scene: SceneFile, _extent: Extent) -> list[Line]:
    found = _read(scene)
    return [Line(""), Line(f"It waited for {found['waited_ns'] / 1e9:g} s", "heading")] if found else []


WAITING = ScenePart(
    name="waiting",
    absent=always(missing(Why.TOLD, "it was never called")),
    collect=_collect,
    json_key="waiting",
    read=_read,
    render=_render,
)
