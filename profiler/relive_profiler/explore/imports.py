"""What a cold start imports: the profile of its loading as a tree of modules instead of functions.

The code of a module that runs as it is imported is a frame `<module>` of its file. What such code calls
counts for the module, up to the next module that is imported from there.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from relive_profiler.explore.folding import SKETCH_SIZE, Folded, Stack

__all__ = ["by_module", "module_of"]

_BODY: Final = "<module>"
_STANDARD: Final = re.compile(r"^python3\.\d+/")
_EXTENSIONS: Final = re.compile(r"(/__init__)?\.pyc?$")


def module_of(file: str) -> str:
    """The dotted name of a file of a profile: `site-packages/yaml/nodes.py` is `yaml.nodes`."""
    path = _STANDARD.sub("", file.removeprefix("site-packages/")).removeprefix("site-packages/")
    return _EXTENSIONS.sub("", path).replace("/", ".")


def by_module(folded: Folded) -> Folded:
    """The same times, of stacks of modules. What is outside of any module (the platform finds and checks the
    handler) is of the root alone."""
    sums: dict[tuple[str, tuple[str, ...]], Stack] = {}
    for stack in folded.stacks:
        at = [index for index, name in enumerate(stack.names) if name == _BODY]
        files = tuple(stack.files[index] for index in at)
        known = sums.get((stack.function, files))
        if known is None:
            sums[stack.function, files] = replace(
                stack,
                names=tuple(map(module_of, files)),
                files=files,
                lines=tuple(stack.lines[index] for index in at),
            )
        else:
            sums[stack.function, files] = replace(
                known,
                samples=known.samples + stack.samples,
                wall_ns=known.wall_ns + stack.wall_ns,
                cpu_ns=known.cpu_ns + stack.cpu_ns,
                invocations=_union(known.invocations, stack.invocations),
            )
    stacks = sorted(sums.values(), key=lambda stack: -stack.wall_ns)
    return replace(folded, stacks=stacks)


def _union(some: tuple[int, ...], others: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({*some, *others})[:SKETCH_SIZE])
