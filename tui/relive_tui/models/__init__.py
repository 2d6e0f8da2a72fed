"""What the screens show, as plain data: no terminal, no Textual."""

from __future__ import annotations

__all__: list[str] = []
