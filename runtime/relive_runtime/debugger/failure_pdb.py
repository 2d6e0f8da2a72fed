"""Python's own pdb, on frames that have ended, with streams of our own. Imported when somebody debugs."""

from __future__ import annotations

import pdb
import re
import sys
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType
from typing import Any, Final

from relive_base.code_lines import frame_line
from relive_base.errors import ReliveError
from relive_base.frame_locals import locals_of

from relive_runtime.debugger.chain import (
    exception_name,
)
from relive_runtime.debugger.completion import complete_line, frame_namespaces
from relive_runtime.debugger.inspecting import Held, Inspector, is_question, reply
from relive_runtime.debugger.interrupts import Interrupts
from relive_runtime.debugger.moment import PdbMoment
from relive_runtime.debugger.scopes import both_namespaces, has_scopes
from relive_runtime.debugger.streams import SessionStreams
from relive_runtime.debugger.views import View, views_of
from relive_runtime.worker.start.namesakes import originals

__all__ = ["FailurePdb"]

_PROMPT: Final = "(Pdb) "
_OURS: Final = ["relive_base.*", "relive_runtime.*", "threading", "contextlib"]
"""Modules that `debug` does not step into: printing to a session leads through them."""
_VARIABLES: Final = "__pdb_convenience_variables"
_DOLLAR: Final = re.compile(r"\$([a-zA-Z_][a-zA-Z0-9_]*)")
_LIST_BEFORE: Final = 5
_LIST_LINES: Final = 10
_ENDED: Final = (
    "the function does not go on, there is nothing left to step through; `debug f(x)` steps through a new"
    " call"
)


def _compiled(text: str, mode: str) -> CodeType | None:
    """`text` as code if it has scopes of its own; None if it has none or is wrong."""
    try:
        code: CodeType = compile(text.lstrip(), "<stdin>", mode)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return None
    return code if has_scopes(code) else None


