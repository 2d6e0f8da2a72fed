"""One moment of a run that can be gone back in, and the run as a strip. Pure but for asking."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from relive_base.errors import ReliveError
from relive_base.values import ValueNode

from relive_tui.models.layout.format import SPARKS
from relive_tui.models.layout.text import Line, clean, fit, fit_left, width_of

if TYPE_CHECKING:
    from relive_views.scenes.model import FrameView

__all__ = [
    "Asking", "Locals", "Moment", "MomentFrames", "Step", "Strip", "changed", "parse_step", "parse_strip",
    "read_locals", "read_moment", "strip_lines", "told",
]  # fmt: skip

_CHILDREN: Final = 50
_FRAMES: Final = 40
_NAMES: Final = 300
_LOCALS: Final = 12
"""Of so many locals what is inside is asked for."""
_COLUMNS: Final = 1_000
_HINT: Final = ": rs goes back by one, h lists commands"
Asking = Callable[[str, dict[str, Any]], dict[str, Any]]
"""A request of the Debug Adapter Protocol; gives the body of the answer. Raises ReliveError."""


@dataclass(frozen=True, slots=True)
class Locals:
    """The names of a frame. `paths`: the expression for each value that has one, by its place in the tree."""

    values: tuple[tuple[str, ValueNode], ...] = ()
    paths: dict[tuple[int, ...], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Strip:
    """`total` steps, `failing` is the one that failed; `depths` of its calls, one for each column."""

    total: int = 0
    failing: int = 0
    depths: tuple[int, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Where a debugger stands: `number` None is the failure itself."""

    number: int | None = None

    @property
    def label(self) -> str:
        return "the failure" if self.number is None else f"step {self.number:,}"


@dataclass(frozen=True, slots=True)
class Moment:
    """What is seen there; frames innermost first. `idents`: the debugger's numbers of the frames. `said`:
    what the command that led here had to say."""

    step: Step
    strip: Strip
    frames: tuple[FrameView, ...] = ()
    idents: tuple[int, ...] = ()
    selected: int = 0  # the innermost frame of the application
    names: Locals = Locals()
    said: str = ""


