"""Copying out of a terminal: OSC 52, wrapped for tmux and screen; a file if that cannot work."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_OSC52_BYTES", "cache_folder", "osc52", "save_yank", "yank_path"]

MAX_OSC52_BYTES = 74_994
"""What the strictest of the common terminals takes: 100,000 bytes of escape sequence."""


def osc52(text: str, environment: Mapping[str, str]) -> str:
    """The sequence that puts `text` into the clipboard at the other end; empty if that cannot work."""
    raw = text.encode("utf-8", "replace")
    terminal = environment.get("TERM", "")
    if len(raw) > MAX_OSC52_BYTES or terminal in ("dumb", "linux"):
        return ""
    sequence = f"\x1b]52;c;{base64.b64encode(raw).decode()}\x07"
    if environment.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if terminal.startswith("screen"):
        return "\x1bP" + sequence + "\x1b\\"
    return sequence


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where files are left that can be made again."""
    cache = environment.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(cache) / "relive"


def yank_path(environment: Mapping[str, str]) -> Path:
    """Where copied text is left for those whose terminal has no clipboard."""
    return cache_folder(environment) / "yank.txt"


def save_yank(text: str, path: Path) -> Path:
    """Write `text` to `path`, readable by its owner only. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    return path
