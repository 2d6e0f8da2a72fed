"""The terminal UI goes back from a failure, on a screen of its own."""

from __future__ import annotations

import os
from typing import Any

from relive.ui import Link, UiRequest
from relive_tui.app import ReliveApp
from relive_tui.source.home import DataSource
from textual.pilot import Pilot

from tests.support.relive_cli import laboratory, toml
from tests.support.tui_driving import press, settle, shown

CODE = """
PRICES = {"A-1": 300}


def price_of(sku):
    found = PRICES.get(sku)
    return found


def checkout(event, context):
    total = 0
    for item in event["items"]:
        price = price_of(item["sku"])
        total += price * item["count"]
    return {"total": total}
"""
FILES = {"main.py": CODE, "relive.toml": toml({"checkout": 'handler = "main:checkout"'})}
EVENT = {"items": [{"sku": "A-1", "count": 2}, {"sku": "B-2", "count": 1}]}


def _cursor_on(app: ReliveApp, name: str) -> None:
    rows: Any = app.screen.query_one("#locals")
    rows.move_to(next(n for n, entry in enumerate(rows.source.entries) if entry.name == name))


async def test_source_and_locals_follow_the_steps() -> None:
    # Given a function that failed, and the terminal UI on that failure
    with laboratory(FILES) as home:
        ident = str(home.invoke("checkout", EVENT)["invocation_id"])
        home.scene(ident)
        request = UiRequest(home.home, "", dict(os.environ), "failure", ident)
        link = Link(request)
        source = DataSource(
            link.open_store, home.home / "scenes", home=home.home, command=request.command, status=link.status
        )
        app = ReliveApp(source, "failure", ident)
        async with app.run_test(size=(120, 36)) as pilot:
            await settle(app, pilot)
            await _goes_back(app, pilot)
        source.close()


async def _goes_back(app: ReliveApp, pilot: Pilot[Any]) -> None:
    # When its time line is opened, I expect the failure, and the run as a strip
    await press(app, pilot, "L")
    text = shown(app)
    assert "this replay is the same failure" in text
    assert "the failure, after 11 steps" in text
    assert "Source main.py:14" in text

    # When it goes back by steps, I expect each line with the locals of then
    await press(app, pilot, "left_square_bracket", "left_square_bracket")
    text = shown(app)
    assert "step 9 of 11" in text
    assert "Locals of price_of" in text
    assert "found  None" in text
    await press(app, pilot, "left_square_bracket", "right_square_bracket")
    assert "step 9 of 11" in shown(app)

    # When it is asked where a local has its value from, I expect to be there
    _cursor_on(app, "found")
    await press(app, pilot, "o")
    text = shown(app)
    assert "step 8 of 11" in text
    assert "found = None  was given by step 8, main.py:6 in price_of" in text

    # ... and at the failure why, which stays there
    await press(app, pilot, "dollar_sign", "w")
    text = shown(app)
    assert "the failure, after 11 steps" in text
    assert "returned by step 9  main.py:7 in price_of" in text
