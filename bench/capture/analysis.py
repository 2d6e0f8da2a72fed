"""What it costs to analyse a heap of a million objects, and to open it again; igraph in the same run.

`python bench/capture/analysis.py [--quick]`. Times are CPU time of the process. The heap is made like one of
a service: orders with lines of their own, an index and a cache that share them, and the types, modules and
functions that everything refers to, 1.9 edges an object as in real ones (measured: 1.8 on CPython 3.11);
"dense" has 4.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import igraph
from relive_capture.explore.heap import Heap, HeapCache, HeapKey, heap_of
from relive_capture.explore.heap.analysis import build_graph, whole
from relive_capture.explore.heap.findings import biggest, compare, locals_of, suspects, types
from relive_capture.explore.snapshots import HeapSnapshot
from relive_capture.heap_format import INDEX, INTERNAL, LABEL_SHIFT, LOCAL, HeapMeta, HeapRoot, HeapType

__all__ = ["run", "try_out"]

T = TypeVar("T")
OBJECTS = 1_000_000
_PER_ORDER = 24  # an order with its dicts, lines and texts
_SHARED = 2_000  # types, functions, modules


def service_heap(objects: int, edges_per_object: float, seed: int = 1) -> HeapSnapshot:
    """A list and an index lead to all orders; every object may lead to shared ones."""
    chance = random.Random(seed)
    orders = (objects - _SHARED - 2) // _PER_ORDER
    first_order = _SHARED + 2
    lists: list[list[int]] = [[] for _ in range(first_order)]
    lists[0] = [first_order + number * _PER_ORDER for number in range(orders)]
    lists[1] = list(lists[0])
    for number in range(2, first_order):
        lists[number] = [chance.randrange(2, first_order) for _ in range(6)]
    extra = edges_per_object - 1.2
    for order in lists[0]:
        inner = [[order + 1, order + 2, order + 3, order + 4], *([] for _ in range(_PER_ORDER - 1))]
        for line in range(4, 9):  # lines, each a dict with three texts
            inner[0].append(order + line)
            inner[line] = [order + 9 + 3 * (line - 4) + text for text in range(3)]
        for place in range(_PER_ORDER):
            for _ in range(int(extra + chance.random())):
                inner[place].append(2 + int(chance.random() ** 3 * _SHARED))
        lists += inner
    return _snapshot(lists)


def _snapshot(lists: list[list[int]]) -> HeapSnapshot:
    first, edge = array("I", [0]), array("I")
    for targets in lists:
        edge.extend(targets)
        first.append(len(edge))
    count = len(lists)
    roots = [
        HeapRoot(
            kind="frame",
            name="handler",
            targets=[(LOCAL << LABEL_SHIFT, 0), (LOCAL << LABEL_SHIFT | 1, 1)],
            file="cart.py",
            line=88,
            function="handler",
        ),
        *(HeapRoot(kind="module", name=f"m{number}", targets=[(0, number)]) for number in range(2, 502)),
    ]
    return HeapSnapshot(
        meta=HeapMeta(objects=count, edges=len(edge), bytes=64 * count, taken_ns=0),
        types=[HeapType("builtins", name) for name in ("dict", "list", "str", "int")],
        strings=["orders", "index", ""],
        roots=roots,
        address=array("Q", range(4096, 4096 + 64 * count, 64)),
        type=array("I", (len(targets) % 4 for targets in lists)),
        size=array("Q", [64]) * count,
        first_edge=first,
        edge=edge,
        label=array("I", [INDEX << LABEL_SHIFT | INTERNAL]) * len(edge),
        value=array("I", [0]) * count,
    )


def _cpu(action: Callable[[], T]) -> tuple[T, float]:
    begun = time.process_time()
    found = action()
    return found, time.process_time() - begun


def _median_ms(action: Callable[[], object], rounds: int) -> float:
    return statistics.median(_cpu(action)[1] for _ in range(rounds)) * 1e3


def _igraph(snapshot: HeapSnapshot) -> tuple[list[int], float]:
    """igraph's dominators of the same graph; making its graph from our edges is not counted."""
    nodes = build_graph(snapshot)
    first, edge = whole(snapshot, nodes)
    pairs = [(node, edge[at]) for node in range(nodes.nodes) for at in range(first[node], first[node + 1])]
    graph = igraph.Graph(n=nodes.nodes, edges=pairs, directed=True)
    return _cpu(lambda: graph.dominator(nodes.root))


