"""Whether two failures are the same one, and where they differ. Pure functions over scenes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from relive_base.values import ValueNode, render
from relive_capture.explore.scene import SceneFile, own_frame
from relive_capture.model import ExceptionView
from relive_runtime.adapters.http.route_shapes import path_shape

from relive_platform.replay.model import Difference

__all__ = ["Agreement", "agreement", "differences", "same_failure"]

_WIDTH: Final = 160
_MOST: Final = 20
_MISSING: Final = "(none)"
_PLAIN: Final = frozenset(
    (
        "str", "bytes", "bytearray", "int", "float", "complex", "bool", "NoneType", "list", "tuple", "dict",
        "set", "frozenset", "date", "datetime", "time", "timedelta", "Decimal", "UUID",
    )
)  # fmt: skip
_NAMED: Final = frozenset(("function", "module", "type", "builtin_function_or_method"))
"""What is told from others by its name."""
_NAMES: Final = 4  # of a stack whose end is where a limit happened to strike
_VOLATILE: Final = re.compile(
    r"0x[0-9a-fA-F]+|\bid[= ]\d{12,}\b|(?<![\w.])\d[\d,._]*\s?(?:[kKMGT]i?B|[Bb]ytes)(?!\w)"
)
"""Addresses, ids of objects, which are addresses, and sizes. Not ids of orders, nor shares."""
_OF_MEMORY: Final = re.compile(r"(?<![\w.])\d[\d,._]*\s?[BKMGk%](?!\w)")
"""What is a size or a share besides, in what is said of memory."""
_UNORDERED: Final = frozenset(("set", "frozenset"))


def same_failure(recorded: SceneFile, replayed: SceneFile) -> bool:
    """By their fingerprints, or if they differ in nothing but addresses and sizes in the message. At a limit
    of memory it is chance how Python or the platform tells of it: it counts where that was."""
    if recorded.manifest["fingerprint"] == replayed.manifest["fingerprint"]:
        return True
    first, second = recorded.exceptions[0], replayed.exceptions[0]
    judged = _line(first) or _is_shorter(first.message, second.message)
    if first.message != second.message and judged and next(_heads(recorded, replayed), None) is None:
        return True
    if (recorded.manifest["kind"], replayed.manifest["kind"]) != ("memory", "memory"):
        return False
    names = _outer_names(first)
    return bool(names) and names == _outer_names(second)


def _outer_names(view: ExceptionView) -> list[str]:
    own = (f"{frame.file}:{frame.function}" for frame in view.frames if frame.in_app)
    return list(dict.fromkeys(own))[:_NAMES]


def _said(view: ExceptionView, *, memory: bool) -> str:
    """The message without what chance has put into it."""
    text = _VOLATILE.sub("#", view.message)
    return _OF_MEMORY.sub("#", text) if memory or "Memory" in view.type else text


def _is_shorter(recorded: str, replayed: str) -> bool:
    """Whether it is of an answer with a 5xx status, as recorders outside of Relive once told of it: "Bad
    Gateway for /orders/17" is "Bad Gateway for POST /orders/#"."""
    phrase, _, path = recorded.partition(" for /")
    other, _, route = replayed.partition(" for ")
    return bool(path) and phrase == other and path_shape(f"/{path}") == route.partition(" ")[2]


