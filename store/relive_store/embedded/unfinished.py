"""Inserts that a kill has ended between two steps of the engine.

It notes a block in the table's deduplication log, and then gives the part's folder its name. Killed between
the two, it takes the block for one that it has when it is sent again, and the rows are lost for ever. So such
a note is taken back before the engine is started, by a record of its own kind.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

__all__ = ["take_back_notes"]

_ADDED, _DROPPED = b"1", b"2"
_RECORD: Final = re.compile(rb"([12])\t([^\t\n]+)\t([^\t\n]+)")
_PART: Final = re.compile(rb"(.+?)_(\d+)_(\d+)_\d+(?:_\d+)?")
"""Partition, first and last block, level, mutation."""
_TAIL_BYTES: Final = 64 * 1024
"""Of a log: some 800 records, the last ones. Only what was being inserted at the kill can be unfinished: as
many blocks as the engine has threads."""


def take_back_notes(data: Path) -> int:
    """Of blocks whose parts are not there, in the tables of the engine's folder, which nobody has open; how
    many. Raises OSError."""
    return sum(_take_back(folder) for folder in sorted(data.glob("store/*/*/deduplication_logs")))


def _take_back(folder: Path) -> int:
    logs = sorted(folder.glob("deduplication_log_*.txt"), key=_number)[-2:]  # the last may be new and empty
    noted: dict[bytes, bytes] = {}  # part by block
    for log in logs:
        for kind, part, block in _records(log):
            if kind == _ADDED:
                noted[block] = part
            else:
                noted.pop(block, None)
    lost = _without_part(folder.parent, noted)
    if lost:
        with logs[-1].open("ab") as file:
            file.write(b"".join(b"%b\t%b\t%b\n" % (_DROPPED, part, block) for block, part in lost.items()))
    return len(lost)


def _number(log: Path) -> int:
    digits = log.stem.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else -1


def _records(log: Path) -> Iterator[tuple[bytes, ...]]:
    """The last ones of a log, oldest first. What stands after the last line's end is cut off: the engine
    would read nothing behind it."""
    with log.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
        whole = tail[: tail.rfind(b"\n") + 1]
        if len(whole) < len(tail) and (whole or len(tail) == size):
            file.truncate(size - len(tail) + len(whole))
    for line in whole.splitlines():
        record = _RECORD.fullmatch(line)
        if record is not None:
            yield record.groups()


def _without_part(table: Path, noted: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Those of `noted` whose part is not in the table's folder, and not in one that it was merged into."""
    names = {os.fsencode(name) for name in os.listdir(table)}
    missing = {block: part for block, part in noted.items() if part not in names}
    if not missing:
        return {}
    there = [span for span in map(_span, names) if span is not None]
    return {block: part for block, part in missing.items() if not _covered(_span(part), there)}


def _span(part: bytes) -> tuple[bytes, int, int] | None:
    """Partition, first and last block; None for what is no part's name. One that was being written or deleted
    is of another partition: tmp_insert_..., delete_tmp_..."""
    found = _PART.fullmatch(part)
    return (found[1], int(found[2]), int(found[3])) if found is not None else None


def _covered(span: tuple[bytes, int, int] | None, there: list[tuple[bytes, int, int]]) -> bool:
    if span is None:
        return True  # a name that we cannot read is the engine's business
    partition, first, last = span
    return any(of == partition and start <= first and last <= end for of, start, end in there)
