"""A tree for other tools: pyinstrument's renderers, speedscope, collapsed stacks.

Function and file names come from user code: every format makes them harmless in its own way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from relive_base.terminal import one_line

from relive_profiler.explore.tree import FlameTree

if TYPE_CHECKING:
    from pyinstrument.session import Session

__all__ = ["FORMATS", "export", "to_collapsed", "to_html", "to_session", "to_speedscope", "to_text"]

FORMATS: Final = ("text", "html", "speedscope", "collapsed")
_MAX_NODES: Final = 50_000
"""More than anybody can look at; pyinstrument's page and speedscope become slow beyond."""
_SCRIPT_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def export(tree: FlameTree, format_: str) -> str:
    """The tree in one of FORMATS. Raises KeyError for another one."""
    return {"text": to_text, "html": to_html, "speedscope": to_speedscope, "collapsed": to_collapsed}[
        format_
    ](tree)


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
        target_description=_clean(f"{tree.name[0]}: {tree.note}" if len(tree) else "nothing"),
        cpu_time=tree.cpu_ns / 1e9,
        sys_path=[],
        sys_prefixes=["site-packages/", "python3.", "<"],
    )


def to_text(tree: FlameTree) -> str:
    """pyinstrument's console tree, plain; safe for terminals."""
    from pyinstrument.renderers import ConsoleRenderer

    class Plain(ConsoleRenderer):
        def render_preamble(self, session: Session) -> str:
            return f"{session.target_description} · {tree.invocations} invocations · {tree.engine}\n\n"

    return Plain(unicode=True, color=False).render(to_session(tree))


def to_html(tree: FlameTree) -> str:
    """pyinstrument's interactive page, one file. The data is a script; no name can end that script."""
    from pyinstrument.renderers.html import HTMLRenderer, JSONForHTMLRenderer

    # pyinstrument writes names into the script as they are. So: its page without data, then escaped data.
    empty = to_session(FlameTree())
    page = HTMLRenderer().render(empty)
    blank = JSONForHTMLRenderer().render(empty)
    data = JSONForHTMLRenderer().render(to_session(tree)).translate(_SCRIPT_ESCAPES)
    before, found, after = page.rpartition(blank)
    if not found:
        raise RuntimeError("pyinstrument's page has an unknown form; use --format speedscope")
    return f"{before}{data}{after}"


def to_speedscope(tree: FlameTree) -> str:
    """speedscope's JSON, for https://www.speedscope.app."""
    from pyinstrument.renderers import SpeedscopeRenderer

    document: dict[str, Any] = json.loads(SpeedscopeRenderer(show_all=True).render(to_session(tree)))
    for profile in document["profiles"]:
        # Rounding leaves the last event some ns after the end, which the viewer refuses.
        last = max((event["at"] for event in profile["events"]), default=0.0)
        profile["endValue"] = max(profile["endValue"], last)
        profile["name"] = document["name"] = tree.name[0] if len(tree) else "nothing"
    document["exporter"] = "relive"
    return json.dumps(document) + "\n"


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


def _clean(text: str) -> str:
    return one_line(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def _leaves(tree: FlameTree, max_nodes: int) -> Iterator[tuple[list[str], int]]:
    """(frames as pyinstrument writes them, own value) of each node with time of its own, in order."""
    if not len(tree):
        return
    least = 0
    if len(tree) > max_nodes:
        least = sorted(tree.value, reverse=True)[max_nodes]
    path: list[str] = []
    node = 0
    while node < len(tree):
        if tree.value[node] < least:
            node = tree.end[node]
            continue
        del path[tree.depth[node] :]
        name, file = _clean(tree.name[node]), _clean(tree.file[node])
        path.append(f"{name}\0{file}\0{tree.line[node]}")
        own = tree.self_value[node]
        if least:
            own += sum(tree.value[child] for child in tree.children(node) if tree.value[child] < least)
        if own > 0:
            yield list(path), own
        node += 1
