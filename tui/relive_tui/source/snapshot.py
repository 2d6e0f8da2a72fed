"""A `.heapsnapshot` file, which Node, Chrome or `x` on the heap screen wrote: its heap, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from relive_base.errors import UsageError

from relive_tui.heap.shelf import HeapShelf
from relive_tui.outside.yank import cache_folder
from relive_tui.source.lone import LoneSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from relive_tui.models.heap.view import HeapView
    from relive_tui.models.navigation.scope import Scope
    from relive_tui.models.progress import Progress
    from relive_tui.source.tickets import Ticket

__all__ = ["SnapshotSource"]


class SnapshotSource(LoneSource):
    """Reads the file when the heap is asked for. Raises UsageError if there is no such file."""

    what = "a heap snapshot"

    def __init__(
        self, path: str, command: Sequence[str] = (), clock: Callable[[], int] = time.time_ns
    ) -> None:
        super().__init__(os.path.abspath(path), command, clock)
        if not os.path.isfile(path):
            raise UsageError(f"there is no file {path}")
        self._shelf = HeapShelf(cache_folder(os.environ) / "heaps")

    def heap(self, ticket: Ticket, scope: Scope, progress: Progress) -> HeapView:
        return self._shelf.open_v8(ticket, Path(self.file), progress)
