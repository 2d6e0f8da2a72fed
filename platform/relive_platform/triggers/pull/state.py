"""How a source is doing, for `relive status` and `relive functions --wide`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

__all__ = ["SourceState"]


@dataclass(slots=True)
class SourceState:
    """One trigger that pulls. `state`: "connecting", "running", "blocked" (the function or the queue takes no
    more now), "waiting" (the source cannot be reached), "failed" (somebody must change something),
    "abandoned" (no function has it any more, and it holds something there)."""

    function: str
    kind: str
    name: str
    state: str = "connecting"
    error: str = ""
    behind: int | None = None  # None: not known
    unit: str = "records"
    warning: str = ""
    lost: str = ""  # what is known to be lost since the server began
    details: dict[str, Any] = field(default_factory=dict)
    held: int = 0  # fetched, and not yet committed
    fetched: int = 0
    committed: int = 0  # records that became part of an event
    repeated: int = 0  # records that came again although they were events already
    omitted: int = 0  # records whose contents were over the limit of an event
    reconnects: int = 0
    changed_ns: int = field(default_factory=time.time_ns)

    def become(self, state: str, error: str = "") -> None:
        """Go over to a state."""
        if (state, error) != (self.state, self.error):
            self.state, self.error, self.changed_ns = state, error, time.time_ns()

    def as_json(self) -> dict[str, Any]:
        """As `relive status --json` has it."""
        return {
            "function": self.function,
            "kind": self.kind,
            "name": self.name,
            "brief": self.brief(),
            "state": self.state,
            "error": self.error,
            "behind": self.behind,
            "unit": self.unit,
            "warning": self.warning,
            "lost": self.lost,
            "details": self.details,
            "held": self.held,
            "fetched": self.fetched,
            "committed": self.committed,
            "repeated": self.repeated,
            "omitted": self.omitted,
            "reconnects": self.reconnects,
            "changed_ns": self.changed_ns,
        }

    def brief(self) -> str:
        """In a few words, for a terminal: "running, 1.2 MB behind"."""
        words = [self.state]
        if self.behind is not None:
            words.append(f"{_amount(self.behind, self.unit)} behind")
        if self.error:
            words.append(self.error.splitlines()[0])
        words += [text for text in (self.lost, self.warning) if text]
        return "".join(sign if sign.isprintable() else "?" for sign in ", ".join(words))


def _amount(number: int, unit: str) -> str:
    if unit != "bytes":
        return f"{number:,} {unit if number != 1 else unit.removesuffix('s')}"
    size = float(number)
    for name in ("B", "kB", "MB", "GB"):
        if size < 1000 or name == "GB":
            return f"{size:.0f} {name}" if name == "B" else f"{size:.1f} {name}"
        size /= 1000
    return ""
