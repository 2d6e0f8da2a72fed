"""Applications on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write relive.toml and files (name -> text) below a fresh folder; gives the folder."""

    def put(manifest: str, **files: str) -> Path:
        (tmp_path / "relive.toml").write_text(manifest, encoding="utf-8")
        for name, text in {"fn/cart.py": "def handler(event, context):\n    return event\n", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return put