class _Nested(pdb.Pdb):
    """What `debug` opens: it steps through a call. Ctrl-C ends the call, as it does everywhere in a session;
    pdb's own handler would stop in the middle of what writes to the session."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nosigint=True, readrc=False, skip=_OURS, **options)
        self.reset()

    @property
    def curframe_locals(self) -> Any:
        """Of the frame that is looked at."""
        return self._locals

    @curframe_locals.setter
    def curframe_locals(self, names: Any) -> None:
        self._locals = names if self.curframe is None else locals_of(self.curframe)

    # What imports while it runs; a function may have a linecache.py.

    def format_stack_entry(self, *arguments: Any, **options: Any) -> str:
        with originals():
            return super().format_stack_entry(*arguments, **options)

    def reset(self) -> None:
        with originals():
            super().reset()

    def set_break(self, *arguments: Any, **options: Any) -> str | None:
        with originals():
            return super().set_break(*arguments, **options)

    def precmd(self, line: str) -> str:
        with originals():  # `re` imports itself for what it puts in place, in Python 3.12
            return super().precmd(line)

    # What has scopes of its own finds the frame's locals, on every Python.

    def _getval(self, arg: str) -> Any:
        try:
            return self._evaluated(arg)
        except BaseException:
            self._error_exc()  # type: ignore[attr-defined]
            raise

    def _getval_except(self, arg: str, frame: FrameType | None = None) -> Any:
        code = _compiled(arg, "eval") if frame is None else None
        return super()._getval_except(arg, frame) if code is None else self._evaluated(arg)

    def _evaluated(self, text: str) -> Any:
        assert self.curframe is not None
        code = _compiled(text, "eval")
        if code is None:  # plain, or wrong: what Python says of it
            return eval(text, self.curframe.f_globals, self.curframe_locals)
        own: Any = self.curframe_locals
        with both_namespaces(self.curframe.f_globals, own) as merged:
            return eval(code, merged, own)

    def default(self, line: str) -> None:
        text = line[1:].strip() if line[:1] == "!" else line
        code = _compiled(text + "\n", "single")
        if code is None or self.curframe is None:
            super().default(line)
            return
        streams, hook = (sys.stdin, sys.stdout), sys.displayhook
        try:
            sys.stdin, sys.stdout, sys.displayhook = self.stdin, self.stdout, self.displayhook
            own: Any = self.curframe_locals
            with both_namespaces(self.curframe.f_globals, own) as merged:
                exec(code, merged, own)  # noqa: S102 - it is the user's own line
        except BaseException:
            self._error_exc()  # type: ignore[attr-defined]
        finally:
            (sys.stdin, sys.stdout), sys.displayhook = streams, hook

    def do_debug(self, arg: str) -> None:
        """debug code

        Step through the code, which is an expression or a statement, with a debugger of its own.
        """
        assert self.curframe is not None
        with originals():  # pdb imports readline
            nested = _Nested(stdin=self.stdin, stdout=self.stdout)
        nested.prompt = f"({self.prompt.strip()}) "
        self.message("ENTERING RECURSIVE DEBUGGER")
        tracing = sys.gettrace()
        sys.settrace(None)
        try:
            own: Any = self.curframe_locals
            with both_namespaces(self.curframe.f_globals, own) as merged:
                namespace = self.curframe.f_globals if _compiled(arg, "exec") is None else merged
                sys.call_tracing(nested.run, (arg, namespace, own))
        except Exception as error:
            self.error(exception_name(error))
        finally:
            sys.settrace(tracing)
        self.message("LEAVING RECURSIVE DEBUGGER")


class FailurePdb(_Nested):
    """A post-mortem on the frames of an exception, or of code that was stopped where it is (its innermost
    frame is given); begins at the innermost frame of the user's own code."""

    def __init__(
        self,
        failure: BaseException | FrameType,
        streams: SessionStreams,
        interrupts: Interrupts,
        own: Callable[[str], bool],
        shown: Callable[[str], str] = str,
    ) -> None:
        """`own`: whether a file is the user's; `shown`: how frames name it."""
        self._quiet = False
        self._views: list[View] = []  # pdb's own __init__ calls `forget`
        super().__init__(stdin=streams.input, stdout=streams.output)
        self.prompt = _PROMPT
        self._streams = streams
        self._interrupts = interrupts
        self._own = own
        self._views, self._shown = views_of(failure)
        self._inspector = Inspector(PdbMoment(self, shown), Held())

    def converse(self) -> None:
        """Talk until the user has had enough."""
        if not self._views:
            self.message("*** the failure has no frames of Python code")
            return
        self._look_at(self._shown)
        while True:
            try:
                self.cmdloop()
                return
            except KeyboardInterrupt:
                self.message("--KeyboardInterrupt--")

    @property
    def views(self) -> list[View]:
        """What there is to look at."""
        return self._views

    @property
    def shown(self) -> int:
        """Which of it is looked at."""
        return self._shown

    def is_own(self, file: str) -> bool:
        """Whether a file is the user's."""
        return self._own(file)

    def stand_at(self, number: int, index: int) -> None:
        """Look at a frame, without a word."""
        if number != self._shown:
            self._turn_to(number)
        if self.curindex != index:
            self._quiet = True
            try:
                self._select_frame(index)
            finally:
                self._quiet = False

    def value_of(self, text: str) -> Any:
        """Of an expression, in the frame that is looked at. Raises what its code does."""
        return self._evaluated(text)

    def _turn_to(self, number: int) -> None:
        self._shown = number
        self.setup(None, self._views[number].trace)
        self._name_exception()

    def _look_at(self, number: int) -> None:
        self._turn_to(number)
        below = len(self.stack) - 1 - self.curindex
        if below:
            self.message(f"({below} frame{'s' * (below > 1)} of libraries below this one: d)")
        self.print_stack_entry(self.stack[self.curindex])

    def _select_frame(self, number: int) -> None:
        super()._select_frame(number)
        self._name_exception()

    def print_stack_entry(self, *arguments: Any, **options: Any) -> None:
        if not self._quiet:
            super().print_stack_entry(*arguments, **options)

    def _name_exception(self) -> None:
        """What is looked at is `$_exception`, as in Python 3.13, and with its type `__exception__`, as when
        pdb stops at one."""
        error = self._views[self._shown].error
        if self.curframe is not None and error is not None:
            self.curframe.f_globals.setdefault(_VARIABLES, {})["_exception"] = error
            own: Any = self.curframe_locals
            own["__exception__"] = type(error), error

    def precmd(self, line: str) -> str:
        """`$name` is a convenience variable: pdb itself knows them since Python 3.12."""
        found = super().precmd(line)
        if sys.version_info >= (3, 12):
            return found
        # No template: `re` would be imported for it, and that may be a module of the function's own.
        return _DOLLAR.sub(lambda match: f'{_VARIABLES}["{match[1]}"]', found)

    def forget(self) -> None:
        """Leave nothing of the session in the function's own namespaces."""
        for view in self._views:
            for frame, _ in view.stack:
                frame.f_globals.pop(_VARIABLES, None)
        super().forget()

    def get_stack(self, f: FrameType | None, t: TracebackType | None) -> tuple[list[Any], int]:
        """The frames of the exception that is looked at, and the innermost one of the user's own."""
        stack = self._views[self._shown].stack
        own = [index for index, (frame, _) in enumerate(stack) if self._own(frame.f_code.co_filename)]
        return stack, own[-1] if own else len(stack) - 1

    def onecmd(self, line: str) -> bool:
        """One command. Whatever it raises ends the command, not the session."""
        try:
            with self._streams.installed(), self._interrupts.running():
                if is_question(line):
                    self.stdout.write(reply(line, self._inspector))
                    return False
                return bool(super().onecmd(line))
        except KeyboardInterrupt:
            self.message("--KeyboardInterrupt--")
        except ReliveError:
            raise
        except BaseException as error:  # a command runs whatever the user likes, `sys.exit` too
            self.message(f"*** {exception_name(error)}")
        return False

    def complete_line(self, line: str) -> tuple[int, list[str]]:
        """See completion.complete_line."""
        if self.curframe is None:
            return len(line), []
        commands = [name[3:] for name in self.get_names() if name.startswith("do_")]
        return complete_line(line, frame_namespaces(self.curframe), commands)

    # ------------------------------------------------------------ commands

    def do_EOF(self, arg: str) -> bool | None:
        """EOF

        The end of the input ends the session.
        """
        return self.do_quit(arg)

    def do_exceptions(self, arg: str) -> None:
        """exceptions [number]

        List the exceptions that led to the failure, or change to the frames of one of them.
        """
        if not arg:
            for number, view in enumerate(self._views):
                self.message(f"{'>' if number == self._shown else ' '} {number:>3} {view.name}")
            return
        if not arg.isascii() or not arg.isdigit() or int(arg) >= len(self._views):
            self.error(f"give a number from 0 to {len(self._views) - 1}")
            return
        self._look_at(int(arg))

    def do_list(self, arg: str) -> bool | None:
        """list [first[, last] | .]

        The lines around the one where the frame stands, or those that are named.
        """
        frame = self.curframe
        if frame is not None and not frame.f_lineno and (arg == "." or not (arg or self.lineno)):
            first = max(frame_line(frame) - _LIST_BEFORE, 1)
            arg = f"{first}, {first + _LIST_LINES}"
        return super().do_list(arg)

    do_l = do_list

    def do_step(self, arg: str) -> None:
        """step, next, return, until, jump

        Not in a failure: its function does not go on. `debug EXPRESSION` steps through a new call.
        """
        self.error(_ENDED)

    do_s = do_next = do_n = do_return = do_r = do_until = do_unt = do_jump = do_j = do_step

    def do_run(self, arg: str) -> None:
        """run, restart

        Not here; `relive replay` runs the same event again.
        """
        self.error("not here; `relive replay` runs the same event again")

    do_restart = do_run
