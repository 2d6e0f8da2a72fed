"""What a scene has, what it lacks and why: in one line, and in full."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from relive_tui.models.failure.facts import fact_lines
from relive_tui.models.home import failure_title
from relive_tui.models.layout.text import Line, clean, fit, wrap_lines

if TYPE_CHECKING:
    from relive_views.scenes.model import ExceptionView, SceneView

__all__ = ["completeness_line", "detail_lines"]

CORE_PARTS = ("exception", "event", "source")  # when one of these is missing, the line says why
ACTS = ("live", "replay")  # said by the line of acts, as they stand now
_SIGNS = {
    "ok": ("✔", "ok", "whole"),
    "partial": ("◐", "warn", "in part"),
    "missing": ("○", "warn", "missing"),
    "not_applicable": ("·", "dim", "not for such a failure"),
}
_LABEL = 14


def completeness_line(scene: SceneView) -> Line:
    """Which parts the scene has; first what is missing of those that this failure could have had, and why."""
    parts = sorted(
        (name, state, reason)
        for name, state, reason in scene.parts
        if state != "not_applicable" and name not in ACTS
    )
    if not parts:
        return [("scene ", "dim"), (clean(scene.note) or "no parts recorded", "dim")]
    line: Line = [("scene ", "dim")]
    for name, state, reason in parts:
        if state == "ok":
            continue
        sign, style = ("◐ ", "warn") if state == "partial" else ("○ ", "dim")
        line += [(sign, style), (clean(name), style)]
        if reason and (state == "partial" or name in CORE_PARTS):
            line.append((f" ({clean(reason)})", "warn"))
        line.append(("  ", ""))
    whole = [clean(name) for name, state, _ in parts if state == "ok"]
    return [*line, ("✔ ", "ok"), (" ".join(whole), "")] if whole else line


def detail_lines(scene: SceneView, width: int) -> list[Line]:
    """The whole messages; every part with its state and the whole reason; the notes; the facts."""
    failed = [*scene.exceptions, *(stack.exception for stack in scene.stacks if stack.exception is not None)]
    lines: list[Line] = wrap_lines([line for each in failed for line in _told(each)], width)
    lines = [[("Error", "name")], *lines, []] if lines else []
    lines.append([("Parts", "name")])
    order = list(_SIGNS)
    for name, state, reason in sorted(scene.parts, key=lambda part: (_rank(order, part[1]), part[0])):
        sign, style, word = _SIGNS.get(state, _SIGNS["missing"])
        text = reason if reason and state == "not_applicable" else f"{word}: {reason}" if reason else word
        lines += _entry([(f"  {sign} ", style), (fit(clean(name), _LABEL), style)], text, width)
    notes = [(failure_title(exception.type, ""), note) for exception in failed for note in exception.notes]
    for title, entries in (("Notes", notes), ("Facts", list(fact_lines(scene)))):
        if entries:
            lines += [[], [(title, "name")]]
        for name, text in entries:
            lines += _entry([("    ", ""), (fit(clean(name), _LABEL), "key")], text, width)
    return lines


def _told(exception: ExceptionView) -> list[Line]:
    """The message with all its lines; under it where the syntax is wrong, and what its type has to tell."""
    first, *rest = exception.message.split("\n")
    lines: list[Line] = [[(f"  ✖ {failure_title(exception.type, first)}", "error")]]
    lines += [[(f"    {clean(text)}", "error")] for text in (*rest, *exception.place)]
    for name, text in exception.details:
        head, *others = text.split("\n")
        lines.append([(f"    {clean(name)}: ", "key"), (clean(head), "")])
        lines += [[(f"      {clean(other)}", "")] for other in others]
    return lines


def _rank(order: list[str], state: str) -> int:
    """Missing first, then partial, whole, and what does not apply."""
    return {"missing": 0, "partial": 1, "ok": 2}.get(state, 3 if state in order else 0)


def _entry(head: Line, text: str, width: int) -> list[Line]:
    """A label and its text, wrapped beside it."""
    indent = 4 + _LABEL + 1
    rows = wrap(clean(text), max(width - indent, 20)) or [""]
    return [[*head, (" " + rows[0], "")], *([(" " * indent + row, "")] for row in rows[1:])]
