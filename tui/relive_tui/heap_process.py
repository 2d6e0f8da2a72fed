"""Analyses the heap of a scene and leaves it in a cache: `python -m relive_tui.heap_process FOLDER < SCENE`.

A process of its own, because seconds of pure Python in a thread would make every key wait.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from relive_base.errors import ReliveError

__all__ = ["main"]

NICENESS = 5


def main() -> int:
    """Gives an exit status; the reason stands on standard error."""
    from relive_capture.explore.heap.cache import HeapCache
    from relive_capture.explore.heap.opening import open_heap
    from relive_capture.explore.reader import read_scene

    os.nice(NICENESS)
    try:
        scene = read_scene(sys.stdin.buffer.read())
        open_heap(scene, HeapCache(Path(sys.argv[1])))
    except ReliveError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
