"""A failure scene: the chain, the frames, the source around the failing line, the locals, the event."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from relive_tui.models.data import ExceptionView, FrameView, Preview, SceneView
from relive_tui.models.format import clock_ms
from relive_tui.models.home import failure_title, kind_label
from relive_tui.models.syntax import highlight_json, highlight_python, hit_line
from relive_tui.models.text import Line, clean, fit, fit_left, width_of

__all__ = [
    "FailureModel",
    "FrameRows",
    "SourceRows",
    "completeness_line",
    "event_lines",
    "headline",
    "preview_of",
]

EVENT_LINES = 500
EVENT_CHARS = 100_000
CORE_PARTS = ("exception", "event", "source")  # when one of these is missing, the line says why


RELATIONS = {"cause": "caused by", "context": "while handling", "group": "in the group"}


@dataclass(frozen=True, slots=True)
class FrameEntry:
    """A row of the frame list: a frame (`index` counts from the outermost), or some that are folded."""

    index: int
    folded: int = 0


class FailureModel:
    """Which exception of the chain and which of its frames are looked at."""

    def __init__(self, scene: SceneView) -> None:
        self.scene = scene
        self.chain = 0
        self.show_library = False
        self.frame = self.innermost_own()

    @property
    def exception(self) -> ExceptionView | None:
        """The exception that is shown, or None for a scene without one."""
        return self.scene.exceptions[self.chain] if self.scene.exceptions else None

    @property
    def current(self) -> FrameView | None:
        """The frame that is shown."""
        exception = self.exception
        if exception is None or not 0 <= self.frame < len(exception.frames):
            return None
        return exception.frames[self.frame]

    def innermost_own(self) -> int:
        """The innermost frame of the user's own code, else the innermost one."""
        exception = self.exception
        frames = exception.frames if exception else ()
        own = [index for index, frame in enumerate(frames) if frame.in_app]
        return own[-1] if own else len(frames) - 1

    def move_chain(self, step: int) -> bool:
        """The next (or previous) exception of the chain; False where there is none."""
        target = self.chain + step
        if not 0 <= target < len(self.scene.exceptions):
            return False
        self.chain = target
        self.frame = self.innermost_own()
        return True

    def find(self, text: str, step: int, *, here: bool = False) -> tuple[int, int] | None:
        """(frame, position of its first local that matches or -1) of the next frame outwards (step 1) or
        inwards that holds `text` (lower case), around the end; `here`: the shown frame counts first."""
        frames = self.exception.frames if self.exception else ()
        count = len(frames)
        for distance in range(0 if here else 1, count + 1):
            index = (self.frame - step * distance) % count if count else 0
            frame = frames[index]
            found = [
                position
                for position, (name, value) in enumerate(frame.locals)
                if text in name.lower() or (text in value.text.lower() and not value.redacted)
            ]
            if found or text in frame.function.lower() or text in frame.file.lower():
                return index, found[0] if found else -1
        return None

    def entries(self) -> list[FrameEntry]:
        """The frame list, innermost first; neighbouring library frames are one row unless they are shown."""
        exception = self.exception
        result: list[FrameEntry] = []
        for index in range(len(exception.frames) - 1 if exception else -1, -1, -1):
            assert exception is not None
            hidden = not (exception.frames[index].in_app or self.show_library or index == self.frame)
            if not hidden:
                result.append(FrameEntry(index))
            elif result and result[-1].folded:
                result[-1] = FrameEntry(index, result[-1].folded + 1)
            else:
                result.append(FrameEntry(index, 1))
        return result


