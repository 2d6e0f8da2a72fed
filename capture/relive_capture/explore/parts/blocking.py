"""Who has kept the request waiting: others that ran beside it in its worker, and held the event loop."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from relive_base.parts import Why, not_applicable
from relive_base.terminal import one_line

from relive_capture.explore.parts.part import Extent, ScenePart, always
from relive_capture.explore.scene import SceneFile
from relive_capture.explore.text import Line

__all__ = ["BLOCKING", "Block"]

_MEMBER: Final = "blocking.json"
_SHOWN: Final = 8


class Block(msgspec.Struct):
    """One turn of the loop that was too long. `by` is the invocation whose code it was; `file`, `line` and
    `function` are the place of it that was seen last."""

    by: str
    from_ns: int
    ms: int
    file: str = ""
    line: int = 0
    function: str = ""
    route: str = ""


def _blocks(scene: SceneFile) -> list[Block]:
    if _MEMBER not in scene.names:
        return []
    try:
        return msgspec.json.decode(scene.member(_MEMBER), type=list[Block])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return []  # a hostile worker's


def _read(scene: SceneFile) -> list[Any] | None:
    blocks = _blocks(scene)
    return msgspec.to_builtins(blocks) if blocks else None


def _render(scene: SceneFile, extent: Extent) -> list[Line]:
    blocks = _blocks(scene)[:_SHOWN]
    if not blocks:
        return []
    lines = [Line(""), Line("Kept waiting by", "heading")]
    for block in blocks:
        place = f"{block.file}:{block.line} in {block.function}" if block.file else "a place unknown"
        what = f" ({block.route})" if block.route else ""
        lines.append(
            Line(one_line(f"  invocation {block.by}{what}: {block.ms:,} ms at {place}", extent.width))
        )
    return lines


BLOCKING = ScenePart(
    name="blocking",
    absent=always(not_applicable(Why.NOT_BLOCKED)),
    json_key="blocking",
    read=_read,
    render=_render,
)