class MomentFrames:
    """The stack of a moment as rows."""

    def __init__(self, frames: Sequence[FrameView]) -> None:
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    def header(self, width: int) -> Line | None:
        return None

    def line(self, index: int, width: int, selected: bool) -> Line:
        frame = self.frames[index]
        place = f"{clean(os.path.basename(frame.file))}:{frame.line}"
        room = max(width - 3, 8)
        where = fit_left(place, min(width_of(place), room * 3 // 5))
        name = fit(clean(frame.function), max(room - width_of(where) - 1, 1))
        own = frame.in_app
        return [
            ("▸ " if selected else "  ", "accent"),
            (f"{name} ", "name" if own else "dim"),
            (where, "path" if own else "dim"),
        ]


def parse_strip(text: str) -> Strip:
    """From the debugger's word for it. What is no strip is an empty one."""
    try:
        found = json.loads(text.strip().rpartition("\n")[2])
        depths = tuple(int(depth) for depth in found["depths"][:_COLUMNS])
        return Strip(int(found["total"]), int(found["failing"]), depths, bool(found["cut"]))
    except (ValueError, KeyError, TypeError, IndexError):
        return Strip()


def parse_step(moment: str) -> Step:
    """From a prompt: "step 12" or "failure"."""
    word, _, number = moment.strip("() ").partition(" ")
    return Step(int(number)) if word == "step" and number.isascii() and number.isdigit() else Step()


def read_moment(ask: Asking, step: Step, strip: Strip, said: str = "") -> Moment:
    """Ask for the frames of where the debugger stands, and the locals of the innermost own one."""
    threads = ask("threads", {})["threads"]
    first = threads[0]["id"] if threads else 1
    given = ask("stackTrace", {"threadId": first, "startFrame": 0, "levels": _FRAMES})["stackFrames"]
    texts: dict[int, tuple[str, ...]] = {}
    frames = tuple(_frame(ask, frame, texts) for frame in given)
    idents = tuple(int(frame["id"]) for frame in given)
    selected = next((number for number, frame in enumerate(frames) if frame.in_app), 0)
    names = read_locals(ask, idents[selected]) if idents else Locals()
    return Moment(step, strip, frames, idents, selected, names, said)


def read_locals(ask: Asking, ident: int) -> Locals:
    """Of one frame, by its number."""
    scopes = ask("scopes", {"frameId": ident})["scopes"]
    reference = next((scope["variablesReference"] for scope in scopes if not scope.get("expensive")), 0)
    if not reference:
        return Locals()
    rows = ask("variables", {"variablesReference": reference, "start": 0, "count": _NAMES})["variables"]
    paths: dict[tuple[int, ...], str] = {}
    values = tuple(
        (str(row["name"]), _node(ask, row, (number,), paths, inside=number < _LOCALS))
        for number, row in enumerate(rows[:_NAMES])
    )
    return Locals(values, paths)


def _frame(ask: Asking, frame: dict[str, Any], texts: dict[int, tuple[str, ...]]) -> FrameView:
    from relive_views.scenes.model import FrameView

    source = frame.get("source") or {}
    own = frame.get("presentationHint") == "normal"
    return FrameView(
        file=str(source.get("name") or source.get("path") or ""),
        line=int(frame.get("line") or 0),
        function=str(frame.get("name") or ""),
        in_app=own,
        source=_text(ask, source, int(source.get("sourceReference") or 0), texts) if own else (),
        source_first_line=1,
    )


def _text(
    ask: Asking, source: dict[str, Any], reference: int, texts: dict[int, tuple[str, ...]]
) -> tuple[str, ...]:
    if reference in texts:
        return texts[reference]
    try:
        if not reference:
            with open(source.get("path") or "", encoding="utf-8", errors="replace") as file:
                lines = tuple(file.read(1_048_576).split("\n"))
        else:
            found = ask("source", {"sourceReference": reference, "source": source})["content"]
            lines = tuple(found.split("\n"))
    except (OSError, ValueError, ReliveError):  # the frame is shown without its source
        lines = ()
    if reference:
        texts[reference] = lines
    return lines


def _node(
    ask: Asking,
    row: dict[str, Any],
    place: tuple[int, ...],
    paths: dict[tuple[int, ...], str],
    *,
    inside: bool,
) -> ValueNode:
    node = ValueNode(type=str(row.get("type") or ""), text=str(row.get("value") or ""))
    if row.get("evaluateName"):
        paths[place] = str(row["evaluateName"])
    reference = int(row.get("variablesReference") or 0)
    if reference and inside:
        arguments = {"variablesReference": reference, "start": 0, "count": _CHILDREN}
        try:
            rows = ask("variables", arguments)["variables"]
        except ReliveError:  # the value is shown without what is in it
            return node
        node.children = [
            (str(child["name"]), _node(ask, child, (*place, number), paths, inside=False))
            for number, child in enumerate(rows[:_CHILDREN])
        ]
        known = int(row.get("namedVariables") or 0) + int(row.get("indexedVariables") or 0)
        node.more = max(known - len(node.children), 0)
    return node


def told(said: str) -> list[str]:
    """What a command said, without where pdb stands: the screen shows that."""
    rows = [row for row in said.split("\n") if not row.startswith(("> ", "-> "))]
    return [row.removesuffix(_HINT) for row in rows if row]


def changed(before: Locals, after: Locals) -> set[str]:
    """The names whose values look different."""
    old = {name: value.text for name, value in before.values}
    return {name for name, value in after.values if old.get(name) != value.text}


def strip_lines(strip: Strip, step: Step, width: int) -> list[Line]:
    """The run from its first step to its failure: bars as high as its calls are deep, a mark below them for
    where one stands."""
    if not strip.depths or width < 20:
        return [[("the run has no lines of the application", "dim")]]
    room = max(min(width - 4, len(strip.depths)), 1)
    columns = [
        max(
            strip.depths[column * len(strip.depths) // room : (column + 1) * len(strip.depths) // room]
            or (0,)
        )
        for column in range(room)
    ]
    at = strip.total if step.number is None else step.number
    here = min(at * room // max(strip.total, 1), room - 1) if step.number is not None else room
    deepest = max(columns) or 1
    bars: Line = [(" ", "")]
    for column, depth in enumerate(columns):
        style = "accent" if column == here else "key" if column < here else "dim"
        bars.append((SPARKS[depth * (len(SPARKS) - 1) // deepest], style))
    bars.append(("✖", "error"))
    label = (
        f"{step.label} of {strip.total:,}"
        if step.number is not None
        else f"the failure, after {strip.total:,} steps"
    )
    if strip.cut:
        label += " (of a longer run: what comes after is not gone back to)"
    left, right = here, width - here - 3
    arrow = ("▲", "accent")
    if width_of(label) <= right or right >= left:
        return [
            bars,
            [
                (" " * (here + 1), ""),
                arrow,
                (" " + fit(clean(label), max(min(right, width_of(label)), 0)), ""),
            ],
        ]
    text = fit_left(clean(label), min(left, width_of(label)))
    return [bars, [(text.rjust(left), ""), (" ", ""), arrow]]
