"""The tools that run code of the user's, by commands of Relive: they may do what these may, no more."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
from relive_base.errors import UsageError
from relive_base.scratch import scratch_folder
from relive_base.terminal import one_line

from relive_agents.commands import Commands, Ran
from relive_agents.diffs import Edit, edits_of
from relive_agents.texts import Answer
from relive_agents.verdicts import next_of, text_of, verdict, why_call
from relive_agents.workspace import Workspace

__all__ = ["Actions"]

_CANNOT: Final = 4
"""The exit status of a replay that cannot be."""
_COMMANDS: Final = 20
_CHARS: Final = 2_000
_ANSWERS: Final = 50
_TIMES: Final = 20
_NAMED: Final = 10
_FROM_REPLAY: Final = ("✖", "✔")
_ENDED: Final = "the session has ended: "
_NOT_RUN: Final = "the session was over before these commands"
_OVER: Final = "the session was over before its commands were"
_INTERACT: Final = re.compile(r"(?:^|;;)\s*interact\s*(?:$|;;)")
_TAKEN: Final = "interact took the commands after it as lines of Python: !STATEMENT runs one in the debugger"


class Actions:
    """`ident`: the whole id of the failure that is meant; may raise ReliveError. `code_of`: what is to be
    given as code for that one, "" if this home has it. Both block."""

    def __init__(
        self,
        commands: Commands,
        workspace: Workspace,
        ident: Callable[[str], str],
        code_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._commands = commands
        self._workspace = workspace
        self._ident = ident
        self._code_of = code_of

    def close(self) -> None:
        """End what runs."""
        self._commands.close()

    async def inspect(self, ident: str, commands: Sequence[str], session: str = "", code: str = "") -> Answer:
        """Debugger commands. Without a session that of the process, else of the scene. `code`: what a session
        that goes back runs instead of the version that failed."""
        if len(commands) > _COMMANDS or any(map(_is_no_line, commands)):
            raise UsageError(
                f"at most {_COMMANDS} commands of one line and {_CHARS:,} characters",
                hint="ask in several calls",
            )
        whole = await self._whole(ident)
        options = [f"--command={line}" for line in commands]
        taken = _taken_by_interact(commands)
        if session == "travel":
            following = f"origin NAME or {why_call(whole, code)} goes to where a value arose"
            return await self._travel(whole, options, code, following, taken)
        if code:
            raise UsageError("code is for the session travel", hint='session="travel"')
        ran = await self._commands.run("debug", whole, *(["--scene"] if session == "scene" else []), *options)
        elsewhere = "opening its scene instead" in ran.err
        if session == "process" and elsewhere:
            return Answer("no session", ran.err, 'session="scene" or "travel"', failed=True)
        head = "read-only, in the scene: its process is gone or in use" if elsewhere else taken
        why = why_call(whole, await self._lacking(whole))
        following = f'{why}, or fix it and replay(id="{whole}", code=".")'
        return _told(ran, ran.out, following, "" if session == "scene" else head)

    async def why(self, ident: str, code: str = "") -> Answer:
        """Where the bad value arose. `code`: run this instead of the version that failed."""
        whole = await self._whole(ident)
        more = f', code="{code}"' if code else ""
        following = (
            f'inspect(id="{whole}", session="travel", commands=["goto STEP", "p NAME"]{more}), or fix it'
        )
        return await self._travel(whole, ["--command=why"], code, following)

    async def _travel(
        self, whole: str, options: Sequence[str], code: str, following: str, head: str = ""
    ) -> Answer:
        given = ["--code", str(self._workspace.code(code))] if code else []
        ran = await self._commands.run("replay", whole, "--travel", *options, *given)
        if ran.status == 0:
            more = f', code="{code}"' if code else ""
            following = f'replay(id="{whole}"{more}) gives the verdict'
            return Answer("it passed: there is no failure to go back from", ran.out, following)
        if ran.status not in (None, 1):
            following = self._after_refusal(ran, whole, code)
        return _told(ran, _without_outcome(ran.out), following, head)

    def _after_refusal(self, ran: Ran, whole: str, code: str) -> str:
        """What helps if a failure could not be run again."""
        if ran.status != _CANNOT or code:
            return f'scene(id="{whole}") shows what is recorded'
        if not self._workspace.served:
            return "have relive mcp started with --code FOLDER, if what failed lies there"
        return 'the same with code=".", if what failed lies there'

    async def _lacking(self, whole: str) -> str:
        return await anyio.to_thread.run_sync(self._code_of, whole)

    async def heap(self, ident: str) -> Answer:
        """What filled the memory, and who holds it."""
        whole = await self._whole(ident)
        ran = await self._commands.run("heap", whole)
        return _told(ran, ran.out, f'fix who holds it, then replay(id="{whole}", code=".")')

    async def replay(
        self,
        ident: str,
        code: str = "",
        patch: str = "",
        edits: Sequence[Edit] = (),
        answers: Mapping[str, Any] | None = None,
        times: int = 1,
    ) -> Answer:
        """The verdict on the caller's code, or on that which failed."""
        if len(answers or {}) > _ANSWERS:
            raise UsageError(f"{len(answers or {})} answers are over the limit of {_ANSWERS}")
        if not 1 <= times <= _TIMES:
            raise UsageError(f"times is from 1 to {_TIMES}")
        whole = await self._whole(ident)
        edits = [*(edits_of(patch) if patch else ()), *edits]
        own = bool(code or edits)
        left: list[str] = []
        copy = self._workspace.patched(code, edits, left) if edits else nullcontext(None)
        with scratch_folder("answers") as given:
            options = ["--times", str(times), *_written(given, answers or {})]
            entered = await anyio.to_thread.run_sync(copy.__enter__)
            try:
                folder = entered if entered is not None else self._workspace.code(code) if own else None
                outcome, ran = await self._outcome(whole, options, folder)
                recorded = None
                if own and outcome is not None and outcome["outcome"] == "passed":
                    recorded, _ = await self._outcome(whole, ["--times", "1"], None)
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(copy.__exit__, None, None, None)
        if outcome is None:
            return _told(ran, "", self._after_refusal(ran, whole, "." if own else ""))
        said = verdict(outcome, recorded, own=own)
        text = "\n".join([text_of(outcome), *_left_out(left)])
        lacking = await self._lacking(whole)
        return Answer(f"verdict: {said}", text, next_of(outcome, said, whole, lacking and (code or lacking)))

    async def _outcome(
        self, ident: str, options: Sequence[str], code: Path | None
    ) -> tuple[dict[str, Any] | None, Ran]:
        given = ["--code", str(code)] if code is not None else []
        ran = await self._commands.run("replay", ident, "--json", *options, *given)
        try:
            found = json.loads(ran.out) if ran.status in (0, 1) else None
        except ValueError:
            found = None
        return (found if isinstance(found, dict) else None), ran

    async def to_test(self, ident: str, path: str = "tests/", code: str = ".") -> Answer:
        """A pytest file, which is run once."""
        target, folder = self._workspace.inside(path), self._workspace.code(code)
        whole = await self._whole(ident)
        wanted = f"{target}/" if path.endswith("/") or target.is_dir() else str(target)
        ran = await self._commands.run("scene", whole, "--to-test", wanted, "--code", str(folder))
        return _told(ran, ran.out, "run the test with pytest; it has to pass once the code is fixed")

    async def _whole(self, ident: str) -> str:
        return await anyio.to_thread.run_sync(self._ident, ident)


