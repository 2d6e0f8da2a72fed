"""One client's session: its requests, answered one after the other."""

from __future__ import annotations

import hmac
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from relive_base.errors import ReliveError
from relive_base.terminal import one_line
from relive_base.wire.inspection import STOPPED, Problem, Select, StackList, Stacks

from relive.dap.channel import Channel
from relive.dap.looking import Looking
from relive.dap.moving import BACK, MOVES, Breakpoints, stopped
from relive.dap.requests import Bad, Given
from relive.dap.targets.base import Over, Target, Told

__all__ = ["CAPABILITIES", "Opener", "Session"]

CAPABILITIES: Final = {
    "supportsConfigurationDoneRequest": True,
    "supportsEvaluateForHovers": True,
    "supportsExceptionInfoRequest": True,
    "supportsDelayedStackTraceLoading": True,
    "supportsCompletionsRequest": True,
    "completionTriggerCharacters": ["."],
    "supportsClipboardContext": True,
    "supportsCancelRequest": True,
    "supportsTerminateRequest": True,
    "supportsStepBack": True,
    "supportsRestartRequest": True,
    "exceptionBreakpointFilters": [],
}
TRAVEL_WORDS: Final = frozenset((
    "why", "values", "trail", "strip", "origin", "goto", "start", "end", "rs", "rn", "rr", "rc",
))  # fmt: skip
_OWN: Final = TRAVEL_WORDS | {"step", "next", "return", "continue"}
WORDS: Final = frozenset((
    "p", "pp", "whatis", "source", "ll", "longlist", "w", "where", "bt", "exceptions", "help", "h", "event",
    "logs", "parts",
))  # fmt: skip
"""Of the debugger's own commands, those that can be typed where expressions are."""
_OUTPUT_CHARS: Final = 262_144
_WRONG_TOKENS: Final = 3


class Opener(Protocol):
    """Opens what a client asks for. Raises ReliveError."""

    def __call__(self, given: Given, *, again: bool, say: Callable[[str], None]) -> Target:
        """`again`: to be run again (launch); else as it was left (attach)."""
        ...


