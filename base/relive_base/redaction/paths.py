"""Secrets in the path of a request that its route names: `/reset/{token}`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from relive_base.redaction.values import PLACEHOLDER

__all__ = ["hide_path"]

_REST: Final = "+"  # at the end of a name: it takes all segments that are left


def hide_path(path: str, route: str, secret_key: Callable[[str], str]) -> str:
    """`path` without the segments that stand for a secret's name in `route`; as it is if they do not fit."""
    if "{" not in route:
        return path
    shown = path.split("/")
    for index, segment in enumerate(route.split("/")):
        if index >= len(shown):
            return path
        if not segment.startswith("{"):
            if segment != shown[index]:
                return path
            continue
        name = segment[1:-1]
        if secret_key(name.removesuffix(_REST)):
            shown[index] = PLACEHOLDER
            if name.endswith(_REST):
                del shown[index + 1 :]
    return "/".join(shown)