def _agrees(heap: Heap, theirs: list[int]) -> bool:
    nodes = range(heap.graph.nodes)
    return all((heap.dominator(node) if node != heap.root else -1) == theirs[node] for node in nodes)


def _widest(heap: Heap) -> int:
    tree = heap.analysis.tree
    return max(range(heap.objects, heap.graph.nodes), key=lambda node: tree.count[node])


def _opened(heap: Heap, folder: Path, rounds: int) -> list[dict[str, object]]:
    cache, key = HeapCache(folder), HeapKey("bench-1", "0" * 64)
    cache.store(key, heap)
    size_mb = sum(path.stat().st_size for path in folder.iterdir()) / 1e6

    def load() -> Heap:
        found = cache.load(key)
        assert found is not None
        return found

    again = load()
    screen = _median_ms(lambda: _screen(load()), rounds)
    node = _widest(again)
    fresh = [load() for _ in range(rounds)]  # a heap keeps the children that it was asked for
    expand = _median_ms(lambda: fresh.pop().children(node, 0, 10_000), rounds)
    return [
        _row("opened from the cache", _median_ms(load, rounds), "ms CPU", "<= 100", 100),
        _row("opened, with all that the first screen shows", screen, "ms CPU", "", None),
        _row("10,000 children of a node", expand, "ms CPU", "<= 20", 20),
        _row("cache file", size_mb, "MB", "", None),
    ]


def _screen(heap: Heap) -> None:
    suspects(heap)
    types(heap)
    locals_of(heap)
    for node in biggest(heap, 20):
        heap.path(node)


def _row(name: str, value: float, unit: str, target: str, limit: float | None) -> dict[str, object]:
    ok = None if limit is None else value <= limit
    return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "ok": ok}


def run(quick: bool = False) -> list[dict[str, object]]:
    """The figures, each with its target."""
    objects = OBJECTS // 20 if quick else OBJECTS
    rounds = 3 if quick else 7
    rows: list[dict[str, object]] = []
    name = f"{objects:,} objects"
    for kind, edges in (("", 1.9), (", dense", 4.0)):
        snapshot = service_heap(objects, edges)
        heap, seconds = _cpu(lambda snapshot=snapshot: heap_of(snapshot))  # type: ignore[misc]
        rows.append(_row(f"{name}{kind}, {snapshot.edges:,} edges: analysed", seconds, "s CPU", "<= 5", 5.0))
        theirs, their_seconds = _igraph(snapshot)
        rows.append(_row(f"{name}{kind}: igraph, dominators alone", their_seconds, "s CPU", "", None))
        same = _agrees(heap, theirs)
        rows.append(
            {"name": f"{name}{kind}: same dominators", "value": 100.0 if same else 0.0, "unit": "%",
             "target": "100", "ok": same}
        )  # fmt: skip
        if not kind:
            with tempfile.TemporaryDirectory() as folder:
                rows += _opened(heap, Path(folder), rounds)
            other = heap_of(service_heap(objects - objects // 10, edges))
            rows.append(
                _row("two heaps compared", _cpu(lambda: compare(other, heap))[1], "s CPU", "", None)  # noqa: B023
            )
    return rows


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    snapshot = service_heap(2_000, 1.9)
    heap = heap_of(snapshot)
    _agrees(heap, _igraph(snapshot)[0])
    with tempfile.TemporaryDirectory() as folder:
        _opened(heap, Path(folder), 1)
    compare(heap, heap)


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(f"{row['name']:<60} {row['value']:>10} {row['unit']:<8} {row['target']:<8} {row['ok']}")