class Session:
    """`token`: what the client has to name; "": nothing, who owns the home has started it. `root`: where the
    reader works, if the client does not say. `trusted` is called when the client may ask for
    everything."""

    def __init__(
        self,
        channel: Channel,
        opener: Opener,
        *,
        token: str = "",
        root: Path | None = None,
        trusted: Callable[[], None] = lambda: None,
    ) -> None:
        self._channel = channel
        self._opener = opener
        self._token = token
        self._root = root
        self._trusted = trusted
        self._wrong = 0
        self._initialized = Given({})
        self._target: Target | None = None
        self._looking: Looking | None = None
        self._breakpoints: Breakpoints | None = None
        self._frame = 0  # that was looked at last
        self._cancelled: set[int] = set()
        self._over = False
        self._told = False  # of what was not expected
        self._leaving = threading.Lock()

    def urgent(self, request: dict[str, Any] | None) -> None:
        """By the reading thread, for what cannot wait for its turn."""
        with self._leaving:
            self._urgent(request, self._target)

    def _urgent(self, request: dict[str, Any] | None, target: Target | None) -> None:
        command = request.get("command") if request is not None else "disconnect"
        if command in ("disconnect", "terminate") and target is not None:
            target.interrupt(leave=True)
        elif command == "pause" and target is not None:
            target.interrupt()
        elif command == "cancel" and request is not None:
            arguments = request.get("arguments")
            number = arguments.get("requestId") if isinstance(arguments, dict) else None
            if isinstance(number, int) and len(self._cancelled) < _MOST_CANCELLED:
                self._cancelled.add(number)
            if target is not None:
                target.interrupt()

    def run(self) -> None:
        """Until the client has had enough, or nothing is left to look at."""
        try:
            while (request := self._channel.next()) is not None:
                if not self._serve(request):
                    return
        finally:
            with self._leaving:  # the reading thread interrupts no target that is closed
                target, self._target = self._target, None
            if target is not None:
                target.close()

    def _serve(self, request: dict[str, Any]) -> bool:
        command, number = request.get("command"), request.get("seq")
        if isinstance(number, int) and number in self._cancelled:
            self._cancelled.discard(number)
            self._answer(request, None, "cancelled")
            return True
        try:
            answer = _REQUESTS.get(command if isinstance(command, str) else "")
            if answer is None:
                raise Bad(f"{str(command)[:40]!r} is not known here")
            if self._target is None and command not in _BEFORE:
                raise Bad("nothing is looked at yet: launch or attach comes first")
            body = answer(self, Given(request), str(command))
        except Bad as error:
            self._answer(request, None, str(error))
        except ReliveError as error:
            self._answer(request, None, str(error))
            if command in ("launch", "attach") and self._target is None:
                self._channel.event("terminated")
        except Over as over:
            self._answer(request, None, str(over) or "the session has ended")
            self._end(str(over))
            return True  # the client says good-bye
        except Exception as error:  # nothing that a client sends ends the server
            self._answer(request, None, self._unexpected(error))
        else:
            self._answer(request, body)
            return self._after(str(command))
        return self._wrong < _WRONG_TOKENS

    def _answer(self, request: dict[str, Any], body: dict[str, Any] | None, problem: str = "") -> None:
        message: dict[str, Any] = {
            "type": "response",
            "request_seq": request.get("seq", 0),
            "success": not problem,
            "command": request.get("command", ""),
        }
        if problem:
            message["message"] = problem if len(problem) < 200 else problem[:199] + "…"
            message["body"] = {"error": {"id": 1, "format": "{text}", "variables": {"text": problem}}}
        elif body is not None:
            message["body"] = body
        self._channel.send(message)

    def _after(self, command: str) -> bool:
        if command in ("launch", "attach"):
            self._channel.event("initialized")
        if command == "disconnect":
            return False
        try:
            if command == "configurationDone":
                self._tell_stop("", Told("", self._moment()))
            elif command == "terminate":
                self._end("")
            elif command in MOVES:
                word = MOVES[command]
                self._tell_stop(word, self._the_target.command(word))
        except (Over, Bad) as why:
            self._end(str(why))
        except Exception as error:
            self._end(self._unexpected(error))
        return True

    def _unexpected(self, error: Exception) -> str:
        """A fault of ours. It is told on standard error, of each client once."""
        said = f"this cannot be answered: {type(error).__name__}: {error}"
        if not self._told:
            self._told = True
            sys.stderr.write(f"error: {one_line(said, 500)}\n")
        return said

    def _end(self, why: str) -> None:
        if self._over:
            return
        self._over = True
        if why:
            self._say(f"the session has ended: {why}\n", "important")
        self._channel.event("terminated")
        self._channel.event("exited", exitCode=0)

    @property
    def _the_target(self) -> Target:
        if self._target is None:
            raise Bad("nothing is looked at yet")
        return self._target

    @property
    def _look(self) -> Looking:
        if self._looking is None:
            raise Bad("nothing is looked at yet")
        return self._looking

    def _say(self, text: str, category: str = "console") -> None:
        if text:
            cut = text if len(text) <= _OUTPUT_CHARS else text[:_OUTPUT_CHARS] + "\n… the rest is left out\n"
            self._channel.event("output", category=category, output=cut)

    def _moment(self) -> str:
        return self._look.asked(Stacks(), StackList).moment

    def _tell_stop(self, word: str, told: Told) -> None:
        self._frame = 0
        found = self._look.asked(Stacks(), StackList)
        if told.text.lstrip().startswith("***") or word == "":
            self._say(told.text)
        raised = found.names[found.shown : found.shown + 1] != [STOPPED]
        body = stopped(word, told.moment, raised)
        self._channel.event("stopped", threadId=found.shown + 1, allThreadsStopped=True, **body)

    # ------------------------------------------------------------ requests

    def _initialize(self, given: Given, _command: str) -> dict[str, Any]:
        self._initialized = given
        return dict(CAPABILITIES)

    def _start(self, given: Given, command: str) -> dict[str, Any]:
        if self._token:
            self._wrong += 1  # until it is seen to be right
            if not hmac.compare_digest(given.text("token").encode(), self._token.encode()):
                raise Bad("the token is not the one of this home: give what run/token of it holds as `token`")
            self._wrong = 0
        self._trusted()
        if self._target is not None:
            raise Bad("this session looks at something already")
        root = given.text("localRoot")
        target = self._opener(given, again=command == "launch", say=lambda text: self._say(text + "\n"))
        self._target = target
        where = Path(root) if root else self._root
        self._looking = Looking(
            target.ask,
            where,
            first_line=self._first("linesStartAt1"),
            first_column=self._first("columnsStartAt1"),
        )
        self._breakpoints = Breakpoints(target, self._looking.sources)
        self._say(f"{target.title}\n")
        steps = target.reverses
        self._channel.event(
            "capabilities", capabilities={"supportsStepBack": steps, "supportsRestartRequest": steps}
        )
        return {}

    def _first(self, name: str) -> int:
        return int(self._initialized.flag(name, default=True))

    def _nothing(self, _given: Given, _command: str) -> dict[str, Any]:
        return {}

    def _set_breakpoints(self, given: Given, _command: str) -> dict[str, Any]:
        assert self._breakpoints is not None
        return self._breakpoints.set(given, self._first("linesStartAt1"))

    def _scopes(self, given: Given, _command: str) -> dict[str, Any]:
        found = self._look.scopes(given)
        self._frame = given.number("frameId")
        return found

    def _move(self, _given: Given, command: str) -> dict[str, Any]:
        """The move itself comes after its response; see `_after`."""
        if not self._the_target.reverses:
            what = "back" if command in BACK else "on"
            raise Bad(
                f"this cannot go {what}: it is {self._the_target.title}; launch it to step through a replay"
            )
        return {"allThreadsContinued": True} if command == "continue" else {}

    def _pause(self, _given: Given, _command: str) -> dict[str, Any]:
        return {}  # `urgent` has done it

    def _evaluate(self, given: Given, _command: str) -> dict[str, Any]:
        text, context = given.text("expression").strip(), given.text("context")
        typed = context == "repl"
        frame = given.number("frameId", self._default_frame())
        found = self._look.evaluate(frame, text, whole=typed or context == "clipboard")
        if not isinstance(found, Problem):
            return found
        word = text.split(None, 1)[0] if text else ""
        if typed and found.kind in ("syntax", "name") and self._is_word(word):
            return self._typed(frame, text, word)
        if typed and found.kind == "syntax" and _is_statement(text):
            return self._typed(frame, f"!{text}", "")
        raise Bad(found.message)

    def _is_word(self, word: str) -> bool:
        return word in WORDS or (self._the_target.reverses and word in TRAVEL_WORDS)

    def _default_frame(self) -> int:
        if not self._frame:
            stack = self._look.asked(Stacks(), StackList).shown
            found = self._look.stack(Given({"arguments": {"threadId": stack + 1}}))["stackFrames"]
            own = [frame for frame in found if frame["presentationHint"] == "normal"]
            self._frame = (own or found or [{"id": 0}])[0]["id"]
        return self._frame

    def _typed(self, frame: int, line: str, word: str) -> dict[str, Any]:
        """A command of the debugger's own; some lead to another step."""
        target = self._the_target
        target.ask(Select(frame))
        before = self._moment()
        told = target.command(line)
        if told.moment != before:
            self._tell_stop(word, told)
        return {"result": told.text.rstrip("\n")[:_OUTPUT_CHARS], "variablesReference": 0}

    def _command(self, given: Given, _command: str) -> dict[str, Any]:
        """Not of the protocol: a word of a run that can be gone back in. No expression is mistaken for it."""
        line = given.text("line").strip()
        target = self._the_target
        if not target.reverses or line.split(" ", 1)[0] not in _OWN:
            raise Bad("no command of a run that can be gone back in")
        frame = given.number("frameId", 0)
        if frame:
            target.ask(Select(frame))
        told = target.command(line)
        self._frame = 0
        return {"text": told.text[:_OUTPUT_CHARS], "moment": told.moment.strip("()")}

    def _completions(self, given: Given, _command: str) -> dict[str, Any]:
        text = given.text("text")
        column = given.number("column", 1) - self._first("columnsStartAt1")
        self._the_target.ask(Select(given.number("frameId", self._default_frame())))
        start, items = self._the_target.complete(text[: max(column, 0)])
        length = max(column - start, 0)
        return {"targets": [{"label": item, "start": start, "length": length} for item in items]}


