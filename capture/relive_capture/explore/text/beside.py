"""What else went on in the process of a failure, as lines of text: what failed beside it, and what waited."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from relive_base.terminal import one_line
from relive_base.values import render

from relive_capture.explore.scene import SceneFile
from relive_capture.explore.text.exceptions import title_of, wrapped
from relive_capture.explore.text.lines import Line
from relive_capture.model import BackgroundView, FrameView, TaskView, ThreadView

__all__ = ["beside_lines", "task_lines", "thread_lines"]

_SHOWN = 12
_MESSAGE_LINES = 6
_LOCALS = 6


def beside_lines(scene: SceneFile, width: int) -> list[Line]:
    """What failed in threads and tasks that nobody waited for, but for the one that the scene is of. What
    failed in earlier invocations of the same process is told apart: it may be the reason, or have none to do
    with it."""
    views = scene.background[1:] if scene.manifest.get("kind") == "background" else scene.background
    own = [view for view in views if view.invocation_id in ("", scene.invocation_id)]
    lines = [line for view in own for line in _view(view, width)]
    told = {view.name for view in views}
    for task in scene.tasks:
        if task.unseen and task.name not in told:
            text = f"{task.error}: {task.message}" if task.message else task.error
            lines += _failed(f"exception in {task.kind} {task.name}: {text}", _own(task.frames), width)
    earlier = [line for view in views if view not in own for line in _of_before(view, width)]
    return [
        *([Line(""), Line("Failed beside it", "heading"), *lines] if lines else []),
        *([Line(""), Line("Failed in this process before", "heading"), *earlier] if earlier else []),
    ]


def _of_before(view: BackgroundView, width: int) -> Iterator[Line]:
    yield Line(one_line(f"  in invocation {view.invocation_id}", width), "dim")
    yield from _view(view, width)


def _view(view: BackgroundView, width: int) -> Iterator[Line]:
    yield from _failed(view.message, _own(view.exceptions[0].frames if view.exceptions else []), width)
    for cause in view.exceptions[1:_SHOWN]:
        title = f"  {cause.relation or 'behind'}: {title_of(cause)}"
        yield Line(one_line(title, width), "error")


def _failed(message: str, frame: FrameView | None, width: int) -> Iterator[Line]:
    yield from (Line(f"  {text}", "error") for text in wrapped(message, width - 2, _MESSAGE_LINES))
    if frame is None:
        return
    index = frame.line - frame.source_first_line
    code = frame.source[index].strip() if 0 <= index < len(frame.source) else ""
    place = f"    {frame.file}:{frame.line} in {frame.function}"
    yield Line(one_line(f"{place}:  {code}" if code else place, width), "frame")
    texts = "  ".join(f"{name}={render(node, 60)}" for name, node in frame.locals[:_LOCALS])
    if texts:
        yield Line(one_line(f"      {texts}", width), "local")


def task_lines(scene: SceneFile, width: int) -> list[Line]:
    """Where tasks and greenlets stood."""
    return _list("Tasks", [_task(task) for task in scene.tasks if task.state == "pending"], width)


def thread_lines(scene: SceneFile, width: int) -> list[Line]:
    """Where other threads stood that run the function's own code."""
    threads = [thread for thread in scene.threads if _own(thread.frames) is not None]
    return _list("Threads", [_thread(thread) for thread in threads], width)


def _list(title: str, rows: Sequence[str], width: int) -> list[Line]:
    if not rows:
        return []
    lines = [Line(""), Line(title, "heading")]
    lines += [Line(one_line(f"  {row}", width), "frame") for row in rows[:_SHOWN]]
    more = len(rows) - _SHOWN
    return [*lines, Line(f"  … {more} more", "dim")] if more > 0 else lines


def _task(task: TaskView) -> str:
    waits = f", awaits {task.awaits}" if task.awaits else ""
    return f"{task.kind} {task.name:<20} {_place(task.frames)}{waits}"


def _thread(thread: ThreadView) -> str:
    return f"{thread.name:<26} {_place(thread.frames)}"


def _place(frames: Sequence[FrameView]) -> str:
    frame = _own(frames) or (frames[-1] if frames else None)
    if frame is None:
        return "without frames of Python code"
    index = frame.line - frame.source_first_line
    code = frame.source[index].strip() if 0 <= index < len(frame.source) else ""
    place = f"{frame.file}:{frame.line} in {frame.function}"
    return f"{place}:  {code}" if code else place


def _own(frames: Sequence[FrameView]) -> FrameView | None:
    """The innermost frame of the user's own code."""
    return next((frame for frame in reversed(frames) if frame.in_app), None)
