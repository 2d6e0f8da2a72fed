"""Figures of resources as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from relive.output.console import format_bytes

__all__ = ["shown_figure", "shown_figures"]


def shown_figures(figures: Mapping[str, Any]) -> Iterator[str]:
    """What is worth knowing of them, as people read it: those that are not zero."""
    for name, value in figures.items():
        if value:
            what = name.removesuffix("_bytes").removesuffix("_s").replace("_", " ")
            what = _singular(what) if value == 1 else what
            yield (
                f"{shown_figure(name, value)} {what}"
                if isinstance(value, int)
                else f"{what} {shown_figure(name, value)}"
            )


def _singular(noun: str) -> str:
    return f"{noun.removesuffix('ies')}y" if noun.endswith("ies") else noun.removesuffix("s")


def shown_figure(name: str, value: Any) -> str:
    """One of them; its name says its unit."""
    if name.endswith("_bytes"):
        return format_bytes(value) if value else "0"
    if name.endswith("_s"):
        return f"{value:,.1f} s"
    return f"{value:,}" if isinstance(value, int) else str(value)
