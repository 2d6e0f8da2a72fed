"""First paint of the terminal UI, and what a key costs with a million invocations in the store.

Figures are wall time, of fresh interpreters on a terminal of their own and of this process; a busy machine
makes them too high, never too low.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib.util
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["run", "try_out"]

Figure = dict[str, Any]
PAINT_TARGET_MS = 500.0
KEY_TARGET_MS = 16.0
FAILURE_TARGET_MS = 1_000.0
FRAME_TARGET_MS = 50.0
"""Textual paints at most 60 frames a second: a key waits for up to 17 ms."""
PAINT_RATIO = 1.25
FRAME_RATIO = 3.0
PRESSES = 12
QUIET_S = 0.15
"""A terminal to which nothing came for so long shows what there is to show."""
ROWS = 1_000_000

PROGRAM = """
import sys
from relive.__main__ import main
main(["--home", sys.argv[1], "tui"])
"""
EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    BINDINGS = [("q", "quit", "quit"), ("j", "mark('j')", ""), ("k", "mark('k')", "")]
    def compose(self):
        yield Static("Failures KeyError")
    def action_mark(self, key):
        self.query_one(Static).update(f"\u25b8 {key}")
Empty().run()
"""
"""An application without anything of ours: it paints one line, and another one after a key."""
MARK = "\u25b8".encode()
"""Stands before the line that a key has moved to."""


def run(quick: bool = False) -> list[Figure]:
    """Figures as name, value, unit, target, ok. `quick`: fewer repetitions, 100,000 rows."""
    rows = ROWS // 10 if quick else ROWS
    with _store(rows) as (url, folder):
        home = str(folder / "home")
        # in turn, so that both have the same machine
        pairs = [(_launch(url, home, EMPTY), _launch(url, home)) for _ in range(3 if quick else 7)]
        bare = [_launch(url, home, compiled=False).paint_ms for _ in range(3)]
        keys = asyncio.run(_keys(url, folder / "home/scenes", rows, 40 if quick else 200))
    empty, ours = ([pair[side] for pair in pairs] for side in (0, 1))
    paint, empty_paint = (statistics.median(one.paint_ms for one in side) for side in (ours, empty))
    frame, empty_frame = (
        statistics.median(ms for one in side for ms in one.frames_ms) for side in (ours, empty)
    )
    failure = statistics.median(one.failure_ms for one in ours)
    label = f"{rows:,} invocations"
    return [
        _figure("first paint of `relive tui`, interpreter start included", paint, PAINT_TARGET_MS),
        _reference("the same where bytecode must not be written", statistics.median(bare)),
        _reference("the same of an empty Textual app, for comparison", empty_paint),
        _ratio("first paint, ratio to an empty Textual app", paint / empty_paint, PAINT_RATIO),
        _figure("newest failure on the screen", failure, FAILURE_TARGET_MS),
        _figure("from a key to the frame on the terminal, Home", frame, FRAME_TARGET_MS),
        _reference("the same of an empty Textual app, for comparison", empty_frame),
        _ratio("from a key to the frame, ratio to an empty Textual app", frame / empty_frame, FRAME_RATIO),
        _figure(f"a key, {label}, median", statistics.median(keys), KEY_TARGET_MS),
        _figure(f"a key, {label}, p95", sorted(keys)[int(len(keys) * 0.95)], KEY_TARGET_MS),
    ]


@contextmanager
def _store(rows: int) -> Iterator[tuple[str, Path]]:
    """The URL of a store with a shop and `rows` invocations, and its folder."""
    from relive_store import StoreProcess, open_store

    with tempfile.TemporaryDirectory(prefix="rl-", dir="/tmp") as name:
        folder = Path(name)
        process = StoreProcess(folder / "store", folder / "s.sock")
        process.start(60)
        try:
            store = open_store(process.url)
            store.migrate()
            world = _world()
            world.record_shop(store, folder / "home")
            world.fill_invocations(store, rows, time.time_ns())
            yield process.url, folder
        finally:
            process.stop()


