"""A tree as rows with own and whole time, for people and for programs."""

from __future__ import annotations

import json
from typing import Final

from relive_base.terminal import one_line

from relive_profiler.explore.pruning import kept_nodes
from relive_profiler.explore.tree import FlameTree

__all__ = ["to_import_text", "to_json"]

_ROWS: Final = 60
"""Modules that people look at; the lightest beyond count for who imports them."""


def to_json(tree: FlameTree, max_nodes: int) -> str:
    """One document: what the tree is of, and its nodes, parents first. `parent` is an index; -1: none."""
    rows: list[dict[str, object]] = []
    open_rows: list[int] = []
    for node in kept_nodes(tree, max_nodes):
        del open_rows[node.depth :]
        rows.append(
            {
                "name": node.name,
                "file": node.file,
                "line": node.line,
                "depth": node.depth,
                "parent": open_rows[-1] if open_rows else -1,
                "self_ns": node.own,
                "total_ns": node.value,
            }
        )
        open_rows.append(len(rows) - 1)
    head = {
        "weight": tree.weight,
        "engine": tree.engine,
        "samples": tree.samples,
        "invocations": tree.invocations,
        "aggregate": tree.aggregate,
        "confidence": tree.confidence,
        "note": tree.note,
    }
    return json.dumps({**head, "nodes": rows}) + "\n"


def to_import_text(tree: FlameTree) -> str:
    """Modules, below who imports them, with the time per cold start. Safe for terminals."""
    starts = max(tree.invocations, 1)
    many = f"{starts} cold starts: mean of each" if starts > 1 else "1 cold start"
    name = one_line(tree.name[0]) if len(tree) else "nothing"
    if not tree.samples:
        return f"{name} · no cold start was long enough for a sample\n"
    lines = [f"{name} · {many} · {one_line(tree.note)}", "", f"{'self ms':>9} {'total ms':>9}  module"]
    for node in kept_nodes(tree, _ROWS):
        label = f"{'  ' * node.depth}{node.name if node.depth else '(all)'}"
        lines.append(f"{node.own / starts / 1e6:9.1f} {node.value / starts / 1e6:9.1f}  {label}")
    return "\n".join(lines) + "\n"
