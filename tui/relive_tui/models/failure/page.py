"""A failure scene: which stack and which of its frames are looked at, and what the headline says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relive_tui.models.failure.preview import Preview
from relive_tui.models.failure.stacks import RELATIONS, frames_of, group_around, start_of
from relive_tui.models.failure.syntax import highlight_python
from relive_tui.models.home import failure_title, kind_label
from relive_tui.models.layout.format import age, clock, clock_ms, count_short, sparkline
from relive_tui.models.layout.text import Line, clean, clean_title, line_width

if TYPE_CHECKING:
    from relive_views.failures import GroupView
    from relive_views.scenes.model import ExceptionView, FrameView, SceneView

__all__ = ["FailureModel", "FrameEntry", "headline", "history_line", "preview_of"]

_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class FrameEntry:
    """A row of the frame list: a frame (`index` counts from the outermost), or some that are folded: `folded`
    of the library's, `repeated` that stand where the one within stands. `cut`: how many were not kept."""

    index: int
    folded: int = 0
    repeated: int = 0
    cut: int = 0


class FailureModel:
    """Which stack of the scene (an exception, a thread, a task) and which of its frames are looked at."""

    def __init__(self, scene: SceneView) -> None:
        self.scene = scene
        self.stack = start_of(scene)
        self.show_library = False
        self.frame = self.innermost_own()

    @property
    def stacks(self) -> int:
        """How many there are."""
        return len(self.scene.exceptions) + len(self.scene.stacks)

    @property
    def frames(self) -> tuple[FrameView, ...]:
        """The frames of the stack that is shown, outermost first."""
        return frames_of(self.scene, self.stack)

    @property
    def exception(self) -> ExceptionView | None:
        """The exception that is shown, a thread's or task's own, too; None of a stack that did not fail."""
        exceptions, stacks = self.scene.exceptions, self.scene.stacks
        if self.stack < len(exceptions):
            return exceptions[self.stack]
        beside = self.stack - len(exceptions)
        return stacks[beside].exception if beside < len(stacks) else None

    @property
    def current(self) -> FrameView | None:
        """The frame that is shown."""
        return self.frames[self.frame] if 0 <= self.frame < len(self.frames) else None

    def innermost_own(self) -> int:
        """The innermost frame of the user's own code, else the innermost one."""
        own = [index for index, frame in enumerate(self.frames) if frame.in_app]
        return own[-1] if own else len(self.frames) - 1

    def select_stack(self, index: int) -> bool:
        """Look at another stack; False if there is none."""
        if not 0 <= index < self.stacks:
            return False
        self.stack = index
        self.frame = self.innermost_own()
        return True

    def move_stack(self, step: int) -> bool:
        """The next (or previous) stack: along the chain, through groups, then the threads."""
        return self.select_stack(self.stack + step)

    def find(self, text: str, step: int, *, here: bool = False) -> tuple[int, int] | None:
        """(frame, position of its first local that matches or -1) of the next frame outwards (step 1) or
        inwards that holds `text` (lower case), around the end; `here`: the shown frame counts first."""
        frames = self.frames
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
        """The frame list, innermost first; neighbouring library frames are one row unless they are shown, and
        so are calls of the same line by itself."""
        frames, exception = self.frames, self.exception
        cut = exception.frames_cut if exception else 0
        result: list[FrameEntry] = []
        for index in range(len(frames) - 1, -1, -1):
            last = result[-1] if result else None
            if self.show_library or index == self.frame:
                result.append(FrameEntry(index))
            elif not frames[index].in_app:
                if last and last.folded:
                    result[-1] = FrameEntry(index, last.folded + 1)
                else:
                    result.append(FrameEntry(index, 1))
            elif last and not last.cut and _same_place(frames[index], frames[index + 1]):
                if last.repeated:
                    result[-1] = FrameEntry(index, repeated=last.repeated + 1)
                else:
                    result.append(FrameEntry(index, repeated=1))
            else:
                result.append(FrameEntry(index))
            if cut and exception is not None and index == exception.frames_cut_at:
                result.append(FrameEntry(index, cut=cut))
        return result


def _same_place(frame: FrameView, other: FrameView) -> bool:
    return (frame.file, frame.line, frame.function) == (other.file, other.line, other.function)


