"""Draws docs/images from a recorded shop: `python bench/tui/pictures.py [FOLDER]`."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["draw"]

SCREENS = {
    "home": [],
    "failure": ["enter"],
    "heap": ["enter", "5"],
    "trace": ["enter", "3"],
    "flame": ["enter", "4"],
    "invocations": ["2"],
    "metrics": ["tab", "7"],
}
STATUS = {
    "store": {"lag_s": 0.3, "dropped_rows": 0},
    "workers": {"busy": 2, "idle": 5},
    "queue": {"ready": 3},
}


def draw(folder: Path) -> list[Path]:
    """Write one SVG a screen, 120 x 36; gives the files."""
    from relive_store import StoreProcess, open_store

    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as place:
        process = StoreProcess(Path(place) / "store", Path(place) / "s.sock")
        process.start(60)
        try:
            store = open_store(process.url)
            store.migrate()
            spec = importlib.util.spec_from_file_location("tui_world", Path(__file__).with_name("world.py"))
            assert spec is not None
            assert spec.loader is not None
            world = importlib.util.module_from_spec(spec)
            sys.modules["tui_world"] = world
            spec.loader.exec_module(world)
            world.record_shop(store, Path(place) / "home", heap_objects=60_000)
            return [asyncio.run(_draw(process.url, Path(place), folder, name)) for name in SCREENS]
        finally:
            process.stop()


async def _draw(url: str, place: Path, folder: Path, name: str) -> Path:
    from relive_store import open_store
    from relive_tui.app import ReliveApp
    from relive_tui.source.home import DataSource

    source = DataSource(lambda: open_store(url), place / "home/scenes", status=lambda: STATUS)
    app = ReliveApp(source)
    async with app.run_test(size=(120, 36)) as pilot:
        await _settle(app, pilot)
        for key in SCREENS[name]:
            await pilot.press(key)
            await _settle(app, pilot)
        # a page shows an image without loading fonts from elsewhere
        svg = re.sub(r"@font-face \{.*?\}", "", app.export_screenshot(title="relive"), flags=re.S)
        svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, DejaVu Sans Mono, monospace")
    path = folder / f"tui-{name}.svg"
    path.write_text(svg)
    return path


async def _settle(app: Any, pilot: Any) -> None:
    async with asyncio.timeout(20):
        await pilot.pause(0.1)
        while app.here.busy:
            await pilot.pause(0.02)
        await pilot.pause(0.2)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "docs/images"
    target.mkdir(parents=True, exist_ok=True)
    for file in draw(target):
        print(file)
