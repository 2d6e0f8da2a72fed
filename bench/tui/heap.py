"""The heap screen with a million objects: opened for the first time, opened again, and what a key costs.

Figures are CPU time where nothing else is said: of a key from its handling to the end of painting the whole
screen again.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["run", "try_out"]

Figure = dict[str, Any]
OBJECTS = 1_000_000
ANALYSE_TARGET_S = 5.0
OPEN_TARGET_MS = 1_000.0
KEY_TARGET_MS = 16.0
WAIT_S = 120.0
KEYS = (
    *(("move", 1), ("page", 1), ("choose",), ("move", 1), ("edge", 1), ("move", -1), ("choose",)),
    *(("page", -1), ("choose",), ("turn", 1), ("move", 1), ("turn", 1), ("move", 1), ("choose",)),
    *(("turn", 1), ("choose",), ("turn", 1), ("retainers",), ("move", 1), ("dominators",)),
)
"""What keys do: in the list, or on the screen."""


def run(quick: bool = False) -> list[Figure]:
    """Figures as name, value, unit, target, ok. `quick`: 100,000 objects."""
    objects = OBJECTS // 10 if quick else OBJECTS
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        path = _module("big_heap").write_big_scene(Path(folder) / "big.scene", objects)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        during = asyncio.run(_first(path))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        first = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        again, keys = asyncio.run(_again(path, 3 if quick else 10))
    label = f"{objects:,} objects"
    return [
        _figure(f"heap screen, {label}: analysis in its own process, CPU", first, ANALYSE_TARGET_S, "s"),
        _figure("the longest wait of a key meanwhile, wall time", during, None, "ms"),
        _figure("the same opened again from the cache, CPU", again, OPEN_TARGET_MS, "ms"),
        _figure(f"a key on the heap screen, {label}, median", statistics.median(keys), KEY_TARGET_MS, "ms"),
        _figure("the same, p95", sorted(keys)[int(len(keys) * 0.95)], KEY_TARGET_MS, "ms"),
    ]


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _figure(name: str, value: float, target: float | None, unit: str) -> Figure:
    ok = value <= target if target is not None else None
    return {"name": name, "value": round(value, 2), "unit": unit, "target": target, "ok": ok}


async def _first(path: Path) -> float:
    """ms that the event loop stood still at most until the leak is shown."""
    from relive_tui.app import ReliveApp
    from relive_tui.source.file import FileSource

    app = ReliveApp(FileSource(str(path)), "heap")
    async with app.run_test(size=(120, 36)) as pilot:
        longest = 0.0
        async with asyncio.timeout(WAIT_S):
            while app.here.model is None:  # type: ignore[attr-defined]
                before = time.perf_counter()
                await asyncio.sleep(0.001)
                longest = max(longest, time.perf_counter() - before)
        await pilot.pause()
    return longest * 1000


async def _again(path: Path, rounds: int) -> tuple[float, list[float]]:
    """(ms until the leak is shown, ms of each key)."""
    from relive_tui.app import ReliveApp
    from relive_tui.source.file import FileSource

    begun_s = time.process_time()
    app = ReliveApp(FileSource(str(path)), "heap")
    async with app.run_test(size=(120, 36)) as pilot:
        await _until(lambda: app.here.model is not None)  # type: ignore[attr-defined]
        opened = (time.process_time() - begun_s) * 1000
        await pilot.pause()
        keys: list[float] = []
        for _ in range(rounds):
            for name, *arguments in KEYS:
                begun_s = time.process_time()
                _press(app, name, arguments)
                _paint(app)
                keys.append((time.process_time() - begun_s) * 1000)
                await _until(lambda: not app.here.busy)
    return opened, keys


async def _until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not met():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def _press(app: Any, name: str, arguments: list[Any]) -> None:
    """What the key's binding calls, and what the message that it posts leads to."""
    from relive_tui.widgets.rows import VirtualRows

    screen, listed = app.here, app.here.query_one("#list")
    if name == "choose":
        screen.on_virtual_rows_chosen(VirtualRows.Chosen(listed, listed.cursor))
    elif name in ("move", "page", "edge"):
        getattr(listed, f"action_{name}")(*arguments)
        screen.on_virtual_rows_moved(VirtualRows.Moved(listed, listed.cursor))
    else:
        getattr(screen, f"action_{name}")(*arguments)


def _paint(app: Any) -> None:
    """What the compositor does when the event loop is idle again."""
    compositor = app.screen._compositor
    compositor.update_widgets(set(app.screen.query("VirtualRows")))
    compositor.render_update(full=True).render_segments(app.console)


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        path = _module("big_heap").write_big_scene(Path(folder) / "big.scene", 5_000)
        asyncio.run(_first(path))
        asyncio.run(_again(path, 1))


if __name__ == "__main__":
    for figure in run(quick="--quick" in sys.argv):
        print(figure)
