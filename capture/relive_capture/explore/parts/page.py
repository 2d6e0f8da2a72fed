"""A failure as text for the terminal: plain, escaped, one list of lines with a style name each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from relive_base.parts import State, Why
from relive_base.terminal import one_line

from relive_capture.explore.parts.outside import outside_facts
from relive_capture.explore.parts.part import BRIEF, FULL, ScenePart
from relive_capture.explore.parts.process import BACKGROUND
from relive_capture.explore.parts.table import PARTS
from relive_capture.explore.scene import SceneFile
from relive_capture.explore.text import Line
from relive_capture.explore.text.exceptions import message_lines

__all__ = ["failure_lines", "render_text", "to_json"]

_WHOLE: Final = 1_000_000  # cells: no line is cut
_NO_STEPS: Final = ("init", "signal", "exit")
"""What cannot be gone back in: it has no steps, or its process is gone each time."""
_INTERRUPTED: Final = ("timeout", "memory", "signal", "cancelled")


def render_text(
    scene: SceneFile,
    width: int = 120,
    commands: Sequence[str] = (),
    heap: str = "",
    *,
    all_frames: bool = False,
    full: bool = False,
) -> str:
    """The whole failure as plain text. `commands`: what to type next, if it is not the usual; `heap`: what
    there is to say of the heap; `all_frames`: with each frame's line and locals, also those of libraries;
    `full`: everything that the scene has, and no line cut."""
    lines = failure_lines(scene, width, commands, heap, all_frames=all_frames, full=full)
    return "\n".join(line.text for line in lines)


def to_json(scene: SceneFile, parts: Sequence[ScenePart] = PARTS) -> dict[str, Any]:
    """The same for machines: the manifest, what each part gives, their states, redactions."""
    return {
        "manifest": scene.manifest,
        **{part.json_key: part.read(scene) for part in parts if part.json_key and part.read is not None},
        "parts": {
            name: {"state": str(part.state), "reason": part.reason} for name, part in scene.parts.items()
        },
        "redactions": scene.redactions,
    }


def failure_lines(
    scene: SceneFile,
    width: int = 120,
    commands: Sequence[str] = (),
    heap: str = "",
    *,
    all_frames: bool = False,
    full: bool = False,
    parts: Sequence[ScenePart] = PARTS,
) -> list[Line]:
    """Headline, what each part has to show, completeness, what to type next."""
    width = max(width, 40)
    wide = _WHOLE if full else width
    extent = replace(FULL if full else BRIEF, width=width, wide=wide, every_frame=all_frames or full)
    lines = _headline(scene, wide)
    for part in _order(scene, parts):
        lines += part.render(scene, extent)
    lines += _parts(scene, wide, heap)
    return lines + _next(scene, commands)


def _order(scene: SceneFile, parts: Sequence[ScenePart]) -> list[ScenePart]:
    """As they are in the table; but what failed beside a function that had to be interrupted comes first: it
    waited for that, most likely."""
    waited = scene.manifest.get("kind") in _INTERRUPTED
    return sorted(parts, key=lambda part: not (waited and part is BACKGROUND))


def _headline(scene: SceneFile, width: int) -> list[Line]:
    manifest, root = scene.manifest, scene.exceptions[0]
    captured = datetime.fromtimestamp(int(manifest.get("captured_ns", 0)) / 1e9, UTC)
    title, *rest = message_lines(root, width)
    lines = [Line(title, "title"), *(Line(text, "error") for text in rest)]
    facts = [
        f"{manifest.get('function', '?')}{_version(scene)}",
        f"kind {manifest.get('kind', '?')}",
        f"attempt {scene.attempt}",
        f"{captured:%Y-%m-%d %H:%M:%S} UTC",
    ]
    lines.append(Line(one_line("  " + " · ".join(facts), width), "meta"))
    ids = f"  invocation {scene.invocation_id}  trace {manifest.get('trace_id', '')}"
    # Ids are there to be copied, so they are never cut.
    lines.append(Line(one_line(f"{ids}  group {manifest.get('fingerprint', '')}"), "meta"))
    return lines


def _version(scene: SceneFile) -> str:
    """Or, of what Relive did not run, who did."""
    facts = outside_facts(scene)
    if facts is not None:
        return f", elsewhere ({facts.host[:20]})"
    return f" v{scene.manifest.get('version', '?')}"


def _parts(scene: SceneFile, width: int, heap: str) -> list[Line]:
    """What the scene has, what is missing of what it could have had and why, and what does not apply."""
    whole = [name for name, part in scene.parts.items() if part.state is State.OK]
    lines = [Line(""), Line(one_line(f"The scene has {', '.join(whole)}", width), "meta")]
    if heap:
        lines.append(Line(one_line(f"  heap: {heap}", width), "meta"))
    other: list[str] = []
    for name, part in scene.parts.items():
        state = part.state
        if state is State.NOT_APPLICABLE:
            other.append(name)
        elif state is not State.OK:
            lines.append(Line(one_line(f"  {state}: {name} ({part.reason})", width), "meta"))
    if other:
        lines.append(Line(one_line(f"  not for this failure: {', '.join(other)}", width), "dim"))
    if scene.redactions:
        lines.append(Line(one_line(f"  redacted: {', '.join(scene.redactions[:8])}", width), "dim"))
    return lines


def _next(scene: SceneFile, commands: Sequence[str]) -> list[Line]:
    ident = scene.invocation_id
    live = scene.parts.get("live")
    python = live is None or live.because(Why.NOT_KEPT) is None
    whence = python and scene.manifest.get("kind") not in _NO_STEPS
    commands = commands or (
        *([f"relive why {ident}"] if whence else []),
        *([f"relive debug {ident}"] if python else []),
        *([f"relive heap {ident}"] if scene.has_heap else []),
        f"relive replay {ident}",
        f"relive trace {ident}",
        *([f"relive flame {ident}"] if python else []),
        f"relive scene {ident} --output failure.scene",
    )
    return [
        Line(""),
        Line("Next", "heading"),
        *(Line(f"  {one_line(command)}", "command") for command in commands),
    ]
