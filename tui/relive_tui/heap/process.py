"""Work on heaps in a process of its own: in a thread, seconds of pure Python would make every key wait.

python -m relive_tui.heap.process analyse FOLDER < SCENE        leaves the analysis in the cache FOLDER
python -m relive_tui.heap.process analyse FOLDER FILE           the same of a .heapsnapshot
python -m relive_tui.heap.process compare FOLDER NAME HASH NAME HASH    of two in the cache, as JSON
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from relive_base.ending import end_process
from relive_base.errors import NotFound, ReliveError
from relive_base.garbage import seldom

if TYPE_CHECKING:
    from relive_views.heaps import HeapCache

__all__ = ["main"]

NICENESS = 5


def main(arguments: list[str]) -> int:
    """Gives an exit status; the reason stands on standard error."""
    seldom()
    from relive_views.heaps import HeapCache

    os.nice(NICENESS)
    work, folder, *rest = arguments
    cache = HeapCache(Path(folder))
    try:
        if work == "analyse":
            _analyse(cache, rest)
        else:
            _compare(cache, rest)
    except ReliveError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


def _analyse(cache: HeapCache, rest: list[str]) -> None:
    from relive_views.heaps import open_heap, open_v8
    from relive_views.scenes.archives import read_scene

    if rest:
        open_v8(Path(rest[0]), cache)
    else:
        open_heap(read_scene(sys.stdin.buffer.read()), cache)


def _compare(cache: HeapCache, rest: list[str]) -> None:
    import msgspec
    from relive_views.heaps import HeapKey, compare

    before, after = (cache.load(HeapKey(*pair)) for pair in (rest[:2], rest[2:]))
    if before is None or after is None:
        raise NotFound("a heap has left the cache meanwhile", hint="open it again")
    sys.stdout.buffer.write(msgspec.json.encode(compare(before, after)))


if __name__ == "__main__":
    end_process(main(sys.argv[1:]))
