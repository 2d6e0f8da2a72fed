"""What a key of a table in `relive.toml` may be."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Key"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table. `type`: text, flag, whole, number, texts (array of text), map (text -> text),
    table, array."""

    type: str
    doc: str = ""
    required: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
