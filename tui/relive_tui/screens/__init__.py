"""One module a screen; imported when it is first opened."""

from __future__ import annotations

__all__: list[str] = []