def differences(recorded: SceneFile, replayed: SceneFile) -> list[Difference]:
    """Kind, type, message, place, causes, then the locals of the innermost own frame. Lines do not count
    if the function is the same: code moves."""
    return list(_found(recorded, replayed))[:_MOST]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of the locals of the innermost own frame. `alike`: so many of `compared` are the same in both;
    `unsure`: those that do not differ as far as they are known, which is not all of them."""

    alike: int
    compared: int
    unsure: list[str]


def agreement(recorded: SceneFile, replayed: SceneFile) -> Agreement:
    """What is redacted, was cut, or is an object of which not all was captured is never said to be alike."""
    first, second = own_frame(recorded.exceptions[0]), own_frame(replayed.exceptions[0])
    if first is None or second is None or first.function != second.function:
        return Agreement(0, len(first.locals) if first is not None else 0, [])
    others = dict(second.locals)
    both = [(name, node, others[name]) for name, node in first.locals if name in others]
    similar = [(name, node, other) for name, node, other in both if _alike(node, other)]
    unsure = [name for name, node, other in similar if not _same(node, other)]
    return Agreement(len(similar) - len(unsure), len(first.locals), unsure)


def _same(first: ValueNode, second: ValueNode) -> bool:
    """All that there is of both is known, and is the same."""
    for node in (first, second):
        if node.redacted or node.ref or node.more or node.text.endswith("…"):
            return False
    if first.type != second.type or first.length != second.length:
        return False
    if not first.children and not second.children:
        texts = {
            _VOLATILE.sub("#", node.text) if first.type in _NAMED else node.text for node in (first, second)
        }
        return len(texts) == 1 and (first.type in _PLAIN or first.type in _NAMED)
    return len(first.children) == len(second.children) and all(
        label == other and _same(child, twin)
        for (label, child), (other, twin) in zip(first.children, second.children, strict=True)
    )


def _found(recorded: SceneFile, replayed: SceneFile) -> Iterator[Difference]:
    yield from _heads(recorded, replayed)
    yield from _locals(recorded.exceptions[0], replayed.exceptions[0])


def _heads(recorded: SceneFile, replayed: SceneFile) -> Iterator[Difference]:
    """All but the locals."""
    yield from _differs("kind", str(recorded.manifest["kind"]), str(replayed.manifest["kind"]))
    first, second = recorded.exceptions[0], replayed.exceptions[0]
    yield from _differs("type", _name(first), _name(second))
    memory = "memory" in (str(recorded.manifest["kind"]), str(replayed.manifest["kind"]))
    alike = _said(first, memory=memory) == _said(second, memory=memory)
    if not alike and not _is_shorter(first.message, second.message):
        yield from _differs("message", first.message, second.message)
    known = _line(first) and _line(second)  # what was cut on one side is no difference
    yield from _differs("place", _place(first, known), _place(second, known))
    yield from _differs("cause", _chain(recorded.exceptions), _chain(replayed.exceptions))


def _differs(what: str, recorded: str, replayed: str) -> Iterator[Difference]:
    if recorded != replayed:
        yield Difference(what, recorded or _MISSING, replayed or _MISSING)


def _name(view: ExceptionView) -> str:
    return f"{view.module}.{view.type}" if view.module not in ("", "builtins") else view.type


def _place(view: ExceptionView, with_line: object) -> str:
    """File and function: a line above may have moved it. The text of the line tells one from the other."""
    frame = own_frame(view)
    if frame is None:
        return ""
    place = f"{frame.file} in {frame.function}"
    return f"{place}: {_line(view)}" if with_line else place


def _line(view: ExceptionView) -> str:
    """The text of the failing line, or ""."""
    frame = own_frame(view)
    if frame is None:
        return ""
    index = frame.line - frame.source_first_line
    return frame.source[index].strip() if 0 <= index < len(frame.source) else ""


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
            if not second.locals_more:  # else it may be one of those that the capture left out
                yield Difference(name, _shown(node), _MISSING)
        elif not _alike(node, other):
            yield Difference(name, _shown(node), _shown(other))
    for name, node in others.items() if not first.locals_more else ():
        yield Difference(name, _MISSING, _shown(node))


def _alike(first: ValueNode, second: ValueNode) -> bool:
    """Plain data by its value, as far as both scenes have it: if a limit cut one of them, nobody knows.
    Of objects only the type counts: they are full of addresses, times and counters."""
    if first.type != second.type:
        return False
    if first.redacted or second.redacted or first.type not in _PLAIN:
        return True
    if first.length != second.length:
        return False
    if first.children or second.children or first.more or second.more:
        return _alike_inside(first, second)
    return _same_text(first.text, second.text)


def _alike_inside(first: ValueNode, second: ValueNode) -> bool:
    if not (first.more or second.more or first.ref or second.ref):
        return len(first.children) == len(second.children) and all(
            label == other and _alike(child, twin)
            for (label, child), (other, twin) in zip(first.children, second.children, strict=True)
        )
    if first.type in _UNORDERED:
        return True  # each scene may have kept other ones
    others = dict(second.children)
    return all(_alike(child, others[label]) for label, child in first.children if label in others)


def _same_text(first: str, second: str) -> bool:
    """A text that ends with … was cut there: what follows is not known."""
    cut = [len(text.removesuffix("…").rstrip("'\"")) for text in (first, second) if text.endswith("…")]
    return first == second or (bool(cut) and first[: min(cut)] == second[: min(cut)])


def _shown(node: ValueNode) -> str:
    return render(node, _WIDTH)