_MOST_CANCELLED: Final = 256
_BEFORE: Final = frozenset(("initialize", "launch", "attach", "disconnect", "terminate", "cancel"))
_Request = Callable[[Session, Given, str], dict[str, Any]]
_REQUESTS: Final[dict[str, _Request]] = {
    "initialize": Session._initialize,
    "launch": Session._start,
    "attach": Session._start,
    "configurationDone": Session._nothing,
    "setBreakpoints": Session._set_breakpoints,
    "setExceptionBreakpoints": lambda _session, _given, _command: {"breakpoints": []},
    "threads": lambda session, given, _command: session._look.threads(given),
    "stackTrace": lambda session, given, _command: session._look.stack(given),
    "scopes": Session._scopes,
    "variables": lambda session, given, _command: session._look.variables(given),
    "evaluate": Session._evaluate,
    "completions": Session._completions,
    "reliveCommand": Session._command,
    "source": lambda session, given, _command: session._look.source(given),
    "exceptionInfo": lambda session, given, _command: session._look.exception(given),
    **dict.fromkeys(MOVES, Session._move),
    "pause": Session._pause,
    "cancel": Session._nothing,
    "terminate": Session._nothing,
    "disconnect": Session._nothing,
}


def _is_statement(text: str) -> bool:
    try:
        compile(text + "\n", "<typed>", "single")
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True
