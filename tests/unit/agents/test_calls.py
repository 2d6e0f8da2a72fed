"""Calls of tools, as clients make them: what does not fit is an answer, not an exception."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from relive_agents.actions import Actions
from relive_agents.commands import Commands, Ran
from relive_agents.diffs import Edit
from relive_agents.reader import Reader, since_ns
from relive_agents.server import Desk
from relive_agents.texts import Answer
from relive_agents.workspace import Workspace
from relive_base.errors import UsageError


class Noted:
    """A reader and actions that note how they are called."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def scene(self, *given: Any, **named: Any) -> Answer:
        self.calls.append((given, named))
        return Answer("scene")

    async def replay(self, *given: Any, **named: Any) -> Answer:
        self.calls.append((given, named))
        return Answer("replay")

    async def heap(self, *given: Any, **named: Any) -> Answer:
        self.calls.append(("heap", *given))
        return Answer("heap")

    failures = hot = why_slow = sql = scene


@pytest.fixture
def noted() -> Noted:
    return Noted()


@pytest.fixture
def desk(noted: Noted) -> Desk:
    return Desk(cast(Reader, noted), cast(Actions, noted))


async def test_arguments_come_as_they_are_meant(desk: Desk, noted: Noted) -> None:
    await desk.call("scene", {"id": "last", "full": True, "offset": None})
    await desk.call("replay", {"id": "a", "edits": [{"file": "f", "old": "o", "new": "n"}], "times": 2})

    assert noted.calls[0] == (("last",), {"full": True})
    await desk.call("scene", {"id": "last", "heap": True})
    assert noted.calls[2] == ("heap", "last")
    assert noted.calls[1] == (("a",), {"edits": [Edit("f", "o", "n")], "times": 2})


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("nosuch", {}, "there is no tool nosuch"),
        ("scene", {}, "it needs id"),
        ("scene", {"id": "a", "x": 1}, "no argument x"),
        ("scene", {"id": 4}, "Expected `str`"),
        ("scene", {"id": "a", "offset": "7"}, "Expected `int`"),
        ("sql", {"query": "x" * 20_001}, "over the limit"),
        ("replay", {"id": "a", "edits": [{"file": "f"}]}, "required field"),
        ("inspect", {"id": "a", "commands": "p x"}, "Expected `array`"),
        ("scene", {"id": "\ud800"}, "half of a character"),
        ("replay", {"id": "a", "edits": [{"file": "f", "old": "", "new": "\udfff"}]}, "half of a character"),
    ],
)
async def test_what_does_not_fit_is_said(desk: Desk, name: str, arguments: dict[str, Any], said: str) -> None:
    answer = await desk.call(name, arguments)
    assert answer.failed
    assert said in answer.head


def test_times() -> None:
    assert since_ns("2h", 10**18) == 10**18 - 7_200 * 10**9
    assert since_ns("99999d", 10**18) == 0
    with pytest.raises(UsageError):
        since_ns("yesterday", 0)


async def test_large_answers_come_as_files_and_odd_ones_are_refused(tmp_path: Path) -> None:
    # Given a command that tells what it is called with, and what is in its files
    program = (
        "import json, sys\n"
        "files = [one.split('=@')[1] for one in sys.argv if '=@' in one]\n"
        "sizes = [len(json.load(open(file))) for file in files]\n"
        "sys.exit(f'{sizes} {files}')\n"
    )
    commands = Commands([sys.executable, "-c", program], os.environ)
    desk = Desk(cast(Reader, None), Actions(commands, Workspace(tmp_path), lambda ident: ident))
    # When an answer is larger than an argument may be, Then it comes, and its file is gone afterwards
    answer = await desk.call("replay", {"id": "a", "answers": {"orders": "x" * 300_000}})
    assert "[300000]" in answer.data
    assert not os.path.exists(answer.data.partition("['")[2].partition("']")[0])  # noqa: ASYNC240
    # And what no process takes is an answer in words
    for name, given, said in (
        ("inspect", {"commands": ["p \0"]}, "commands of one line"),
        ("replay", {"answers": {"a\0": 1}}, "is no call"),
        ("to_test", {"path": "tests/\0"}, "is no path"),
        ("why", {"id": "a\0"}, "null byte"),
    ):
        refused = await desk.call(name, {"id": "a", **given})
        assert refused.failed
        assert said in refused.head


class Asked:
    """In the place of the command line: what it was asked."""

    def __init__(self) -> None:
        self.words: tuple[str, ...] = ()

    async def run(self, *words: str) -> Ran:
        self.words = words
        return Ran(0, "step 1", "") if "--code" in words else Ran(4, "", "this home has no code of it")


@pytest.mark.parametrize(
    ("tool", "given", "command"),
    [("why", {}, "why"), ("inspect", {"session": "travel", "commands": ["rs"]}, "rs")],
)
async def test_what_goes_back_can_run_the_working_copy(
    tool: str, given: dict[str, Any], command: str, tmp_path: Path
) -> None:
    # Given a failure of which this home has no code
    asked = Asked()
    actions = Actions(cast(Commands, asked), Workspace(tmp_path), lambda ident: ident)
    desk = Desk(cast(Reader, None), actions)

    # When it is asked for without a path, and with one below the served folder
    refused = await desk.call(tool, {"id": "a", **given})
    answer = await desk.call(tool, {"id": "a", "code": ".", **given})

    # I expect to be told of the path, and the replay to run what is there
    assert refused.failed
    assert 'code="."' in refused.next
    assert "step 1" in answer.data
    assert asked.words == ("replay", "a", "--travel", f"--command={command}", "--code", str(tmp_path))