def _told(ran: Ran, data: str, following: str, head: str = "") -> Answer:
    """What a command has said; its error if it has failed of itself."""
    if ran.why:
        return Answer(f"ended: {ran.why}", data or ran.err, following, failed=True)
    ended = [line for line in ran.err.splitlines() if line.startswith((_ENDED, _NOT_RUN))]
    if ran.status in (0, 1) and (data.strip() or ended):
        if ended:
            head = f"{_OVER}; {head}" if head else _OVER
        by_itself = any(line.startswith(_ENDED) for line in ended)
        return Answer(head, "\n".join([data.rstrip("\n"), *ended]), following, failed=by_itself)
    return Answer(f"it cannot be done (status {ran.status})", ran.err or ran.out, following, failed=True)


def _taken_by_interact(commands: Sequence[str]) -> str:
    return _TAKEN if any(map(_INTERACT.search, commands[:-1])) else ""


def _without_outcome(text: str) -> str:
    """Of a travel session: what the replay says of itself at its end is known by then."""
    lines = text.splitlines()
    end = next((at for at in range(len(lines) - 1, -1, -1) if lines[at].startswith(_FROM_REPLAY)), len(lines))
    return "\n".join(lines[:end])


def _is_no_line(text: str) -> bool:
    return len(text) > _CHARS or "\n" in text or "\0" in text


def _written(folder: Path, answers: Mapping[str, Any]) -> Iterator[str]:
    """Options with the answers, which are files: an argument has 128 KiB at most."""
    for number, (name, value) in enumerate(answers.items()):
        file = folder / f"{number}.json"
        file.write_text(json.dumps(value), encoding="ascii")
        yield f"--answer={_name(name)}=@{file}"


def _left_out(paths: Sequence[str]) -> list[str]:
    if not paths:
        return []
    more = f", and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return [f"not in the patched copy: {', '.join(one_line(path, 100) for path in paths[:_NAMED])}{more}"]


def _name(name: str) -> str:
    if not name.strip() or "=@" in name or "\0" in name or len(name) > _CHARS:  # no other file is read
        raise UsageError(f"{one_line(name, 60)!r} is no call", hint="the function's name, or the URL")
    return name
