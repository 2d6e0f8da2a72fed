"""pprof's format (profile.proto, gzip), for `go tool pprof` and what else reads it.

Written field by field: there are three kinds of them, and a generated class would be one more dependency.
https://github.com/google/pprof/blob/main/proto/profile.proto
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable

from relive_base.shown_numbers import counted

from relive_profiler.explore.pruning import kept_nodes
from relive_profiler.explore.tree import FlameTree

__all__ = ["to_pprof"]

# Fields of Profile, ValueType, Sample, Location, Line, Function.
_SAMPLE_TYPE, _SAMPLE, _LOCATION, _FUNCTION, _STRINGS, _TIME, _DURATION = 1, 2, 4, 5, 6, 9, 10
_COMMENT, _DEFAULT_TYPE = 13, 14
_NS, _COUNT = "nanoseconds", "count"


def to_pprof(tree: FlameTree, max_nodes: int, *, started_ns: int = 0) -> bytes:
    """The tree as one profile: its weight, by stack. `started_ns`: ns since the epoch; 0: not told."""
    texts = _Texts()
    kind = {"wall": "wall", "cpu": "cpu", "samples": "samples"}[tree.weight]
    unit = _COUNT if tree.weight == "samples" else _NS
    body = [_message(_SAMPLE_TYPE, _number(1, texts.of(kind)) + _number(2, texts.of(unit)))]
    places: dict[tuple[str, str, int], int] = {}
    functions: dict[tuple[str, str], int] = {}
    path: list[int] = []
    for node in kept_nodes(tree, max_nodes):
        del path[node.depth :]
        key = (node.name, node.file, node.line)
        if key not in places:
            places[key] = len(places) + 1
            functions.setdefault((node.name, node.file), len(functions) + 1)
        path.append(places[key])
        if node.own > 0:
            body.append(_message(_SAMPLE, _packed(1, reversed(path)) + _packed(2, [node.own])))
    for (name, file, line), number in places.items():
        code_line = _number(1, functions[name, file]) + _number(2, max(line, 0))
        body.append(_message(_LOCATION, _number(1, number) + _message(4, code_line)))
    for (name, file), number in functions.items():
        text = texts.of(name)
        fields = _number(1, number) + _number(2, text) + _number(3, text) + _number(4, texts.of(file))
        body.append(_message(_FUNCTION, fields))
    body.append(
        _packed(
            _COMMENT, [texts.of(f"{counted(tree.invocations, 'invocation')}, {tree.engine}: {tree.note}")]
        )
    )
    body.append(_number(_DEFAULT_TYPE, texts.of(kind)))
    body += [
        _number(_TIME, started_ns),
        _number(_DURATION, tree.value[0] if unit == _NS and len(tree) else 0),
    ]
    body += [_message(_STRINGS, text.encode("utf-8", "backslashreplace")) for text in texts.all]
    return gzip.compress(b"".join(body), mtime=0)


class _Texts:
    """Each once; the first is empty, as the format wants."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {"": 0}

    def of(self, text: str) -> int:
        return self._known.setdefault(text, len(self._known))

    @property
    def all(self) -> list[str]:
        return list(self._known)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value) if value else b""


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _message(field, b"".join(map(_varint, values)))
