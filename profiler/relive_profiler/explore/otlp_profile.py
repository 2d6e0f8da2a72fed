"""OTLP's profiles (v1development: it may change), as the bytes of a ProfilesData message."""

from __future__ import annotations

import hashlib
from typing import Any

from relive_profiler.explore.pruning import clean, kept_nodes
from relive_profiler.explore.tree import FlameTree

__all__ = ["to_otlp"]

_NS, _COUNT = "nanoseconds", "count"


def to_otlp(tree: FlameTree, max_nodes: int, *, started_ns: int = 0) -> bytes:
    """One profile: the tree's weight, by stack. `started_ns`: ns since the epoch; 0: not told."""
    from opentelemetry.proto.profiles.v1development import profiles_pb2 as pb

    data: Any = pb.ProfilesData()
    tables = _Tables(data.dictionary)
    resource = data.resource_profiles.add()
    attribute = resource.resource.attributes.add()
    attribute.key = "service.name"
    attribute.value.string_value = clean(tree.name[0]) if len(tree) else "nothing"
    scoped = resource.scope_profiles.add()
    scoped.scope.name = "relive"
    profile = scoped.profiles.add()
    profile.sample_type.type_strindex = tables.text(tree.weight)
    profile.sample_type.unit_strindex = tables.text(_COUNT if tree.weight == "samples" else _NS)
    profile.time_unix_nano = started_ns
    profile.duration_nano = tree.value[0] if len(tree) and tree.weight != "samples" else 0
    path: list[int] = []
    for node in kept_nodes(tree, max_nodes):
        del path[node.depth :]
        path.append(tables.location(node.name, node.file, node.line))
        if node.own > 0:
            sample = profile.samples.add()
            sample.stack_index = tables.stack(path)
            sample.values.append(node.own)
    # Ids are of the contents: the same export twice is the same profile.
    profile.profile_id = hashlib.sha256(data.SerializeToString(deterministic=True)).digest()[:16]
    written: bytes = data.SerializeToString(deterministic=True)
    return written


class _Tables:
    """The dictionary that samples point into. The first entry of each table is the null one."""

    def __init__(self, dictionary: Any) -> None:
        self._dictionary = dictionary
        self._texts: dict[str, int] = {}
        self._functions: dict[tuple[str, str], int] = {}
        self._locations: dict[tuple[str, str, int], int] = {}
        for table in ("mapping_table", "location_table", "function_table", "link_table", "stack_table"):
            getattr(dictionary, table).add()
        dictionary.attribute_table.add()
        self.text("")

    def text(self, text: str) -> int:
        """The index of a text."""
        known = self._texts.get(text)
        if known is None:
            known = self._texts[text] = len(self._dictionary.string_table)
            self._dictionary.string_table.append(text)
        return known

    def location(self, name: str, file: str, line: int) -> int:
        """The index of a place in the code."""
        key = (name, file, line)
        known = self._locations.get(key)
        if known is None:
            known = self._locations[key] = len(self._dictionary.location_table)
            found = self._dictionary.location_table.add().lines.add()
            found.function_index, found.line = self._function(name, file), max(line, 0)
        return known

    def _function(self, name: str, file: str) -> int:
        known = self._functions.get((name, file))
        if known is None:
            known = self._functions[name, file] = len(self._dictionary.function_table)
            found = self._dictionary.function_table.add()
            found.name_strindex, found.filename_strindex = self.text(name), self.text(file)
        return known

    def stack(self, path: list[int]) -> int:
        """The index of a new stack; `path` is from the outermost frame."""
        index = len(self._dictionary.stack_table)
        self._dictionary.stack_table.add().location_indices.extend(reversed(path))
        return index
