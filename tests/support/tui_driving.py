"""Opening the application over plain data, pressing keys, reading the screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from patience import PATIENCE_S
from relive_tui.app import ReliveApp
from relive_tui.widgets.rows import VirtualRows
from textual.pilot import Pilot

__all__ = ["opened", "press", "rows", "settle", "shown", "until"]


async def until(pilot: Pilot[Any], met: Callable[[], bool]) -> None:
    """Wait until a state is reached; a deadline instead of a fixed sleep."""
    async with asyncio.timeout(PATIENCE_S):
        while not met():
            await pilot.pause(0.01)


@asynccontextmanager
async def opened(
    source: Any, view: str | None = None, ident: str | None = None, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[tuple[ReliveApp, Pilot[Any]]]:
    """The application, settled."""
    app = ReliveApp(source, view, ident)
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        yield app, pilot


async def settle(app: ReliveApp, pilot: Pilot[Any]) -> None:
    await pilot.pause()
    await until(pilot, lambda: not app.here.busy)
    await pilot.pause()


async def press(app: ReliveApp, pilot: Pilot[Any], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(app, pilot)


def rows(app: ReliveApp, name: str) -> VirtualRows:
    return app.here.query_one(name, VirtualRows)


def shown(app: ReliveApp) -> str:
    """Everything on the screen, as text."""
    return "\n".join("".join(strip.text for strip in app.screen._compositor.render_strips()[y : y + 1])
                     for y in range(app.size.height))  # fmt: skip
