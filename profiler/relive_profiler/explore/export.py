"""A tree for other tools and people: pyinstrument's text, our own page, speedscope, collapsed stacks.

Function and file names come from user code: every format makes them harmless in its own way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from relive_base.shown_numbers import counted
from relive_base.terminal import one_line

from relive_profiler.explore import speedscope
from relive_profiler.explore.flame_page import to_page
from relive_profiler.explore.otlp_profile import to_otlp
from relive_profiler.explore.pprof import to_pprof
from relive_profiler.explore.pruning import clean, kept_nodes
from relive_profiler.explore.tree import FlameTree
from relive_profiler.explore.tree_text import to_import_text, to_json

if TYPE_CHECKING:
    from pyinstrument.frame import Frame
    from pyinstrument.session import Session

__all__ = [
    "BINARY_FORMATS",
    "FORMATS",
    "export",
    "export_bytes",
    "to_collapsed",
    "to_html",
    "to_session",
    "to_speedscope",
    "to_text",
]

FORMATS: Final = ("text", "html", "speedscope", "collapsed", "json", "imports")
BINARY_FORMATS: Final = ("pprof", "otlp")
_MAX_NODES: Final = 50_000
"""More than anybody can look at; speedscope becomes slow beyond."""


def export(tree: FlameTree, format_: str) -> str:
    """The tree in one of FORMATS ("imports": of modules, as text). Raises KeyError for another one."""
    return {
        "text": to_text,
        "html": to_html,
        "speedscope": to_speedscope,
        "collapsed": to_collapsed,
        "json": lambda tree: to_json(tree, _MAX_NODES),
        "imports": to_import_text,
    }[format_](tree)


def export_bytes(tree: FlameTree, format_: str, *, started_ns: int = 0) -> bytes:
    """The tree in one of FORMATS, as UTF-8, or of BINARY_FORMATS. `started_ns`: ns since the epoch."""
    if format_ == "pprof":
        return to_pprof(tree, _MAX_NODES, started_ns=started_ns)
    if format_ == "otlp":
        return to_otlp(tree, _MAX_NODES, started_ns=started_ns)
    return export(tree, format_).encode("utf-8", "backslashreplace")


def to_session(tree: FlameTree, *, started_s: float = 0.0, max_nodes: int = _MAX_NODES) -> Session:
    """The tree as a pyinstrument Session; the lightest nodes beyond `max_nodes` go to their parents."""
    from pyinstrument.session import Session

    records = [(path, value / _unit(tree)) for path, value in _leaves(tree, max_nodes)]
    return Session(
        frame_records=records,
        start_time=started_s,
        duration=sum(seconds for _, seconds in records),
        min_interval=0.001,
        max_interval=0.001,
        sample_count=tree.samples,
        start_call_stack=["[root]"],
        target_description=clean(f"{tree.name[0]}: {tree.note}" if len(tree) else "nothing"),
        cpu_time=tree.cpu_ns / 1e9,
        sys_path=[],
        sys_prefixes=["site-packages/", "python3.", "<"],
    )


def to_text(tree: FlameTree) -> str:
    """pyinstrument's console tree, plain; safe for terminals."""
    from pyinstrument.renderers import ConsoleRenderer

    class Plain(ConsoleRenderer):
        def default_processors(self) -> list[Any]:
            return [*super().default_processors(), _without_self]

        def render_preamble(self, session: Session) -> str:
            many = counted(tree.invocations, "invocation")
            return " · ".join(filter(None, (session.target_description, many, tree.engine))) + "\n\n"

    return Plain(unicode=True, color=False).render(to_session(tree))


def _without_self(root: Frame | None, options: dict[str, Any]) -> Frame | None:
    """A frame's own time is what its row has and its children have not: no row of its own says it again."""
    from pyinstrument.frame import SELF_TIME_FRAME_IDENTIFIER

    waiting = [root] if root is not None else []
    while waiting:
        frame = waiting.pop()
        for child in list(frame.children):
            if child.identifier == SELF_TIME_FRAME_IDENTIFIER:
                frame.absorbed_time += child.time
                child.remove_from_parent()  # type: ignore[no-untyped-call]
            else:
                waiting.append(child)
    return root


def to_html(tree: FlameTree, written_ns: int = 0) -> str:
    """A page of our own, one file (`flame_page`). `written_ns`: ns since the epoch; 0: now."""
    return to_page(tree, written_ns or time.time_ns(), _MAX_NODES)


def to_speedscope(tree: FlameTree) -> str:
    """speedscope's JSON, for https://www.speedscope.app."""
    return speedscope.to_speedscope(tree, _MAX_NODES)


def to_collapsed(tree: FlameTree) -> str:
    """One stack a line, frames joined by semicolons, then microseconds (or samples)."""
    scale = 1 if tree.weight == "samples" else 1000
    lines = []
    path: list[str] = []
    for node in range(len(tree)):
        del path[tree.depth[node] :]
        path.append(_label(tree, node).replace(";", ","))
        if tree.self_value[node] > 0:
            lines.append(f"{';'.join(path)} {max(round(tree.self_value[node] / scale), 1)}\n")
    return "".join(lines)


def _unit(tree: FlameTree) -> float:
    return 1e3 if tree.weight == "samples" else 1e9  # a sample counts as a millisecond


def _label(tree: FlameTree, node: int) -> str:
    file = tree.file[node]
    return one_line(f"{tree.name[node]} ({file}:{tree.line[node]})" if file else tree.name[node])


def _leaves(tree: FlameTree, max_nodes: int) -> Iterator[tuple[list[str], int]]:
    """(frames as pyinstrument writes them, own value) of each node with time of its own, in order."""
    path: list[str] = []
    for node in kept_nodes(tree, max_nodes):
        del path[node.depth :]
        path.append(f"{node.name}\0{node.file}\0{node.line}")
        if node.own > 0:
            yield list(path), node.own
