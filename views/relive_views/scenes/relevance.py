"""What of a frame matters to its failure: the failing expression, and the locals that it uses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from relive_base.values import ValueNode

    from relive_views.scenes.model import FrameView

__all__ = ["last_line", "names_in", "relevant_first"]

MAX_EXPRESSION_LINES: Final = 50
_NAME: Final = re.compile(r"(?<![\w.\"'])[^\W\d]\w*")
_COMPOUND: Final = re.compile(r"\s*(?:async\s+)?(?:with|for|while|if|try|def|class|match)\b")


def last_line(frame: FrameView) -> int:
    """The last line of the failing expression; of a `with` or another block its first line is meant."""
    row = frame.line - frame.source_first_line
    text = frame.source[row] if 0 <= row < len(frame.source) else ""
    return frame.line if _COMPOUND.match(text) else max(frame.end_line, frame.line)


def names_in(frame: FrameView) -> set[str]:
    """The names that the failing expression (or else the failing line) uses."""
    first = frame.line - frame.source_first_line
    last = last_line(frame) - frame.source_first_line
    lines = list(frame.source[max(first, 0) : min(last + 1, max(first, 0) + MAX_EXPRESSION_LINES)])
    if not lines or first < 0:
        return set()
    if frame.column >= 0 and frame.end_column > 0 and last == frame.end_line - frame.source_first_line:
        raw = [line.encode("utf-8", "replace") for line in lines]
        raw[-1] = raw[-1][: frame.end_column]
        raw[0] = raw[0][frame.column :]
        lines = [line.decode("utf-8", "replace") for line in raw]
    return set(_NAME.findall("\n".join(lines)))


def relevant_first(
    values: Sequence[tuple[str, ValueNode]], names: set[str]
) -> tuple[tuple[str, ValueNode], ...]:
    """Locals with those that the failing expression uses in front, each part in its order."""
    return tuple(sorted(values, key=lambda entry: entry[0] not in names))
