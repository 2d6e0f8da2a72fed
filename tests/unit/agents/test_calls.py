"""Calls of tools, as clients make them: what does not fit is an answer, not an exception."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from relive_agents.actions import Actions
from relive_agents.commands import Commands, Ran
from relive_agents.definitions import TOOLS, Tool
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


ENUMS = [(tool, key) for tool in TOOLS for key, schema in tool.properties.items() if "enum" in schema]


@pytest.mark.parametrize(("tool", "key"), ENUMS, ids=lambda one: getattr(one, "name", one))
@pytest.mark.parametrize("value", ["bogus", "", "Process", 3])
async def test_what_is_one_of_some_words_is_no_other(desk: Desk, tool: Tool, key: str, value: object) -> None:
    given = {needed: ["p x"] if needed == "commands" else "a" for needed in tool.required}
    answer = await desk.call(tool.name, {**given, key: value})
    assert (answer.failed, f"{key} is none of these: {value}" in answer.head) == (True, True)
    assert all(word in answer.next for word in tool.properties[key]["enum"])


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


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("why", {}),
        ("inspect", {"session": "travel", "commands": ["rs"]}),
        ("replay", {}),
        ("replay", {"edits": [{"file": "new.py", "old": "", "new": "1"}]}),
        ("to_test", {"path": "tests/"}),
    ],
)
async def test_code_that_is_not_there_is_said_before_anything_runs(
    tool: str, given: dict[str, Any], tmp_path: Path
) -> None:
    asked = Asked()
    actions = Actions(cast(Commands, asked), Workspace(tmp_path), lambda ident: ident)
    answer = await Desk(cast(Reader, None), actions).call(tool, {"id": "a", "code": "nope", **given})
    assert (answer.failed, asked.words) == (True, ())
    assert "there is no nope" in answer.head
    assert "path below the folder" in answer.next


class Says:
    """In the place of the command line: what it says."""

    def __init__(self, *ran: Any) -> None:
        self._ran = Ran(*ran)

    async def run(self, *_words: str) -> Ran:
        return self._ran


async def inspected(session: str, commands: list[str], *ran: Any) -> Answer:
    actions = Actions(cast(Commands, Says(*ran)), Workspace(None), lambda ident: ident)
    return await actions.inspect("a", commands, session)


async def test_a_session_that_ended_says_so_with_what_did_not_run() -> None:
    # Given commands of which one ends the process, or the session
    left = "the session was over before these commands, which did not run: p 5\n"
    gone = f"the session has ended: the process has ended with status 3\n{left}"
    for session in ("travel", "process"):
        for out in ("4\n", ""):
            ended = await inspected(session, ["p 4", "p 5"], 1, out, gone)
            # I expect both to be said, whether or not something was printed before
            assert (ended.failed, "was over before" in ended.head) == (True, True)
            assert "with status 3" in ended.data
            assert "did not run: p 5" in ended.data
    quit_by_hand = await inspected("process", ["p 4", "q", "p 5"], 0, "4\n", left)
    assert (quit_by_hand.failed, "did not run: p 5" in quit_by_hand.data) == (False, True)


@pytest.mark.parametrize("session", ["travel", "process"])
async def test_interact_says_what_it_took(session: str) -> None:
    taken = await inspected(session, ["interact", "p 5"], 1, "*interactive*\n", "")
    assert "took the commands after it" in taken.head
    last = await inspected(session, ["p interact", "interact"], 1, "*interactive*\n", "")
    assert last.head == ""
    scene = await inspected("scene", ["interact", "p 5"], 0, "*** interact needs the live process\n5\n", "")
    assert scene.head == ""
