"""When a run of the fixed code has left the failing line, and when it has not."""

from __future__ import annotations

import asyncio
import runpy
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from relive_capture.model import FrameView
from relive_capture.record.playback.passing import Passing
from relive_capture.recording_format import Watched
from relive_platform.replay.places import Standing, standing

FAILED = """
def handler(event):
    total = 0
    for item in event:
        total += price(item)
    return late(total)

def price(item):
    found = {"a": 1}
    return found[item]

def late(total):
    raise ValueError(total)
"""


@pytest.fixture(autouse=True)
def nobody_traces() -> Iterator[None]:
    before, threads = sys.gettrace(), threading.gettrace()
    yield
    sys.settrace(before)
    threading.settrace(threads)  # type: ignore[arg-type]


class Code:
    """A module of the application in a file, with what a replay knows of where it had failed."""

    def __init__(self, folder: Path, old: str, new: str = "") -> None:
        self._folder = folder
        self._old = dedent(old)
        self._new = dedent(new) or self._old

    def place(self, function: str, text: str) -> Standing:
        """Of the frame that stood at the line with `text`."""
        line = next(n for n, found in enumerate(self._old.splitlines(), 1) if text in found)
        found = standing(FrameView(file="app.py", line=line, function=function), self._old, self._new)
        assert found is not None
        return found

    def run(self, where: Standing, call: Callable[[dict[str, Any]], Any]) -> Watched:
        path = self._folder / "app.py"
        path.write_text(self._new)
        names = runpy.run_path(str(path))
        passing = Passing([where.place], lambda file: (file == str(path), "app.py"))
        passing.install()
        with suppress(Exception):
            call(names)
        sys.settrace(None)
        return passing.found[0]


def at(where: Standing, entry: int, hit: int = 1) -> Standing:
    where.place.entry, where.place.hit = entry, hit
    return where


def test_the_failure_itself_says_in_which_call_and_pass_it_was(tmp_path: Path) -> None:
    # Given a loop that fails in its third pass
    code = Code(tmp_path, FAILED)
    inner, outer = code.place("price", "found[item]"), code.place("handler", "price(item)")

    # I expect the third call of the function, and the third pass of the caller
    found = code.run(inner, lambda names: names["handler"](["a", "a", "x"]))
    assert (found.entries, found.raised_entry, found.raised_hit, found.left) == (3, 3, 1, True)
    found = code.run(outer, lambda names: names["handler"](["a", "a", "x"]))
    assert (found.entries, found.raised_entry, found.raised_hit) == (1, 1, 3)
    assert inner.place.once
    assert not outer.place.once


def test_an_earlier_pass_is_not_the_one_that_failed(tmp_path: Path) -> None:
    code = Code(tmp_path, FAILED)

    found = code.run(at(code.place("price", "found[item]"), 3), lambda names: names["handler"](["a", "x"]))

    assert not found.left


@pytest.mark.parametrize(
    "fixed",
    [
        "return found.get(item, 0)",
        "return found[item] if item in found else 0",
        "try:\n        return found[item]\n    except KeyError:\n        return 0",
        "if item not in found:\n        return 0\n    return found[item]",
        "# a line more\n    return (\n        found.get(item)\n        or 0\n    )",
    ],
)
def test_fixed_code_leaves_the_line(tmp_path: Path, fixed: str) -> None:
    code = Code(tmp_path, FAILED, FAILED.replace("return found[item]", fixed))
    where = at(code.place("price", "found[item]"), 3)

    assert code.run(where, lambda names: names["handler"](["a", "a", "x"])).left
    assert where.changed or "\n" in fixed


@pytest.mark.parametrize(
    "still",
    [
        'raise ValueError("none")',
        "try:\n        return found[item]\n    finally:\n        found.clear()\n        found.update()",
        "with open(__file__):\n        return found[item]",
    ],
)
def test_another_failure_in_its_place_does_not(tmp_path: Path, still: str) -> None:
    code = Code(tmp_path, FAILED, FAILED.replace("return found[item]", still))
    where = at(code.place("price", "found[item]"), 3)

    assert not code.run(where, lambda names: names["handler"](["a", "a", "x"])).left


@pytest.mark.parametrize("around", ["with open(__file__):", "try:"])
@pytest.mark.parametrize("fixed", ["event.get('x')", "event['x']"])
def test_what_cleans_up_after_the_line_is_no_way_past_it(tmp_path: Path, around: str, fixed: str) -> None:
    # Given a line with something around it that runs whatever comes of it
    after = "    finally:\n        print('it')\n" if around == "try:" else ""
    old = (
        f"def handler(event):\n    {around}\n        found = event['x']\n{after}    raise ValueError(found)\n"
    )
    code = Code(tmp_path, old, old.replace("event['x']", fixed))

    # I expect it to be left only if it does not fail
    found = code.run(code.place("handler", "event['x']"), lambda names: names["handler"]({}))
    assert found.left is (".get" in fixed)
    assert (found.raised_hit == 1) is ("[" in fixed)


