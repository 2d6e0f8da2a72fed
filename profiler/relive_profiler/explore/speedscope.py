"""speedscope's JSON, by its published schema: one evented profile, drawn as our own tree is."""

from __future__ import annotations

import json
from typing import Any, Final

from relive_profiler.explore.pruning import Node, kept_nodes
from relive_profiler.explore.tree import FlameTree

__all__ = ["to_speedscope"]

_SCHEMA: Final = "https://www.speedscope.app/file-format-schema.json"


def to_speedscope(tree: FlameTree, max_nodes: int) -> str:
    """For https://www.speedscope.app, or its command. At most `max_nodes` nodes, the heaviest."""
    frames: list[dict[str, Any]] = []
    known: dict[tuple[str, str, int], int] = {}
    events: list[dict[str, Any]] = []
    open_nodes: list[tuple[int, int, int]] = []  # depth, frame, end
    for node in kept_nodes(tree, max_nodes):
        while open_nodes and open_nodes[-1][0] >= node.depth:
            _, frame, end = open_nodes.pop()
            events.append({"type": "C", "frame": frame, "at": end})
        key = (node.name, node.file, node.line)
        found = known.get(key)
        if found is None:
            found = known[key] = len(frames)
            frames.append(_frame(node))
        events.append({"type": "O", "frame": found, "at": node.start})
        open_nodes.append((node.depth, found, node.start + node.value))
    for _, frame, end in reversed(open_nodes):
        events.append({"type": "C", "frame": frame, "at": end})
    name = frames[0]["name"] if frames else "nothing"
    profile = {
        "type": "evented",
        "name": name,
        "unit": "none" if tree.weight == "samples" else "nanoseconds",
        "startValue": 0,
        "endValue": tree.value[0] if len(tree) else 0,
        "events": events,
    }
    document = {
        "$schema": _SCHEMA,
        "exporter": "relive",
        "name": name,
        "activeProfileIndex": 0,
        "shared": {"frames": frames},
        "profiles": [profile],
    }
    return json.dumps(document) + "\n"


def _frame(node: Node) -> dict[str, Any]:
    """Without what is not known: an empty file or line 0 would be shown as if it were one."""
    frame: dict[str, Any] = {"name": node.name}
    if node.file:
        frame["file"] = node.file
        if node.line > 0:
            frame["line"] = node.line
    return frame
