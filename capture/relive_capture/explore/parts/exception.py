"""The exception with its chain, its frames and their locals, and the source files of these."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from relive_base.parts import PartState, State, Why, missing
from relive_base.terminal import one_line
from relive_base.values import render, render_lines

from relive_capture.explore.parts.part import BRIEF, Extent, ScenePart, always
from relive_capture.explore.scene import SceneFile, own_frame
from relive_capture.explore.text import Line, source_lines
from relive_capture.explore.text.exceptions import attribute_lines, detail_lines, title_of, wrapped
from relive_capture.model import ExceptionView, FrameView

__all__ = ["EXCEPTION", "RELATIONS", "SOURCE"]

_LINKED_LINES: Final = 6
_LINKED_TOLD: Final = 12
RELATIONS: Final = {"cause": "caused by", "context": "while handling", "group": "in the group", "": ""}


def _render_exception(scene: SceneFile, extent: Extent) -> list[Line]:
    """The frame that failed with source and locals, what the exception has to tell, the other frames, its
    chain."""
    root, width = scene.exceptions[0], extent.width
    shown, where = _focus(root)
    frame = own_frame(shown)
    lines: list[Line] = []
    if frame is not None:
        lines += [Line(""), Line(one_line(where, width), "error")] if where else []
        lines += _root(frame, width, scene.parts.get("exception"), extent)
    lines += _told(root, extent.wide)
    if frame is not None:
        lines += _every_frame(shown, width, extent) if extent.every_frame else _stack(shown, width)
    return lines + _chain(scene.exceptions, extent.wide)


def _focus(root: ExceptionView) -> tuple[ExceptionView, str]:
    """(the exception whose frame is shown in full, which one that is if it is not the raised one). A group
    only says where it was put together: its first member is shown."""
    view = root
    while view.group:
        view = view.group[0]
    if view is root or own_frame(view) is None:
        return root, ""
    return view, f"the first in the group: {title_of(view)}"


def _told(view: ExceptionView, width: int) -> list[Line]:
    """What a known type has to tell, and the exception's own attributes."""
    lines: list[Line] = []
    if details := detail_lines(view.details, width - 2):
        lines += [Line(""), Line("Details", "heading"), *(Line(f"  {text}", "local") for text in details)]
    if attributes := attribute_lines(view, width - 4):
        heading = one_line(f"Attributes of {view.type}", width)
        lines += [Line(""), Line(heading, "heading"), *(Line(f"  {text}", "local") for text in attributes)]
    return lines


def _root(frame: FrameView, width: int, part: PartState | None, extent: Extent) -> list[Line]:
    lines = [Line(""), Line(one_line(f"{frame.file}:{frame.line} in {frame.function}", width), "heading")]
    lines += source_lines(frame, width)
    if not frame.locals:
        return lines
    lines += [Line(""), Line("Locals", "heading")]
    for name, node in frame.locals[: extent.locals]:
        depth = extent.depth if len(render(node, 400)) > width - 20 else 0
        texts = render_lines(node, name, width - 4, depth=depth)
        lines += [Line(f"  {text}", "local") for text in texts[: extent.local_lines]]
    more = len(frame.locals) - extent.locals + frame.locals_more
    lines += [Line(f"  … {more} more", "dim")] if more > 0 else []
    if part is not None and part.state is State.PARTIAL:
        lines.append(Line(one_line(f"  cut: {part.reason}", width), "dim"))
    return lines


def _stack(view: ExceptionView, width: int) -> list[Line]:
    if len(view.frames) < 2:
        return []
    lines = [Line(""), Line("Frames, innermost first", "heading")]
    hidden = 0
    shown = 0
    for frame in reversed(view.frames):
        if not frame.in_app or shown >= BRIEF.frames:
            hidden += 1
            continue
        shown += 1
        lines.append(Line(one_line(f"  {frame.function:<28} {frame.file}:{frame.line}", width), "frame"))
    hidden += view.frames_cut
    return [*lines, Line(f"  … {hidden} more frames", "dim")] if hidden else lines


def _every_frame(view: ExceptionView, width: int, extent: Extent) -> list[Line]:
    """All frames, innermost first, each with its line and its locals; those of libraries are marked."""
    lines = [Line(""), Line("Frames, innermost first", "heading")]
    for number in range(len(view.frames) - 1, -1, -1):
        frame = view.frames[number]
        place = f"  {frame.function:<28} {frame.file}:{frame.line}"
        lines.append(Line(one_line(place if frame.in_app else f"{place}  (library)", width), "frame"))
        index = frame.line - frame.source_first_line
        if 0 <= index < len(frame.source):
            lines.append(Line(one_line(f"    > {frame.source[index].strip()}", width), "source"))
        for name, node in frame.locals[: extent.locals]:
            lines.append(Line(one_line(f"    {name} = {render(node, width)}", width), "local"))
        more = len(frame.locals) - extent.locals + frame.locals_more
        lines += [Line(f"    … {more} more", "dim")] if more > 0 else []
        if view.frames_cut and number == view.frames_cut_at:
            lines.append(Line(f"  … {view.frames_cut} more frames", "dim"))
    return lines


def _chain(views: list[ExceptionView], width: int) -> list[Line]:
    lines: list[Line] = []
    for number, view in enumerate(views):
        lines += _linked(view, width, "") if number else []
        for member in view.group[: BRIEF.frames]:
            lines += _linked(member, width, "  ")
            for link in member.chain[: BRIEF.frames]:
                lines += _linked(link, width, "    ")
    return [Line(""), *lines] if lines else []


def _linked(view: ExceptionView, width: int, indent: str) -> list[Line]:
    relation = RELATIONS.get(view.relation, view.relation)
    inner = width - len(indent) - 2
    first, *rest = wrapped(f"{relation} {title_of(view)}".strip(), inner, _LINKED_LINES)
    lines = [Line(f"{indent}{first}", "error")]
    rest += [one_line(text, inner) for text in (*view.place, *(f"note: {note}" for note in view.notes))]
    lines += [Line(f"{indent}  {text}", "error") for text in rest]
    frame = own_frame(view)
    if frame is not None:
        place = f"{indent}  {frame.file}:{frame.line} in {frame.function}"
        index = frame.line - frame.source_first_line
        code = frame.source[index].strip() if 0 <= index < len(frame.source) else ""
        lines.append(Line(one_line(f"{place}:  {code}" if code else place, width), "frame"))
        texts = "  ".join(f"{name}={render(node, 60)}" for name, node in frame.locals[:6])
        if texts:
            lines.append(Line(one_line(f"{indent}    {texts}", width), "local"))
    told = [*detail_lines(view.details, inner - 2), *attribute_lines(view, inner - 2)][:_LINKED_TOLD]
    return lines + [Line(f"{indent}    {text}", "local") for text in told]


def _read(scene: SceneFile) -> Any:
    return msgspec.to_builtins(scene.exceptions)


EXCEPTION = ScenePart(
    name="exception",
    absent=always(missing(Why.ENDED_BEFORE_SAVING)),
    json_key="exception",
    read=_read,
    render=_render_exception,
)
SOURCE = ScenePart(name="source", absent=always(missing(Why.NO_FRAMES)), read=lambda scene: scene.sources)