def test_an_exception_that_is_swallowed_is_left(tmp_path: Path) -> None:
    old = "import contextlib\ndef handler(event):\n    event['x']\n    raise ValueError(event)\n"
    fixed = old.replace("    event['x']", "    with contextlib.suppress(KeyError):\n        event['x']")
    code = Code(tmp_path, old, fixed)

    assert code.run(code.place("handler", "event['x']"), lambda names: names["handler"]({})).left


def test_a_line_that_is_gone_is_left_by_what_comes_after_it(tmp_path: Path) -> None:
    # Given code that no longer has the failing line, and goes on to the next one
    old = "def handler(event):\n    check(event)\n    store(event)\n"
    code = Code(tmp_path, old, old.replace("    check(event)\n", ""))

    assert code.run(code.place("handler", "check"), lambda names: names["handler"](1)).left


def test_what_was_before_it_does_not_count(tmp_path: Path) -> None:
    old = "def handler(event):\n    first = event\n    return first['x']\n"
    code = Code(tmp_path, old, old.replace("first = event", "first = event.missing"))

    assert not code.run(code.place("handler", "first['x']"), lambda names: names["handler"]({})).left


def test_another_branch_does_not_count_before_its_end(tmp_path: Path) -> None:
    # Given code that no longer comes to the branch with the failing line
    old = """
        def handler(event):
            if event:
                return event["x"]
            else:
                event = list(event)
                event.remove(1)
            return event
    """
    new = old.replace("if event:", "if event is None:")
    code = Code(tmp_path, old, new)
    where = code.place("handler", 'event["x"]')

    # I expect the other branch to be no way past it, and what comes behind both to be one
    assert not code.run(where, lambda names: names["handler"]({"a": 1})).left
    assert code.run(where, lambda names: names["handler"]({1: 1})).left


def test_coroutines_that_wait_are_one_call(tmp_path: Path) -> None:
    old = """
        import asyncio
        async def handler(event):
            await asyncio.sleep(0)
            found = await ask(event)
            raise ValueError(found)
        async def ask(event):
            await asyncio.sleep(0)
            return event["x"]
    """
    code = Code(tmp_path, old, old.replace('event["x"]', 'event.get("x")'))
    where = code.place("ask", 'event["x"]')

    found = code.run(where, lambda names: asyncio.run(names["handler"]({})))

    assert (found.entries, found.left) == (1, True)


def test_a_failing_coroutine_is_not_left(tmp_path: Path) -> None:
    old = """
        import asyncio
        async def ask(event):
            await asyncio.sleep(0)
            return event["x"]
    """
    code = Code(tmp_path, old)

    found = code.run(code.place("ask", 'event["x"]'), lambda names: asyncio.run(names["ask"]({})))

    assert (found.raised_entry, found.raised_hit, found.left) == (1, 1, False)


def test_threads_that_are_started_later_are_watched(tmp_path: Path) -> None:
    code = Code(tmp_path, FAILED)

    def in_thread(names: dict[str, Any]) -> None:
        thread = threading.Thread(target=names["price"], args=("a",))
        thread.start()
        thread.join()

    assert code.run(code.place("price", "found[item]"), in_thread).left


def test_a_function_that_is_gone_has_no_place(tmp_path: Path) -> None:
    frame = FrameView(file="app.py", line=10, function="price")
    assert standing(frame, FAILED, FAILED.replace("def price", "def cost")) is None
    assert standing(frame, FAILED, "def price(:\n") is None


async def _soon(value: object) -> object:
    await asyncio.sleep(0)
    return value


WAITS = """
async def handler(event):
    first = await ask(event, 1)
    return first

async def ask(event, number):
    found = await event(number)
    return found
"""


@pytest.mark.parametrize(("fails", "left"), [(True, False), (False, True)])
def test_an_exception_that_comes_out_of_an_await_is_told_from_waiting(
    tmp_path: Path, fails: bool, left: bool
) -> None:
    # Given coroutines that wait for something at the failing line, beside others that only wait
    code = Code(tmp_path, WAITS)
    place = at(code.place("ask", "await event(number)"), 1)

    async def event(number: int) -> object:
        await _soon(number)
        if fails:
            raise ValueError(number)
        return number

    async def together(names: dict[str, Any]) -> None:
        await asyncio.gather(names["handler"](event), asyncio.sleep(0), return_exceptions=True)

    # When they run
    found = code.run(place, lambda names: asyncio.run(together(names)))

    # I expect the one that failed to have raised there, and the one that did not to have left
    assert found.left is left
    assert found.raised_entry == (1 if fails else 0)
