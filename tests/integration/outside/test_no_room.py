"""Code that has no stack or no memory left fails as it does without the recorder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from recorded_hosts import run, scenes_in

LEAF = """
import relive, sys, traceback
@relive.record
def leaf(n):
    return n
def deep(n):
    leaf(n); return deep(n + 1)
for limit in range(600, 640):  # the stack ends in another call each time
    sys.setrecursionlimit(limit)
    try:
        deep(0)
    except RecursionError as error:
        files = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
        print(files == {__file__}, error.__context__)
print(leaf(1))
"""
RECURSIVE = """
import relive, sys, traceback
@relive.record
def count(n):
    return count(n + 1)
for _ in range(2):
    try:
        count(0)
    except RecursionError as error:
        names = {frame.name for frame in traceback.extract_tb(error.__traceback__)}
        print(sorted(names), error.__context__, error)
@relive.record
def other(n):
    raise KeyError(n)
try:
    other(7)
except KeyError as error:
    print(repr(error))
"""
AWAITED = """
import asyncio, relive, traceback
@relive.record
async def count(n):
    return await count(n + 1)
try:
    asyncio.run(count(0))
except RecursionError as error:
    names = {frame.name for frame in traceback.extract_tb(error.__traceback__)}
    print(sorted(names), error.__context__, error)
"""

WATCHED = """
import logging, os, relive, sys, time, traceback
logging.getLogger("shop").addHandler(logging.NullHandler())
calls = (
    lambda: os.environ.get("A"), lambda: os.urandom(1), lambda: time.time(),
    lambda: logging.getLogger("shop").warning("x"),
)
@relive.record
def top(call):
    def deep(n):
        call(); return deep(n + 1)
    deep(0)
for number, call in enumerate(calls):
    for limit in range(300, 320):
        sys.setrecursionlimit(limit)
        try:
            top(call)
        except RecursionError as error:
            files = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
            print(number, [file for file in files if "relive_" in file], error.__context__)
"""


def plain_and_recorded(folder: Path, text: str, **more: str) -> tuple[str, str]:
    """What a script says without and with the recorder, on both streams."""
    (folder / "job.py").write_text(text)
    said = []
    for state in ("off", "on"):
        ran = run(folder, sys.executable, "job.py", RELIVE_RECORD=state, **more)
        assert ran.returncode == 0, ran.stderr
        said.append(ran.stdout + ran.stderr)
    return said[0], said[1]


def test_a_function_that_is_called_at_the_end_of_the_stack(tmp_path: Path) -> None:
    plain, recorded = plain_and_recorded(tmp_path, LEAF)
    # I expect the same: it is the code's own error, and has the code's own frames
    assert recorded == plain
    assert not (tmp_path / "scenes").exists()  # it was caught where nothing is recorded


@pytest.mark.parametrize("limit", [700, 1_000, 5_000])
def test_a_recursion_that_never_ends_has_one_scene_and_its_own_traceback(tmp_path: Path, limit: int) -> None:
    plain, recorded = plain_and_recorded(
        tmp_path, f"import sys\nsys.setrecursionlimit({limit})\n" + RECURSIVE
    )
    assert recorded == plain
    scenes = [scene.manifest["error"] for scene in scenes_in(tmp_path, 3)]
    assert [(error["type"], error["kind"]) for error in scenes] == [
        ("RecursionError", "recursion"), ("RecursionError", "recursion"), ("KeyError", "exception"),
    ]  # fmt: skip
    recursion, *_, other = scenes_in(tmp_path, 3)
    assert {frame.function for frame in recursion.exceptions[0].frames} >= {"count"}
    assert json.loads(other.event)["args"] == [7]


def test_of_coroutines_too(tmp_path: Path) -> None:
    plain, recorded = plain_and_recorded(tmp_path, AWAITED)
    assert recorded == plain
    assert scenes_in(tmp_path, 1)[0].manifest["error"]["type"] == "RecursionError"


def test_what_is_recorded_at_the_end_of_the_stack_is_not_in_the_traceback(tmp_path: Path) -> None:
    # Given code that logs, and reads what is recorded, until the stack ends
    plain, recorded = plain_and_recorded(tmp_path, WATCHED, RELIVE_RECORD_PER_MINUTE="1")
    # I expect no frame of the recorder's in what a recorded function raises, and nothing that it caught
    assert recorded.replace("relive: 79 failures were over 1 scenes a minute\n", "") == plain
