"""How far a long piece of work is: written by the thread that does it, read by the screen that waits."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from relive_tui.models.layout.text import Line, clean

__all__ = ["Progress", "progress_lines"]

CELLS = 24


@dataclass(slots=True)
class Progress:
    """`share` 0 to 1 of `stage`; a share below 0: not known how far."""

    stage: str = "opening the heap"
    share: float = -1.0
    begun_ns: int = field(default_factory=time.time_ns)

    def at(self, stage: str, share: float = -1.0) -> None:
        """Tell how far it is; any thread."""
        self.stage, self.share = stage, share


def progress_lines(progress: Progress, now_ns: int) -> list[Line]:
    """The stage, a bar and the time that has gone by."""
    seconds = max(now_ns - progress.begun_ns, 0) / 1e9
    lines: list[Line] = [[(f"… {clean(progress.stage)}", "")]]
    if progress.share >= 0:
        done = round(min(progress.share, 1.0) * CELLS)
        lines.append([("▮" * done, "accent"), ("▯" * (CELLS - done), "dim"), (f" {seconds:.1f} s", "dim")])
    elif seconds >= 1:
        lines.append([(f"{seconds:.1f} s", "dim")])
    return lines