def _world() -> Any:
    spec = importlib.util.spec_from_file_location("tui_world", Path(__file__).with_name("world.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tui_world"] = module
    spec.loader.exec_module(module)
    return module


def _figure(name: str, value: float, target: float) -> Figure:
    return {"name": name, "value": round(value, 2), "unit": "ms", "target": target, "ok": value <= target}


def _ratio(name: str, value: float, target: float) -> Figure:
    return {"name": name, "value": round(value, 2), "unit": "x", "target": target, "ok": value <= target}


def _reference(name: str, value: float) -> Figure:
    return {"name": name, "value": round(value, 2), "unit": "ms", "target": None, "ok": None}


@dataclass(frozen=True)
class Launch:
    """From starting an interpreter on a terminal of its own to the first paint and to the failing line; then
    from each key to the frame that shows what it did."""

    paint_ms: float
    failure_ms: float
    frames_ms: list[float]


def _launch(url: str, home: str, program: str = PROGRAM, compiled: bool = True) -> Launch:
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "RELIVE_STORE": url}
    if compiled:
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begin = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", program, home],
        stdin=secondary,
        stdout=secondary,
        stderr=secondary,
        env=environment,
        start_new_session=True,
    )
    os.close(secondary)
    try:
        output = bytearray()
        painted = _seen(primary, b"Failures", begin, output)
        failure = _seen(primary, b"KeyError", begin, output)
        return Launch(painted, failure, [_frame(primary, key) for key in (b"j", b"k") * (PRESSES // 2)])
    finally:
        os.write(primary, b"q")
        child.wait(20)
        os.close(primary)


def _frame(terminal: int, key: bytes) -> float:
    """ms from a key to the mark before the line that it moves to, at a terminal that has come to rest."""
    while select.select([terminal], [], [], QUIET_S)[0]:
        os.read(terminal, 65_536)
    begin = time.perf_counter()
    os.write(terminal, key)
    return _seen(terminal, MARK, begin, bytearray())


def _seen(terminal: int, text: bytes, begin: float, output: bytearray) -> float:
    """ms until `text` has come out of the terminal."""
    while text not in output:
        if not select.select([terminal], [], [], 30)[0]:
            raise TimeoutError(f"{text!r} was not painted: {bytes(output[-500:])!r}")
        output += os.read(terminal, 65_536)
    return (time.perf_counter() - begin) * 1000


async def _keys(url: str, scenes: Path, rows: int, count: int) -> list[float]:
    """Wall time of a key: from its handling to the end of painting what it changed."""
    from relive_store import open_store
    from relive_tui.app import ReliveApp
    from relive_tui.source.home import DataSource
    from relive_tui.widgets.rows import VirtualRows

    app = ReliveApp(DataSource(lambda: open_store(url), scenes), "invocations")
    times: list[float] = []
    async with app.run_test(size=(120, 36)) as pilot:
        app.set_range(0)
        listing = app.here.query_one("#rows", VirtualRows)
        await _until(pilot, lambda: len(listing.source) >= rows)
        keys = ("down", "pagedown", "down", "G", "up", "pageup", "g", "down")
        for number in range(count):
            name = keys[number % len(keys)]
            await _until(pilot, lambda: not app.here.busy)
            begin = time.perf_counter()
            _press(listing, name)
            _paint(app)
            times.append((time.perf_counter() - begin) * 1000)
            await pilot.pause(0.002)
    return times


def _press(listing: Any, name: str) -> None:
    action, step = {
        "down": ("move", 1), "up": ("move", -1), "pagedown": ("page", 1), "pageup": ("page", -1),
        "G": ("edge", 1), "g": ("edge", -1),
    }[name]  # fmt: skip
    getattr(listing, f"action_{action}")(step)


def _paint(app: Any) -> None:
    """What the compositor does when the event loop is idle again: draw the whole list, as after a scroll."""
    screen = app.screen
    screen._compositor.update_widgets({app.here.query_one("#rows")})
    update = screen._compositor.render_update(full=True)
    app.console.render_str("")
    update.render_segments(app.console)


async def _until(pilot: Any, met: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not met():
            await pilot.pause(0.005)


def try_out() -> None:
    """The smallest run of everything that is set up here; nothing is measured."""
    with _store(500) as (url, folder):
        _launch(url, str(folder / "home"), EMPTY)
        _launch(url, str(folder / "home"))
        asyncio.run(_keys(url, folder / "home/scenes", 500, 1))


if __name__ == "__main__":
    for figure in run(quick="--quick" in sys.argv):
        print(figure)
