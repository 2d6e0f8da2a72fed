"""Where the code ran, if that was not in Relive: by whom, on which Python, with what installed."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from relive_base.parts import Why, not_applicable
from relive_base.terminal import one_line

from relive_capture.explore.parts.part import Extent, ScenePart, always
from relive_capture.explore.scene import SceneFile
from relive_capture.explore.text import Line
from relive_capture.outside_format import OutsideFacts

__all__ = ["OUTSIDE", "outside_facts"]

_MEMBER: Final = "outside.json"
_BYTES: Final = 1_048_576


def outside_facts(scene: SceneFile) -> OutsideFacts | None:
    """What the scene says of it; None if it ran in Relive, or says nothing that can be read."""
    if _MEMBER not in scene.names:
        return None
    try:
        data = scene.member(_MEMBER)
        return msgspec.json.decode(data, type=OutsideFacts) if len(data) <= _BYTES else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # whoever made it decides what is in it


def _read(scene: SceneFile) -> Any:
    facts = outside_facts(scene)
    return msgspec.to_builtins(facts) if facts is not None else None


def _render(scene: SceneFile, extent: Extent) -> list[Line]:
    facts = outside_facts(scene)
    if facts is None:
        return []
    lines = [Line(""), Line("Recorded outside of Relive", "heading")]
    more = ", ".join(f"{name} {value}" for name, value in sorted(facts.details.items())[:6])
    code = f", code {facts.code_hash[:12]} of {facts.source_files} files" if facts.code_hash else ""
    kind = ", ".join(filter(None, (facts.implementation, facts.platform)))
    texts = [
        f"  host {facts.host}" + (f": {more}" if more else ""),
        f"  Python {facts.python}{f' ({kind})' if kind else ''}, {len(facts.installed)} distributions{code}",
    ]
    if extent.every_frame:
        texts += [f"  {text}" for text in facts.installed]
    return lines + [Line(one_line(text, extent.width), "local") for text in texts]


OUTSIDE = ScenePart(
    name="outside",
    absent=always(not_applicable(Why.RAN_IN_RELIVE)),
    json_key="outside",
    read=_read,
    render=_render,
)
