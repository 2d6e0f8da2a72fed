"""An exception as lines of text: its message, where the syntax is wrong, what it has to tell, attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from relive_base.terminal import one_line
from relive_base.values import render, render_lines

from relive_capture.model import ExceptionView

__all__ = ["attribute_lines", "detail_lines", "message_lines", "title_of", "wrapped"]

_MESSAGE_LINES = 16
_DETAIL_LINES = 8
_DETAILS = 30
_ATTRIBUTES = 20
_ATTRIBUTE_LINES = 8
_NAME_WIDTH = 24


def title_of(view: ExceptionView) -> str:
    """As Python prints it: `KeyError: 'sku'`, `shop.OutOfStock: none left`."""
    name = view.type if view.module in ("", "builtins", "__main__") else f"{view.module}.{view.type}"
    return f"{name}: {view.message}" if view.message else name


def wrapped(text: str, width: int, limit: int) -> list[str]:
    """The lines of `text`, escaped, each at most `width` wide; `limit` lines, the last one says how many more
    there were."""
    lines = list(_broken(text, max(width, 10)))
    if len(lines) <= limit:
        return lines
    return [*lines[: limit - 1], f"… {len(lines) - limit + 1} more lines"]


def _broken(text: str, width: int) -> Iterator[str]:
    for line in text.split("\n"):
        shown = one_line(line.rstrip())
        yield shown[:width]
        for start in range(width, len(shown), width):
            yield shown[start : start + width]


def message_lines(view: ExceptionView, width: int) -> list[str]:
    """The title, and under it what its message has of further lines; before it where the syntax is wrong."""
    first, *rest = wrapped(title_of(view), width - 2, _MESSAGE_LINES)
    place = [f"  {one_line(line, width - 2)}" for line in view.place]
    notes = [
        f"  {line}" for note in view.notes for line in wrapped(f"note: {note}", width - 2, _DETAIL_LINES)
    ]
    return [f"✖ {first}", *(f"  {line}" for line in rest), *place, *notes]


def detail_lines(details: Iterable[tuple[str, str]], width: int) -> list[str]:
    """`status   503 Service Unavailable`, names in a column."""
    rows = list(details)
    column = min(max((len(name) for name, _ in rows), default=0), _NAME_WIDTH)
    lines: list[str] = []
    for name, text in rows[:_DETAILS]:
        first, *rest = wrapped(text, width - column - 2, _DETAIL_LINES)
        lines.append(f"{one_line(name, max(column, 8)):<{column}}  {first}")
        lines += [f"{'':<{column}}  {line}" for line in rest]
    if len(rows) > _DETAILS:
        lines.append(f"… {len(rows) - _DETAILS} more")
    return lines


def attribute_lines(view: ExceptionView, width: int) -> list[str]:
    """`status = 409`, a line each, those with children with their first level."""
    lines: list[str] = []
    for name, node in view.attributes[:_ATTRIBUTES]:
        deep = 1 if len(render(node, 400)) > width - 20 else 0
        lines += render_lines(node, name, width, depth=deep)[:_ATTRIBUTE_LINES]
    more = len(view.attributes) - _ATTRIBUTES + view.attributes_more
    return [*lines, f"… {more} more"] if more > 0 else lines