def headline(model: FailureModel) -> list[Line]:
    """What happened, in one to three lines: the exception; what it stands in or was caused by; its notes."""
    scene, exception = model.scene, model.exception or (model.scene.exceptions or (None,))[0]
    if exception is None:
        return [[("✖ ", "error"), (clean_title(scene.note or scene.kind), "error")]]
    first: Line = [("✖ ", "error"), (failure_title(exception.type, exception.message), "error")]
    kind = kind_label(scene.kind)
    if kind:
        first.append((f"  {clean(kind)}", "warn"))
    lines = [first]
    linked = _linked(model)
    if linked:
        lines.append(linked)
    place = [" ".join(line.strip() for line in exception.place[:2])] if exception.place else []
    notes = place + [note for note in exception.notes if note.strip()]
    if scene.result is not None and scene.result[1]:
        notes.insert(0, f"{scene.result[0]}: {scene.result[1]}")
    if notes:
        more = f"  (+{len(notes) - 1}, i shows)" if len(notes) > 1 else ""
        lines.append([("✎ ", "warn"), (clean_title(notes[0]), "warn"), (more, "dim")])
    return lines


def _linked(model: FailureModel) -> Line:
    """Where the stack stands among the others: `caused by LookupError: stale  1/2 [ ]`."""
    scene, index = model.scene, model.stack
    if model.stacks <= 1:
        return []
    line: Line = [(f"{index + 1}/{model.stacks} [ ] moves  ", "dim")]
    around = group_around(scene, index)
    if index >= len(scene.exceptions):
        stack = scene.stacks[index - len(scene.exceptions)]
        what = "failed in" if stack.exception is not None else "showing"
        line.append((f"{what} {stack.kind} {clean(stack.name)}", "warn"))
    elif around is not None:
        group = scene.exceptions[around[0]]
        behind = "" if scene.exceptions[index].relation == "group" else "behind "
        line.append((f"{behind}{around[1]} of {around[2]} in ", "warn"))
        line.append((failure_title(group.type, group.message), "warn"))
        following = _following(scene, index)
        line.append((f", {following}" if following else "", "warn"))
    else:
        following = _following(scene, index)
        if following:
            line.append((following, "warn"))
        elif scene.stacks:
            kinds = [stack.kind for stack in scene.stacks]
            counts = [(kind, kinds.count(kind)) for kind in dict.fromkeys(kinds)]
            beside = " and ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts)
            line.append((f"{beside} beside it", "dim"))
    return line


def _following(scene: SceneView, index: int) -> str:
    """What the exception was raised from: `caused by LookupError: stale`; or ""."""
    exception = scene.exceptions[index]
    beside = (other for other in scene.exceptions[index + 1 :] if other.depth == exception.depth)
    following = next(beside, None)
    if following is None or following.relation == "group":
        return ""
    hidden = " (hidden by `from None`)" if exception.suppressed else ""
    relation = RELATIONS.get(following.relation, "then")
    return f"{relation} {failure_title(following.type, following.message)}{hidden}"


def history_line(scene: SceneView, group: GroupView | None, now_ns: int, width: int = 0) -> Line:
    """Version and time of this one; since when, how often and in which versions its like was seen. What a
    `width` has no room for goes, the trend first."""
    line: Line = []
    for left_out in range(4 if width else 1):
        line = _history(scene, group, now_ns, left_out)
        if line_width(line) <= width:
            break
    return line


def _history(scene: SceneView, group: GroupView | None, now_ns: int, left_out: int) -> Line:
    line: Line = [(f"v{scene.version} · " if scene.version else "", "dim")]
    if scene.host:
        line.append((f"elsewhere, {clean(scene.host)} · ", "warn"))
    line.append((f"attempt {scene.attempt} · " if scene.attempt > 1 else "", "warn"))
    line.append((_moment(scene.captured_ns, now_ns, clock_ms(scene.captured_ns)), "dim"))
    if group is not None and group.count == 1:
        line.append((" · the first of its kind", "warn"))
    elif group is not None:
        first = _moment(group.first_at, now_ns, clock(group.first_at))
        if left_out < 3:
            line += [(" · first seen ", "dim"), (first, "")]
        line += [(" · ", "dim"), (f"×{count_short(group.count)}", "bold")]
        if left_out < 1:
            line += [(" ", ""), (sparkline(list(group.spark), min(len(group.spark), 10)), "error")]
        versions = [f"v{number}" for number in sorted(group.versions) if number]
        if len(versions) > 4:
            versions = [versions[0], "…", *versions[-2:]]
        line.append((f" in {' '.join(versions)}" if versions and left_out < 2 else "", "dim"))
    return line


def _moment(ns: int, now_ns: int, clock_text: str) -> str:
    """A time of day; from a day on how long ago that was."""
    return f"{age(ns, now_ns)} ago" if ns and now_ns - ns >= _DAY_NS else clock_text


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
