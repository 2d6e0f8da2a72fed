"""Where stacks have gained time, in the lines of the application's own code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from relive_profiler.explore.folding import Folded, Stack
from relive_profiler.explore.hot import is_own
from relive_profiler.explore.slow.waiting import Wait, wait_of

__all__ = ["Gain", "SourceOf", "gains", "module_of"]

SourceOf = Callable[[str, int], str]
"""The text of a line of a file, "" if it is not at hand."""

_MODULE = "<module>"


@dataclass(slots=True)
class Gain:
    """One line of the application's own code with all that it called: ns that it has gained."""

    name: str
    file: str
    line: int
    wait_ns: float = 0.0
    cpu_ns: float = 0.0
    wait: Wait = "unknown"  # what it waits for, by most of the time
    works: Wait = "unknown"  # the same of what computes: files are written in the kernel
    inner: str = ""  # the innermost function below it, by most of the time
    module: str = ""  # the file that is loaded here for the first time, if that is what it does
    text: str = ""
    kinds: dict[str, float] | None = None  # ns by kind of waiting
    works_on: dict[str, float] | None = None
    inners: dict[str, float] | None = None
    modules: dict[str, float] | None = None

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


def gains(before: Folded, after: Folded, source: SourceOf) -> list[Gain]:
    """Of `after`, one invocation, against `before`; the largest first, losses last."""
    found: dict[tuple[str, str, int], Gain] = {}
    for folded, sign in (
        (before, -1.0 / max(before.invocations, 1)),
        (after, 1.0 / max(after.invocations, 1)),
    ):
        for stack in folded.stacks:
            _add(found, stack, sign, source)
    for gain in found.values():
        gain.wait = _most(gain.kinds) or "unknown"  # type: ignore[assignment]
        gain.works = _most(gain.works_on) or "unknown"  # type: ignore[assignment]
        gain.inner, gain.module = _most(gain.inners), _most(gain.modules)
        gain.text = source(gain.file, gain.line).strip()
    return sorted(found.values(), key=lambda gain: -(gain.wait_ns + gain.cpu_ns))


def module_of(stack: Stack) -> str:
    """The file of the outermost module that is being loaded in this stack; "" if none is."""
    return next((file for name, file in zip(stack.names, stack.files, strict=True) if name == _MODULE), "")


def _add(found: dict[tuple[str, str, int], Gain], stack: Stack, sign: float, source: SourceOf) -> None:
    if not stack.names:
        return
    index = _own_index(stack)
    key = (stack.names[index], stack.files[index], stack.lines[index])
    gain = found.get(key)
    if gain is None:
        gain = found[key] = Gain(*key, kinds={}, works_on={}, inners={}, modules={})
    wait_ns = max(stack.wall_ns - stack.cpu_ns, 0) * sign
    gain.wait_ns += wait_ns
    gain.cpu_ns += stack.cpu_ns * sign
    kind = wait_of(stack.names, stack.files, source(stack.files[-1], stack.lines[-1]))
    _count(gain.kinds, kind, wait_ns)
    _count(gain.works_on, kind, stack.cpu_ns * sign)
    _count(gain.inners, stack.names[-1], (stack.wall_ns) * sign)
    _count(gain.modules, module_of(stack), stack.wall_ns * sign)


def _own_index(stack: Stack) -> int:
    """The innermost frame of the application's own code, but for that which is loaded for the first time."""
    loading = stack.names.index(_MODULE) if _MODULE in stack.names else len(stack.names)
    for index in range(min(loading, len(stack.names)) - 1, -1, -1):
        if is_own(stack.files[index]):
            return index
    own = [index for index, file in enumerate(stack.files) if is_own(file)]
    return own[-1] if own else len(stack.names) - 1


def _count(counts: dict[str, float] | None, key: str, value: float) -> None:
    if counts is not None:
        counts[key] = counts.get(key, 0.0) + value


def _most(counts: dict[str, float] | None) -> str:
    if not counts:
        return ""
    key, value = max(counts.items(), key=lambda item: item[1])
    return key if value > 0 else ""
