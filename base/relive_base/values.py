"""The value tree: how a Python value of the failed process is kept, stored and shown.

A tree is made by the capture's bounded walker and read by every view. It holds text, never objects.
"""

from __future__ import annotations

import msgspec

from relive_base.errors import ReliveError
from relive_base.terminal import one_line

__all__ = ["ValueNode", "ValueTreeError", "decode_value", "encode_value", "render", "render_lines"]


class ValueTreeError(ReliveError):
    """A value tree cannot be read."""


class ValueNode(msgspec.Struct, omit_defaults=True):
    """One value. `children` are (label, node): attribute names, rendered keys or "[3]"; `more` counts others.

    `text` is bounded and looks like a repr; `id` is the object's address if it has an identity worth
    following, else 0; `length` is what len() gives, or -1. A `ref` was walked elsewhere, in the
    same tree or (a local) as a local of the scene: find it by its `id`.
    """

    type: str
    text: str = ""
    id: int = 0
    length: int = -1
    children: list[tuple[str, ValueNode]] = []
    more: int = 0
    redacted: bool = False
    ref: bool = False


_decoder = msgspec.json.Decoder(ValueNode)


def encode_value(node: ValueNode) -> bytes:
    """JSON; fields that have their default are left out."""
    return msgspec.json.encode(node)


def decode_value(data: bytes | str) -> ValueNode:
    """The tree in JSON `data`. Raises ValueTreeError."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueTreeError(f"a value tree cannot be read: {error}") from error


def render(node: ValueNode, width: int = 100) -> str:
    """One line of at most `width` cells, safe for a terminal."""
    text = node.text or node.type
    if node.ref and text.startswith("<"):
        text = f"{text} (see {node.id:#x})"  # it contains itself, or its text was not known
    return one_line(text, width)


def render_lines(node: ValueNode, name: str = "", width: int = 100, depth: int = 3) -> list[str]:
    """The tree as indented lines, children down to `depth` levels."""
    lines: list[str] = []
    _collect(node, name, width, depth, 0, lines)
    return lines


def _collect(node: ValueNode, name: str, width: int, depth: int, level: int, lines: list[str]) -> None:
    indent = "  " * level
    label = f"{one_line(name, 60)} = " if name else ""
    lines.append(indent + label + render(node, max(width - len(indent) - len(label), 8)))
    if depth <= 0:
        return
    for child_name, child in node.children:
        _collect(child, child_name, width, depth - 1, level + 1, lines)
    if node.more > 0:
        lines.append(f"{indent}  … {node.more} more")
