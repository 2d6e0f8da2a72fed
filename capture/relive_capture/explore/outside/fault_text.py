"""What Python's fault handler wrote, as data: why, and the stack of each thread."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["FaultReport", "FaultThread", "parse_fault"]

_MAX_CHARS: Final = 262_144
_MAX_THREADS: Final = 200
_MAX_FRAMES: Final = 200
_REASON: Final = re.compile(r"^Fatal Python error: (.{1,300})", re.MULTILINE)
_THREAD: Final = re.compile(r"^(Current thread|Thread) 0x([0-9a-f]+)(?: \[([^\]\n]{0,100})\])? ")
_FRAME: Final = re.compile(r'^  File "(.{0,600})", line (\d{1,9}|\?\?\?) in (.{1,300})$')


@dataclass(slots=True)
class FaultThread:
    """`frames`: (file, line or 0, function), innermost first."""

    ident: int
    name: str = ""
    current: bool = False
    frames: list[tuple[str, int, str]] = field(default_factory=list)


@dataclass(slots=True)
class FaultReport:
    """`reason`: "Segmentation fault", "Aborted" and the like; `threads`: the one that died first."""

    reason: str
    threads: list[FaultThread] = field(default_factory=list)

    def as_dump(self) -> list[dict[str, Any]]:
        """The threads in the form in which py-spy tells them, the one that died named MainThread."""
        return [
            {
                "thread_name": "MainThread" if number == 0 else thread.name or f"thread {thread.ident:#x}",
                "thread_id": thread.ident,
                "frames": [
                    {"filename": file, "line": line, "name": name} for file, line, name in thread.frames
                ],
            }
            for number, thread in enumerate(self.threads)
        ]


def parse_fault(text: str) -> FaultReport | None:
    """None if `text` has no fatal error. Of several, the last one counts. Bounded; never raises."""
    begin = text.rfind("Fatal Python error: ")
    text = text[max(begin, 0) : max(begin, 0) + _MAX_CHARS]
    reason = _REASON.search(text)
    if reason is None:
        return None
    report = FaultReport(reason.group(1).strip())
    thread: FaultThread | None = None
    for line in text.splitlines():
        head = _THREAD.match(line)
        frame = _FRAME.match(line) if head is None and thread is not None else None
        if head is not None:
            thread = FaultThread(int(head[2], 16) % (1 << 63), head[3] or "", head[1] == "Current thread")
            if len(report.threads) < _MAX_THREADS:
                report.threads.append(thread)
        elif frame is not None and thread is not None and len(thread.frames) < _MAX_FRAMES:
            number = int(frame[2]) if frame[2].isdigit() else 0
            thread.frames.append((frame[1], number, frame[3]))
    report.threads.sort(key=lambda found: not found.current)
    return report
