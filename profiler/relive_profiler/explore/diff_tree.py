"""One tree of two sets of stacks: what each node took per invocation, before and after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from relive_base.terminal import one_line

from relive_profiler.explore.folding import Folded

__all__ = ["DiffTree", "diff_tree", "render_diff_tree"]

_JSON_NODES: Final = 200
_SHOWN_SHARE: Final = 0.04
_SHOWN: Final = 40
_FOLDED_DEPTH: Final = 30


@dataclass(frozen=True, slots=True)
class DiffTree:
    """Parallel lists, one entry a node, parents first: a node, then its subtree, largest change first.

    Node 0 is the root. `before` and `after` are wall ns per invocation, of the node with all below it;
    `before_cpu` and `after_cpu` of that on the CPU. `end` is the index after a node's subtree. `line`: where
    it gained most, or takes most if it became faster; of one that is gone, where it took most.
    """

    name: list[str] = field(default_factory=list)
    file: list[str] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    before_cpu: list[float] = field(default_factory=list)
    after_cpu: list[float] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    engine: str = "sampled"
    before_samples: int = 0
    after_samples: int = 0

    def __len__(self) -> int:
        return len(self.name)

    def change(self, node: int) -> float:
        """ns per invocation that it takes more."""
        return self.after[node] - self.before[node]

    def as_json(self) -> dict[str, Any]:
        """Nodes with their depths, the beginning of each subtree first; small ones are left out."""
        kept = _kept(self, _JSON_NODES, 0.005)
        return {
            "engine": self.engine,
            "before_samples": self.before_samples,
            "after_samples": self.after_samples,
            "nodes": [
                {
                    "depth": self.depth[node],
                    "name": self.name[node],
                    "file": self.file[node],
                    "line": self.line[node],
                    "before_ns": round(self.before[node]),
                    "after_ns": round(self.after[node]),
                }
                for node in kept
            ],
            "left_out": len(self) - len(kept),
        }


class _Node:
    __slots__ = ("after", "after_cpu", "before", "before_cpu", "children", "file", "first", "lines", "name")

    def __init__(self, name: str, file: str, line: int) -> None:
        self.name, self.file = name, file
        self.first = line
        # of each line, wall ns before and after; None: all is the first one's, as of most nodes
        self.lines: dict[int, tuple[float, float]] | None = None
        self.before = self.after = self.before_cpu = self.after_cpu = 0.0
        self.children: dict[tuple[str, str], _Node] = {}

    @property
    def line(self) -> int:
        """As the tree says it; of equal ones the first."""
        lines = self.lines
        if lines is None:
            return self.first
        slower = self.after >= self.before

        def rank(line: int) -> tuple[bool, float, float]:
            before, after = lines[line]
            return after > 0, after - before if slower else after, before

        return max(lines, key=rank)

    @property
    def rank(self) -> float:
        return -abs(self.after - self.before)


def diff_tree(before: Folded, after: Folded, title: str = "per invocation") -> DiffTree:
    """Of stacks of one engine. Functions are told apart by name and file: lines move between versions."""
    root = _Node(title, "", 0)
    for folded, later in ((before, False), (after, True)):
        count = max(folded.invocations, 1)
        for stack in folded.stacks:
            node = root
            _take(node, 0, stack.wall_ns / count, stack.cpu_ns / count, later)
            for name, file, line in zip(stack.names, stack.files, stack.lines, strict=True):
                below = node.children.get((name, file))
                if below is None:
                    below = node.children[name, file] = _Node(name, file, line)
                node = below
                _take(node, line, stack.wall_ns / count, stack.cpu_ns / count, later)
    tree = DiffTree(engine=after.engine, before_samples=before.samples, after_samples=after.samples)
    _lay_out(tree, root)
    return tree


def _take(node: _Node, line: int, wall_ns: float, cpu_ns: float, later: bool) -> None:
    if line != node.first and node.lines is None:
        node.lines = {node.first: (node.before, node.after)}
    if node.lines is not None:
        before, after = node.lines.get(line, (0.0, 0.0))
        node.lines[line] = (before, after + wall_ns) if later else (before + wall_ns, after)
    if later:
        node.after += wall_ns
        node.after_cpu += cpu_ns
    else:
        node.before += wall_ns
        node.before_cpu += cpu_ns


def _lay_out(tree: DiffTree, root: _Node) -> None:
    todo: list[tuple[_Node | None, int]] = [(root, 0)]  # None: the subtree of the node with this index ends
    while todo:
        node, number = todo.pop()
        if node is None:
            tree.end[number] = len(tree.name)
            continue
        todo.append((None, len(tree.name)))
        tree.name.append(node.name)
        tree.file.append(node.file)
        tree.line.append(node.line)
        tree.depth.append(number)
        tree.before.append(node.before)
        tree.after.append(node.after)
        tree.before_cpu.append(node.before_cpu)
        tree.after_cpu.append(node.after_cpu)
        tree.end.append(0)
        todo += [(child, number + 1) for child in sorted(node.children.values(), key=lambda one: -one.rank)]


def _kept(tree: DiffTree, most: int, share: float) -> list[int]:
    """Nodes that differ by at least this share of the whole difference, or of the whole."""
    if not len(tree):
        return []
    whole = max(abs(tree.change(0)), max(tree.before[0], tree.after[0]) * 0.05)
    found = []
    node = 0
    while node < len(tree):
        if abs(tree.change(node)) < whole * share:
            node = tree.end[node]
            continue
        found.append(node)
        node += 1
    return sorted(sorted(found, key=lambda one: -abs(tree.change(one)))[:most])


def render_diff_tree(tree: DiffTree, width: int = 100) -> list[str]:
    """Plain lines: change, before and after in ms per invocation, then the call tree. Safe for terminals."""
    nodes = _kept(tree, _SHOWN, _SHOWN_SHARE)
    lines = [f"{'change':>10} {'before':>9} {'after':>9}  ms per invocation"]
    for node in nodes:
        indent = min(tree.depth[node], _FOLDED_DEPTH)
        place = f"  {tree.file[node]}:{tree.line[node]}" if tree.file[node] else ""
        numbers = (
            f"{tree.change(node) / 1e6:+10.2f} {tree.before[node] / 1e6:9.2f} {tree.after[node] / 1e6:9.2f}"
        )
        lines.append(one_line(f"{numbers}  {' ' * indent}{tree.name[node]}{place}", width))
    return lines if nodes else []
