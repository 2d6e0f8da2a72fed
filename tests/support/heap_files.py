"""A heap snapshot's files, as the worker writes them, read back the plain way."""

from __future__ import annotations

import itertools
import json
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relive_capture.heap_format import COLUMNS, INDEX, KEY, LABEL_MASK, LABEL_SHIFT

__all__ = ["HeapFiles", "columns_of"]


def columns_of(heap: Any, folder: Path) -> dict[str, array[int]]:
    """The columns that a walker writes."""
    found = {}
    for name, typecode in COLUMNS.items():
        file = folder / name
        with file.open("wb") as out:
            assert heap.write(name, out.fileno()) == out.tell()
        found[name] = array(typecode)
        found[name].frombytes(file.read_bytes())
    return found


@dataclass
class HeapFiles:
    """One snapshot."""

    columns: dict[str, array[int]]
    meta: dict[str, Any]
    types: list[list[str]]
    strings: list[str]
    roots: list[dict[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> HeapFiles:
        """From a folder of raw columns."""
        columns = {}
        for name, typecode in COLUMNS.items():
            columns[name] = array(typecode)
            columns[name].frombytes((folder / f"{name}.u{64 if typecode == 'Q' else 32}").read_bytes())
        parts = [json.loads((folder / f"{name}.json").read_bytes()) for name in ("meta", "types", "strings")]
        return cls(columns, *parts, json.loads((folder / "roots.json").read_bytes()))

    def check(self) -> None:
        """What holds for every snapshot."""
        objects, edges = self.meta["objects"], self.meta["edges"]
        first = self.columns["first_edge"]
        assert len(first) == objects + 1
        assert (first[0], first[-1]) == (0, edges)
        assert all(begin <= end for begin, end in itertools.pairwise(first))
        for name in ("address", "type", "size", "value"):
            assert len(self.columns[name]) == objects
        assert len(self.columns["edge"]) == len(self.columns["label"]) == edges
        assert list(self.columns["address"]) == sorted(set(self.columns["address"]))
        assert max(self.columns["edge"]) < objects
        assert max(self.columns["type"]) < len(self.types)
        assert sum(self.columns["size"]) == self.meta["bytes"]

    def type_of(self, number: int) -> str:
        module, name = self.types[self.columns["type"][number]]
        return name if module == "builtins" else f"{module}.{name}"

    def label(self, label: int) -> Any:
        value = label & LABEL_MASK
        return value if label >> LABEL_SHIFT in (INDEX, KEY) else self.strings[value]

    def held(self, number: int) -> dict[Any, int]:
        """Label -> object; a dict's keys under their positions."""
        begin, end = self.columns["first_edge"][number : number + 2]
        labels = map(self.label, self.columns["label"][begin:end])
        return dict(zip(labels, self.columns["edge"][begin:end], strict=True))

    def follow(self, number: int, *path: Any) -> int:
        for step in path:
            number = self.held(number)[step]
        return number

    def text(self, number: int) -> str:
        value = self.columns["value"][number]
        return self.strings[value - 1] if value else ""

    def local(self, function: str, name: str) -> int:
        """A local of the failure's frames."""
        for root in self.roots:
            if root["kind"] == "frame" and root["name"] == function:
                for label, target in root["targets"]:
                    if self.label(label) == name:
                        return int(target)
        raise KeyError((function, name))

    def reachable(self) -> set[int]:
        """From the roots."""
        queue = [target for root in self.roots for _, target in root.get("targets", [])]
        seen = set(queue)
        first, edge = self.columns["first_edge"], self.columns["edge"]
        while queue:
            number = queue.pop()
            for child in edge[first[number] : first[number + 1]]:
                if child not in seen:
                    seen.add(child)
                    queue.append(child)
        return seen
