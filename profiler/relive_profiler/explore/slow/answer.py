"""The answer to why an invocation was slow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from relive_profiler.explore.slow.gains import Gain
from relive_profiler.explore.slow.observed import CallSum, Normal, Observed
from relive_profiler.explore.slow.parts import Part

__all__ = ["CAUSES", "WhySlow"]

CAUSES: Final = {
    "none": "it is as fast as usual",
    "unknown": "there is nothing to compare it with",
    "queue": "it waited for a worker",
    "cold_start": "a cold start",
    "import": "an import",
    "cpu": "its own code computed for longer",
    "larger_input": "its event is larger",
    "gc": "the garbage collector",
    "no_cpu": "others had the CPU, or its quota was used up",
    "blocked": "another request kept the event loop for itself",
    "dependency": "something that it calls was slower",
    "more_calls": "it made more calls",
    "retries": "calls failed and were made again",
    "lock": "a lock",
    "thread": "a thread of its own",
    "disk": "files",
    "dns": "looking up host names",
    "subprocess": "a process that it has started",
    "sleep": "it slept",
    "wait": "it waited longer",
}
"""What can be the answer."""

_NOTHING: Final = CallSum(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhySlow:
    """The answer. `cause` is one of CAUSES. `slow` False: it is not slower than usual."""

    now: Observed
    normal: Normal
    slow: bool = False
    cause: str = "none"
    sentence: str = ""
    parts: list[Part] = field(default_factory=list)
    gains: list[Gain] = field(default_factory=list)
    place: str = ""  # "cart.py:33"
    line: str = ""  # its text
    target: str = ""  # who is called, what is imported, who blocks
    change_ns: float = 0.0  # that the cause explains
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive why-slow --json`."""
        now, normal = self.now, self.normal
        return {
            "invocation_id": now.invocation_id,
            "function": now.function,
            "version": now.version,
            "slow": self.slow,
            "cause": self.cause,
            "sentence": self.sentence,
            "change_ns": round(self.change_ns),
            "place": self.place,
            "line": self.line,
            "target": self.target,
            "total_ns": now.total_ns,
            "normal_ns": round(normal.total_ns),
            "normal_p95_ns": round(normal.total_p95_ns),
            "normal_invocations": normal.count,
            "normal_versions": list(normal.versions),
            "parts": [
                {"part": p.name, "before_ns": round(p.before_ns), "after_ns": round(p.after_ns)}
                for p in self.parts
            ],
            "lines": [
                {
                    "place": gain.place,
                    "name": gain.name,
                    "wait_ns": round(gain.wait_ns),
                    "cpu_ns": round(gain.cpu_ns),
                    "waits_for": gain.wait if gain.wait_ns > 0 else "",
                }
                for gain in self.gains[:10]
                if gain.wait_ns + gain.cpu_ns > 0
            ],
            "calls": _calls_json(now.calls, normal.calls),
            "spans": _calls_json(now.spans, normal.spans),
            "notes": list(self.notes),
        }


def _calls_json(
    now: Mapping[str, CallSum] | None, usual: Mapping[str, CallSum] | None
) -> list[dict[str, Any]] | None:
    if now is None:
        return None
    return [
        {
            "target": target,
            "count": call.count,
            "normal_count": (usual or {}).get(target, _NOTHING).count if usual is not None else None,
            "failed": call.failed,
            "retried": call.retried,
            "wait_ns": call.wait_ns,
            "normal_wait_ns": round((usual or {}).get(target, _NOTHING).wait_ns)
            if usual is not None
            else None,
        }
        for target, call in now.items()
    ]
