"""Carriage returns: progress bars draw one line again and again."""

from __future__ import annotations

__all__ = ["redrawn"]


def redrawn(earlier: str, text: str, keep: bool) -> tuple[list[str], str, bool]:
    """The complete lines, and the unfinished rest, once `text` follows the unfinished line `earlier`.

    What was written earlier and is drawn over now is a state of a bar: it becomes a line if `keep` says so.
    What a single write has between carriage returns is no bar: all of it becomes lines. The third value:
    whether a state was kept.
    """
    whole = (earlier + text).split("\n")
    old = len(earlier)
    lines: list[str] = []
    kept = False
    for line in whole[:-1]:
        parts, shown = _parts(line, old, keep)
        lines += parts or [""]
        kept |= shown
        old = 0
    rest, shown = _parts(whole[-1], old, keep)
    last = rest.pop() if rest else ""
    return lines + rest, last + "\r" * (bool(last) and whole[-1].endswith("\r")), kept or shown


def _parts(line: str, old: int, keep: bool) -> tuple[list[str], bool]:
    """What stands between the carriage returns of `line` that is not blank, and whether a state was kept.

    The first `old` characters were written earlier.
    """
    if "\r" not in line:
        return [line] if line else [], False
    pieces = line.split("\r")
    parts = [piece for piece in pieces if piece.strip()]
    # The unfinished line that is kept between writes has one piece, the first.
    if len(parts) < 2 or not pieces[0].strip() or len(pieces[0]) > old or not old:
        return parts, False
    return (parts, True) if keep else (parts[1:], False)
