"""Colours. Okabe-Ito throughout, so that no pair is lost to a colour-blind eye; and never the only sign."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rich.style import Style

__all__ = ["BACKGROUND", "CSS_VARIABLES", "STYLES", "style_of"]

ORANGE: Final = "#e69f00"
SKY: Final = "#56b4e9"
YELLOW: Final = "#f0e442"
PURPLE: Final = "#cc79a7"

BACKGROUND: Final = "#0f1318"
_TEXT: Final = "#d6dde6"
_DIM: Final = "#8b96a5"
_ROW: Final = "#1f2a37"

STYLES: Final = {
    "": _TEXT,
    "dim": _DIM,
    "bold": f"bold {_TEXT}",
    "head": f"bold {_DIM}",
    "name": "bold #e8edf3",
    "path": SKY,
    "accent": f"bold {SKY}",
    "error": "bold #f0813a",
    "warn": ORANGE,
    "ok": "#2fbf95",
    "key": SKY,
    "string": "#8fd3b6",
    "number": YELLOW,
    "value": _TEXT,
    "code": _TEXT,
    "keyword": PURPLE,
    "decorator": PURPLE,
    "comment": _DIM,
    "hit": "bold on #4a2410",
    "match": f"black on {YELLOW}",
    "bar": "#2f7fb8",
    "bar_function": f"bold {SKY}",
    "bar_platform": "#5b6b7d",
    "hint_key": f"bold {SKY}",
    "crumb": _DIM,
    "here": "bold #ffffff",
    "flame0": f"#101010 on {ORANGE}",
    "flame1": "#101010 on #f4b942",
    "flame2": "#101010 on #e58a4e",
    "flame3": "#101010 on #d9c46a",
    "flame4": "#101010 on #eb9a5b",
    "flame5": "#101010 on #f0d264",
    "flame6": "#101010 on #de7f3c",
    "flame7": "#101010 on #e8b06b",
    "flame_slower": "bold #ffffff on #b34a00",
    "flame_slower_little": "#101010 on #e9a870",
    "flame_faster": "bold #ffffff on #0b5f92",
    "flame_faster_little": "#101010 on #9ccbe8",
    "flame_same": "#101010 on #8b96a5",
    "heat": "#e58a4e",
    "flame_selected": "bold #ffffff on #0072b2",
    "flame_match": f"bold #101010 on {SKY}",
    "cursor": f"on {_ROW}",
    "cursor_focus": "on #24405c",
}

CSS_VARIABLES: Final = {
    "r-background": BACKGROUND,
    "r-border": "#2c3845",
    "r-focus": SKY,
    "r-title": _DIM,
    "r-panel": "#141a21",
}


@lru_cache(maxsize=256)
def style_of(name: str) -> Style:
    """The style of a name; several names (`hit string`) add up, the first ones on top."""
    result = Style()
    for part in reversed(name.split(" ")):
        result += Style.parse(STYLES.get(part, STYLES[""]))
    return result
