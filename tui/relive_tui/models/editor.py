"""The command that opens a file at a line in the user's editor."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["editor_command"]

_COLON = ("hx", "helix", "subl", "zed")  # FILE:LINE
_GOTO = ("code", "codium", "cursor")  # --goto FILE:LINE, and they have to be told to wait


def editor_command(environment: Mapping[str, str], file: str, line: int) -> list[str]:
    """The command and its arguments by VISUAL or EDITOR; empty if neither is set (or cannot be read)."""
    chosen = environment.get("VISUAL") or environment.get("EDITOR") or ""
    try:
        words = shlex.split(chosen)
    except ValueError:
        return []
    if not words:
        return []
    name = os.path.basename(words[0])
    at = max(line, 1)
    if name in _GOTO:
        return [*words, *([] if "--wait" in words else ["--wait"]), "--goto", f"{file}:{at}"]
    return [*words, f"{file}:{at}"] if name in _COLON else [*words, f"+{at}", file]
