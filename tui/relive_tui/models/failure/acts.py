"""What can be done with a failure, and how it stands: run again, debugged, made a test, settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relive_tui.models.layout.format import age, duration
from relive_tui.models.layout.text import Line, Span, clean, line_width

if TYPE_CHECKING:
    from relive_views.kept import KeptView
    from relive_views.scenes.model import SceneView
    from relive_views.scenes.replays import ReplayNote

__all__ = ["SETTLE", "ActsState", "acts_line", "replay_text", "state_span"]

_OUTCOMES = {
    "same": ("✖ same failure", "error"),
    "other": ("≠ another failure", "warn"),
    "passed": ("✔ passed", "ok"),
    "past": ("→ past the failing line", "warn"),
    "unrecorded": ("≠ a call not in the scene", "warn"),
    "mixed": ("± varies", "warn"),
}


def replay_text(replay: ReplayNote, version: int, now_ns: int) -> Line:
    """`✔ passed 3m ago (working copy)`; of the version that failed its name is left out."""
    text, style = _OUTCOMES.get(replay.outcome, (clean(replay.outcome), "warn"))
    line: Line = [(text, style)]
    if replay.runs > 1:
        line.append(
            (" " + ", ".join(f"{count} {name}" for name, count in replay.counts.items() if count), style)
        )
    when = age(replay.at_ns, now_ns)
    line.append((f" {when} ago" if when not in ("", "now") else " just now", "dim"))
    own = not replay.code or replay.code.endswith(f"version {version}")
    return [*line, ("" if own else f" ({clean(replay.code)})", "dim")]


@dataclass(frozen=True, slots=True)
class ActsState:
    """What is known beside the scene. `kept`: the failed process where it is still there; `asked`: whether
    anybody was asked for it yet."""

    replay: ReplayNote | None = None
    kept: KeptView | None = None
    asked: bool = False
    state: str = ""  # of its group; "" if it has none


SETTLE = (
    ("resolved", "resolved: should it fail again, it comes back as a regression"),
    ("ignored", "ignored: it stays out of the lists"),
    ("open", "open: somebody has to look at it"),
)
_STATES: dict[str, Span] = {
    "open": ("open", ""),
    "regression": ("↩ came back", "error"),
    "resolved": ("✔ resolved", "ok"),
    "ignored": ("⊘ ignored", "dim"),
}


def state_span(state: str) -> Span:
    """A group's state as it is shown."""
    return _STATES.get(state, (clean(state), "warn"))


def acts_line(
    scene: SceneView, state: ActsState, now_ns: int, width: int = 0
) -> tuple[Line, list[tuple[int, int, str]]]:
    """`R replay ready  b debug process kept, 8m left  x test ready`, and where each can be clicked. What a
    `width` has no room for is cut behind the name of the act."""
    acts: tuple[tuple[str, str, Line], ...] = (
        ("R", "replay", _replay(scene, state, now_ns)),
        ("b", "debug", _debug(scene, state)),
        ("x", "test", _test(scene)),
    )
    if state.state:
        acts += (("a", "state", [state_span(state.state)]),)
    line: Line = [(" ", "")]
    spots: list[tuple[int, int, str]] = []
    for key, name, told in acts:
        begin = line_width(line)
        line += [(key, "hint_key"), (f" {name} ", ""), *told, ("   ", "")]
        spots.append((begin, line_width(line) - 3, f"press({key!r})"))
    if width and line_width(line) > width + 3:
        return acts_line_short(acts)
    return line, spots


def acts_line_short(acts: tuple[tuple[str, str, Line], ...]) -> tuple[Line, list[tuple[int, int, str]]]:
    """The same with the first part of each state only."""
    line: Line = [(" ", "")]
    spots: list[tuple[int, int, str]] = []
    for key, name, told in acts:
        begin = line_width(line)
        line += [(key, "hint_key"), (f" {name} ", ""), *told[:1], ("  ", "")]
        spots.append((begin, line_width(line) - 2, f"press({key!r})"))
    return line, spots


def _part(scene: SceneView, name: str) -> tuple[str, str]:
    return next(((state, reason) for part, state, reason in scene.parts if part == name), ("missing", ""))


def _replay(scene: SceneView, state: ActsState, now_ns: int) -> Line:
    if state.replay is not None:
        return replay_text(state.replay, scene.version, now_ns)
    return _recorded(scene)


def _recorded(scene: SceneView) -> Line:
    found, reason = _part(scene, "replay")
    if found == "ok":
        count = len(scene.calls)
        calls = f", {count} recorded call{'s' * (count != 1)}" if count else ""
        return [("✔ ready", "ok"), (calls, "dim")]
    if found == "partial":
        return [("◐ in part", "warn"), (f": {clean(reason)}", "dim")]
    return [("○ not recorded", "dim"), (f": {clean(reason)}" if reason else "", "dim")]


def _debug(scene: SceneView, state: ActsState) -> Line:
    if state.kept is not None:
        busy = ", in use" if state.kept.attached else ""
        left = f" {duration(state.kept.left_s * 1e9)} more" if state.kept.left_s else ""
        return [("✔ process kept", "ok"), (left + busy, "dim")]
    if not state.asked:
        return [("…", "dim")]
    if not scene.parts:
        return [("○ no scene", "dim")]
    return [("on the scene", ""), (", its process has ended", "dim")]


def _test(scene: SceneView) -> Line:
    found, _ = _part(scene, "replay")
    if _part(scene, "threads")[0] == "not_applicable":  # of a program in another language
        return [("○ no Python", "dim")]
    return [("✔ ready", "ok")] if found in ("ok", "partial") else [("○ not recorded", "dim")]
