"""Whether two failures are the same one, and where they differ. Pure functions over scenes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from relive_base.values import ValueNode, render
from relive_capture.explore.reader import SceneFile, own_frame
from relive_capture.model import ExceptionView

from relive_platform.replay.model import Difference

__all__ = ["differences"]

_WIDTH: Final = 160
_MOST: Final = 20
_MISSING: Final = "(none)"
_PLAIN: Final = frozenset(
    (
        "str", "bytes", "bytearray", "int", "float", "complex", "bool", "NoneType", "list", "tuple", "dict",
        "set", "frozenset", "date", "datetime", "time", "timedelta", "Decimal", "UUID",
    )
)  # fmt: skip


def differences(recorded: SceneFile, replayed: SceneFile) -> list[Difference]:
    """Kind, type, message, place, causes, then the locals of the innermost own frame. Lines do not count
    where the function is the same: code moves."""
    return list(_found(recorded, replayed))[:_MOST]


def _found(recorded: SceneFile, replayed: SceneFile) -> Iterator[Difference]:
    yield from _differs("kind", str(recorded.manifest["kind"]), str(replayed.manifest["kind"]))
    first, second = recorded.exceptions[0], replayed.exceptions[0]
    yield from _differs("type", _name(first), _name(second))
    yield from _differs("message", first.message, second.message)
    yield from _differs("place", _place(first), _place(second))
    yield from _differs("cause", _chain(recorded.exceptions), _chain(replayed.exceptions))
    yield from _locals(first, second)


def _differs(what: str, recorded: str, replayed: str) -> Iterator[Difference]:
    if recorded != replayed:
        yield Difference(what, recorded or _MISSING, replayed or _MISSING)


def _name(view: ExceptionView) -> str:
    return f"{view.module}.{view.type}" if view.module not in ("", "builtins") else view.type


def _place(view: ExceptionView) -> str:
    """File and function: a line above may have moved it. The text of the line tells one from the other."""
    frame = own_frame(view)
    if frame is None:
        return ""
    index = frame.line - frame.source_first_line
    text = frame.source[index].strip() if 0 <= index < len(frame.source) else ""
    return f"{frame.file} in {frame.function}: {text}" if text else f"{frame.file} in {frame.function}"


def _chain(views: list[ExceptionView]) -> str:
    return ", ".join(f"{view.relation} {_name(view)}" for view in views[1:])


def _locals(recorded: ExceptionView, replayed: ExceptionView) -> Iterator[Difference]:
    first, second = own_frame(recorded), own_frame(replayed)
    if first is None or second is None or first.function != second.function:
        return
    others = dict(second.locals)
    for name, node in first.locals:
        other = others.pop(name, None)
        if other is None:
            yield Difference(name, _shown(node), _MISSING)
        elif not _alike(node, other):
            yield Difference(name, _shown(node), _shown(other))
    for name, node in others.items():
        yield Difference(name, _MISSING, _shown(node))


def _alike(first: ValueNode, second: ValueNode) -> bool:
    """Plain data by its value; of objects only the type counts: they are full of addresses, times and
    counters."""
    if first.type != second.type:
        return False
    if first.redacted or second.redacted or first.type not in _PLAIN:
        return True
    if (
        first.text != second.text
        or first.length != second.length
        or len(first.children) != len(second.children)
    ):
        return False
    return all(
        key == other and _alike(child, twin)
        for (key, child), (other, twin) in zip(first.children, second.children, strict=True)
    )


def _shown(node: ValueNode) -> str:
    return render(node, _WIDTH)
