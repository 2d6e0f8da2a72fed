"""A flame graph as one HTML file of our own: nothing is loaded from anywhere, and the keyboard is enough."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from datetime import UTC, datetime
from importlib import resources
from typing import Any, Final

from relive_profiler.explore.pruning import clean, kept_nodes
from relive_profiler.explore.tree import FlameTree

__all__ = ["to_page"]

_FOLDER: Final = "page"
_SCRIPT_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
_PLACE: Final = re.compile(r"@([a-z]+)@")
_WEIGHTS: Final = {"wall": "wall time", "cpu": "CPU time", "samples": "samples"}


def to_page(tree: FlameTree, written_ns: int, max_nodes: int) -> str:
    """`written_ns`: now, ns since the epoch; it stands on the page."""
    title = clean(tree.name[0]) if len(tree) else "nothing"
    style, script = _asset("flame.css"), _asset("flame.js")
    kind = f"{_WEIGHTS[tree.weight]}, {tree.engine}"
    values = {
        "policy": (
            "default-src 'none'; base-uri 'none'; form-action 'none';"
            f" style-src '{_hash(style)}'; script-src '{_hash(script)}'"
        ),
        "title": html.escape(f"{title}: {kind}"),
        "name": html.escape(title),
        "kind": html.escape(kind),
        "facts": html.escape(_facts(tree)),
        "note": html.escape(clean(tree.note)),
        "written": datetime.fromtimestamp(written_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }
    data = json.dumps(_data(tree, max_nodes), separators=(",", ":")).translate(_SCRIPT_ESCAPES)
    values |= {"style": style, "script": script, "data": data}
    # In one pass: what a function is called is not looked at for places to fill.
    return _PLACE.sub(lambda found: values[found[1]], _asset("flame.html"))


def _asset(name: str) -> str:
    return resources.files("relive_profiler.explore").joinpath(_FOLDER, name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _facts(tree: FlameTree) -> str:
    invocations = f"{tree.invocations:,} invocation{'' if tree.invocations == 1 else 's'}"
    samples = f"{tree.samples:,} sample{'' if tree.samples == 1 else 's'}"
    return f"{invocations} · {samples}"


def _data(tree: FlameTree, max_nodes: int) -> dict[str, Any]:
    """Columns; texts once each. Parents come before children, so that depths are enough to tell the tree."""
    texts: dict[str, int] = {"": 0}
    names, files, lines, depths, values, own = [], [], [], [], [], []
    kept = 0
    for node in kept_nodes(tree, max_nodes):
        names.append(texts.setdefault(node.name, len(texts)))
        files.append(texts.setdefault(node.file, len(texts)))
        lines.append(node.line)
        depths.append(node.depth)
        values.append(node.value)
        own.append(node.own)
        kept += 1
    return {
        "unit": "samples" if tree.weight == "samples" else "ns",
        "texts": list(texts),
        "names": names,
        "files": files,
        "lines": lines,
        "depths": depths,
        "values": values,
        "own": own,
        "left_out": len(tree) - kept,
    }
