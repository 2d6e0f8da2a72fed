"""The same heaps in memlab and igraph, which know nothing of ours: equal dominators, equal retained sizes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import chrome_devtools
import heap_builder
import igraph
import memlab
import pytest
from heap_builder import HeapBuilder, frame_root
from relive_capture.explore.heap import Heap, heap_of, write_v8
from relive_capture.explore.heap.analysis import whole
from relive_capture.explore.heap.findings import suspects, types
from relive_capture.explore.snapshots import read_members, read_v8
from relive_capture.heap_format import INTERNAL, HeapRoot

_NODE_PROGRAM = """
class Basket {
  constructor(count) {
    this.items = [];
    for (let i = 0; i < count; i++) this.items.push({sku: 'sku-' + i, price: i * 1.5, name: '\\ud83d'});
  }
}
globalThis.cache = new Map();
for (let i = 0; i < 2000; i++) cache.set('/a/' + i, new Basket(5));
require('v8').writeHeapSnapshot(process.argv[1]);
"""

needs_npm = pytest.mark.skipif(not memlab.has_memlab(), reason="memlab is an npm package")


# In an interpreter of its own: the heap of a test run has all that other tests left behind.
_PYTHON_PROGRAM = """
import asyncio, decimal, email, json, logging, sys, unittest, xml.dom.minidom
from pathlib import Path
from heap_builder import heap_of_process
rows = [{"sku": f"sku-{number}", "price": number * 1.5} for number in range(20_000)]
built = heap_of_process({"rows": rows, "index": {row["sku"]: row for row in rows}})
for name, data in built.members().items():
    path = Path(sys.argv[1]) / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
"""


class Members:
    """The members of a heap that another process wrote."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def members(self) -> dict[str, bytes]:
        return {f"heap/{path.name}": path.read_bytes() for path in (self._folder / "heap").iterdir()}


def analysed(builder: HeapBuilder | Members) -> Heap:
    return heap_of(read_members(builder.members().__getitem__, "test"))


def random_heap(seed: int, objects: int) -> HeapBuilder:
    """Trees with shared leaves, cycles and far edges; every tenth object is a root's."""
    chance = random.Random(seed)
    builder = HeapBuilder()
    for number in range(objects):
        builder.add(chance.choice(("dict", "list", "cart.Order", "str")), chance.randrange(16, 400))
        if number:
            builder.refer(chance.randrange(max(0, number - 50), number), number)
    for _ in range(objects):
        builder.refer(chance.randrange(objects), chance.randrange(objects))
    for number in range(0, objects, 10):
        kind = chance.choice(("module", "interpreter"))
        builder.roots.append(
            HeapRoot(kind=kind, name=f"r{number}", targets=[(builder.label(INTERNAL, ""), number)])
        )
    frame_root(builder, "cart.py:88 handler", {"a": 1, "b": 2})
    return builder


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Members:
    """The heap of a Python process, with rows that two locals share."""
    folder = tmp_path_factory.mktemp("python")
    subprocess.run(
        [sys.executable, "-c", _PYTHON_PROGRAM, str(folder)],
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(heap_builder.__file__).parent)},
    )
    return Members(folder)


@pytest.fixture(scope="module")
def node_snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot that Node wrote."""
    path = tmp_path_factory.mktemp("node") / "node.heapsnapshot"
    subprocess.run(["node", "-e", _NODE_PROGRAM, str(path)], check=True, timeout=120)
    return path


def pairs(heap: Heap) -> list[tuple[int, int]]:
    first, edge = whole(heap.snapshot, heap.graph)
    return [
        (node, edge[at]) for node in range(heap.graph.nodes) for at in range(first[node], first[node + 1])
    ]


def test_a_real_heap_has_the_dominators_that_igraph_finds(real: Members) -> None:
    heap = analysed(real)
    graph = igraph.Graph(n=heap.graph.nodes, edges=pairs(heap), directed=True)
    theirs = graph.dominator(heap.root)
    assert heap.objects > 60_000
    for node in range(heap.graph.nodes):
        above = heap.dominator(node)
        # igraph has a negative number, or none at all, for what nothing dominates.
        assert theirs[node] == above if above is not None else not theirs[node] >= 0


@needs_npm
def test_a_snapshot_of_node_gives_what_memlab_says(node_snapshot: Path, tmp_path: Path) -> None:
    heap = heap_of(read_v8(node_snapshot))
    assert disagreements(heap, memlab.retained(node_snapshot, tmp_path)) == []
    (leak,) = [found for found in suspects(heap) if heap.kind(found.node) == "Map"]
    assert leak.path is not None
    assert leak.path.text == "module global › .cache"
    assert leak.holds == "Object"


@needs_npm
def test_our_heap_in_memlab_gives_what_we_say(real: Members, tmp_path: Path) -> None:
    heap = analysed(real)
    file = tmp_path / "ours.heapsnapshot"
    assert write_v8(heap, file) == file.stat().st_size
    theirs = memlab.retained(file, tmp_path)
    # Two nodes come first, then the holders, then the objects; ids are odd.
    base = 2 * (len(heap.graph.holders) + 1) + 1
    for node in range(heap.objects):
        assert theirs[base + 2 * node].retained == heap.retained(node)


@needs_npm
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_heaps_give_what_memlab_says(seed: int, tmp_path: Path) -> None:
    file = tmp_path / "random.heapsnapshot"
    write_v8(analysed(random_heap(seed, 4_000)), file)
    heap = heap_of(read_v8(file))
    assert disagreements(heap, memlab.retained(file, tmp_path)) == []


@needs_npm
@pytest.mark.skipif(not chrome_devtools.chrome(), reason="there is no Chrome")
def test_our_heap_opens_in_chrome_with_the_same_sizes(tmp_path: Path) -> None:
    # Given a heap all of which is held, with classes of one name each
    heap = analysed(random_heap(4, 3_000))
    file = tmp_path / "ours.heapsnapshot"
    write_v8(heap, file)
    # When Chrome's heap profiler reads it
    theirs = chrome_devtools.classes(file, tmp_path)
    # I expect its summary to be ours
    for row in types(heap):
        name = "(string)" if row.name == "str" else row.name
        assert theirs[name] == chrome_devtools.DevToolsClass(row.count, row.shallow, row.retained)


def disagreements(heap: Heap, theirs: dict[int, memlab.MemlabNode]) -> list[object]:
    found: list[object] = []
    for node in range(heap.objects):
        above = heap.dominator(node)
        ours = (heap.retained(node), 1 if above is None or above >= heap.objects else heap.address(above))
        other = theirs[heap.address(node)]
        if heap.is_held(node) and ours != (other.retained, other.dominator):
            found.append((heap.name(node), ours, other))
    return found