class FrameRows:
    """The list of frames."""

    def __init__(self, model: FailureModel) -> None:
        self.model = model
        self.entries = model.entries()

    def __len__(self) -> int:
        return len(self.entries)

    def row_of_current(self) -> int:
        """The row of the frame that is shown."""
        return next((row for row, entry in enumerate(self.entries) if entry.index == self.model.frame), 0)

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        entry = self.entries[index]
        mark = ("▸ " if selected else "  ", "accent")
        if entry.folded:
            noun = "frame" if entry.folded == 1 else "frames"
            return [mark, (f"… {entry.folded} library {noun} (u)", "dim")]
        exception = self.model.exception
        assert exception is not None
        frame = exception.frames[entry.index]
        raised = entry.index == len(exception.frames) - 1
        where = f"{clean(os.path.basename(frame.file))}:{frame.line}"
        room = max(width - 4, 4)
        function = clean(frame.function)
        place = fit_left(where, min(width_of(where), max(room * 3 // 5, room - width_of(function) - 1)))
        name = fit(function, max(room - width_of(place) - 1, 1))
        return [
            mark,
            (name + " ", "name" if frame.in_app else "dim"),
            (place, "path" if frame.in_app else "dim"),
            (" ✖" if raised else "", "error"),
        ]


class SourceRows:
    """Source around a line; the line itself is marked with `❱` (and its own background)."""

    def __init__(self, frame: FrameView | None) -> None:
        self.frame = frame
        self.lines = highlight_python(frame.source) if frame else []

    def __len__(self) -> int:
        return len(self.lines) or 1

    def row_of_line(self) -> int:
        """The row of the marked line."""
        if self.frame is None or not self.lines:
            return 0
        return min(max(self.frame.line - self.frame.source_first_line, 0), len(self.lines) - 1)

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        if self.frame is None:
            return [("no frame was captured", "dim")]
        if not self.lines:
            return [("the source of this frame was not at hand", "dim")]
        number = self.frame.source_first_line + index
        last = max(self.frame.end_line, self.frame.line)
        hit = self.frame.line <= number <= last
        head = [("❱" if hit else " ", "error"), (f"{number:>5} ", "error" if hit else "dim")]
        body = self.lines[index]
        return [*head, *(hit_line(body, width) if hit else body)]


def headline(model: FailureModel) -> list[Line]:
    """What happened, in two lines: the exception, and where it stands in its chain."""
    scene, exception = model.scene, model.exception
    if exception is None:
        return [[("✖ ", "error"), (clean(scene.note or scene.kind), "error")]]
    first: Line = [("✖ ", "error"), (failure_title(exception.type, exception.message), "error")]
    kind = kind_label(scene.kind)
    second: Line = [(f"{kind} · " if kind else "", "warn")]
    total = len(scene.exceptions)
    if total > 1:
        second.append((f"chain {model.chain + 1}/{total} ", "bold"))
        following = scene.exceptions[model.chain + 1] if model.chain + 1 < total else None
        if following is not None:
            relation = RELATIONS.get(following.relation, "then")
            second.append((f"{relation} {failure_title(following.type, following.message)} ", "warn"))
        second.append(("([ ] moves) · ", "dim"))
    second.append((f"v{scene.version} · " if scene.version else "", "dim"))
    second.append((f"attempt {scene.attempt} · " if scene.attempt > 1 else "", "warn"))
    second.append((clock_ms(scene.captured_ns), "dim"))
    for note in exception.notes[:1]:
        second.append((" · " + clean(note), "warn"))
    return [first, second]


def completeness_line(scene: SceneView) -> Line:
    """Which parts the scene has; first what is missing of those that this failure could have had, and why."""
    parts = sorted((name, state, reason) for name, state, reason in scene.parts if state != "not_applicable")
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


def event_lines(text: str) -> list[Line]:
    """The event, as indented JSON where it is JSON, else as it came."""
    if not text:
        return [[("no event was recorded", "dim")]]
    cut = text[:EVENT_CHARS]
    try:
        pretty = json.dumps(json.loads(text), indent=2, ensure_ascii=False) if len(text) == len(cut) else cut
    except (ValueError, RecursionError):
        pretty = cut
    rows = pretty.split("\n")
    lines = [highlight_json(row) for row in rows[:EVENT_LINES]]
    left = len(rows) - EVENT_LINES
    if left > 0 or len(text) > len(cut):
        lines.append([(f"… {max(left, 0)} more lines ({len(text)} characters in all)", "dim")])
    return lines


def preview_of(scene: SceneView, limit: int = 6) -> Preview:
    """The failing line and the first locals of a scene."""
    model = FailureModel(scene)
    exception, frame = model.exception, model.current
    title = failure_title(exception.type, exception.message) if exception else scene.note or scene.kind
    if frame is None:
        return Preview(title)
    row = frame.line - frame.source_first_line
    source = frame.source[row] if 0 <= row < len(frame.source) else ""
    shown = tuple((name, value.text) for name, value in frame.locals[:limit])
    first = max(row - 2, 0)
    lines = highlight_python(frame.source[first : row + 2]) if source else []
    around = tuple((frame.source_first_line + first + step, line) for step, line in enumerate(lines))
    where = f"{os.path.basename(frame.file)}:{frame.line} in {frame.function}"
    return Preview(title, where, source, shown, frame.line, around)
