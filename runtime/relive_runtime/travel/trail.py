"""The trail of a run: each step with its frame and line, and the ways over it. Pure.

A step is a line of the application's own code that is about to run, on the main thread; the first one has
number 0. A
frame is numbered in the order in which frames were entered. In a deterministic run all numbers come again.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from types import CodeType
from typing import Final

__all__ = ["LINE_BITS", "NOBODY", "Place", "Trail"]

LINE_BITS: Final = 20
_LINE: Final = (1 << LINE_BITS) - 1
NOBODY: Final = -1
"""The caller of a frame that no code of the application has called."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step is."""

    file: str
    line: int
    function: str


@dataclass(slots=True)
class Trail:
    """`steps`: frame << 20 | line of each; `codes` and `callers` are by frame; `first`: of each frame its
    first
    step."""

    steps: array[int] = field(default_factory=lambda: array("Q"))
    codes: list[CodeType] = field(default_factory=list)
    callers: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    cut: bool = False
    """There were more steps than the limit allows."""

    def __len__(self) -> int:
        return len(self.steps)

    def enter(self, code: CodeType, caller: int, count: int) -> int:
        """A frame begins after so many steps; gives its number."""
        number = len(self.codes)
        self.codes.append(code)
        self.callers.append(caller)
        self.first.append(count)
        return number

    def frame(self, step: int) -> int:
        """The number of its frame."""
        return self.steps[step] >> LINE_BITS

    def line(self, step: int) -> int:
        """Its line, from 1."""
        return self.steps[step] & _LINE

    def code(self, step: int) -> CodeType:
        """The code of its frame."""
        return self.codes[self.frame(step)]

    def place(self, step: int) -> Place:
        """Where it is; the file as its code names it."""
        code = self.code(step)
        return Place(code.co_filename, self.line(step), code.co_qualname)

    def identity(self, shown: Callable[[str], str]) -> str:
        """The same for two runs only if all of their steps are the same. `shown`: how files are named."""
        found = blake2b(self.steps.tobytes(), digest_size=8)
        for code in self.codes:
            found.update(f"{shown(code.co_filename)}:{code.co_qualname}\n".encode("utf-8", "replace"))
        return found.hexdigest()

    # ------------------------------------------------------------ back

    def back(self, step: int) -> int:
        """One step back."""
        return max(step - 1, 0)

    def back_over(self, step: int) -> int:
        """One step back, over calls: the last one before it in its frame, else the call of it."""
        return self.last_of(self.frame(step), step, self.back_out(step))

    def back_out(self, step: int) -> int:
        """To the caller, before it called; the beginning if nobody did."""
        frame = self.frame(step)
        return self.last_of(self.callers[frame], self.first[frame], 0)

    def last_of(self, frame: int, before: int, otherwise: int) -> int:
        """The last step of `frame` before the step `before`."""
        steps = self.steps
        floor = self.first[frame] if frame >= 0 else before
        for step in range(before - 1, floor - 1, -1):
            if steps[step] >> LINE_BITS == frame:
                return step
        return otherwise

    # ------------------------------------------------------------ forward; None: the end

    def forward(self, step: int) -> int | None:
        """One step on."""
        return step + 1 if step + 1 < len(self) else None

    def forward_over(self, step: int) -> int | None:
        """One step on, over calls."""
        frame = self.frame(step)
        return self._next_in({frame, *self.ancestors(frame)}, step)

    def forward_out(self, step: int) -> int | None:
        """On to where its frame has returned."""
        return self._next_in(set(self.ancestors(self.frame(step))), step)

    def _next_in(self, frames: set[int], step: int) -> int | None:
        steps = self.steps
        for later in range(step + 1, len(steps)):
            if steps[later] >> LINE_BITS in frames:
                return later
        return None

    def ancestors(self, frame: int) -> Iterator[int]:
        """Its caller, that one's caller, and so on."""
        while (frame := self.callers[frame]) != NOBODY:
            yield frame

    # ------------------------------------------------------------ looking for places

    def at(self, file: str, line: int, step: int, *, back: bool) -> int | None:
        """The nearest step before (after) `step` at a place."""
        wanted = {number for number, code in enumerate(self.codes) if code.co_filename == file}
        steps = self.steps
        numbers = range(step - 1, -1, -1) if back else range(step + 1, len(steps))
        for found in numbers:
            value = steps[found]
            if value & _LINE == line and value >> LINE_BITS in wanted:
                return found
        return None

    def last_at(self, code: CodeType, line: int, frame: int = NOBODY) -> int | None:
        """The last step at a line of a code: where an exception went up from. `frame`: of just this call."""
        wanted = {number for number, found in enumerate(self.codes) if found is code}
        wanted = {frame} if frame in wanted else wanted
        steps = self.steps
        for step in range(len(steps) - 1, -1, -1):
            if steps[step] & _LINE == line and steps[step] >> LINE_BITS in wanted:
                return step
        return None
