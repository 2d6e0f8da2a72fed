"""A script, from its first line to its last: what reaches its top, and what ends one of its threads."""

from __future__ import annotations

import atexit
import os
import sys
from functools import wraps
from types import ModuleType
from typing import Any, Final

import msgspec
from relive_base.redaction.redactor import PLACEHOLDER, Redactor
from relive_base.unseen import UNSEEN

from relive_outside.record.attempts import Attempt
from relive_outside.record.recipes import Recipe
from relive_outside.record.recorder import Recorder

__all__ = ["Script"]

HANDLER: Final = "relive_runtime.adapters.outside.scripts:run_script"


class Script:
    """One per process. `sys.excepthook` stays the application's: Python keeps what it was called with, and
    that is looked at as the process ends."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._attempt: Attempt | None = None
        self._arguments: list[str] = []
        self._file = self._module = ""
        self._folder = os.getcwd()
        self._pid = os.getpid()

    def begin(self) -> None:
        """It begins. Python forgets what file it was before it ends."""
        arguments = [text for text in getattr(sys, "argv", []) if type(text) is str] or [""]
        self._arguments = arguments[1:]
        if arguments[0] == "-m" and "-m" in sys.orig_argv[:-1]:
            self._module = sys.orig_argv[sys.orig_argv.index("-m") + 1]
        elif os.path.isfile(arguments[0]):
            self._file = os.path.abspath(arguments[0])
        name = self._recorder.settings.name or "script"
        recipe = Recipe(name, HANDLER, "call", self._recorder.settings.source or self._folder, "script")
        self._attempt = self._recorder.begin(recipe)
        atexit.register(self._end)
        self._hook_exit()

    def _hook_exit(self) -> None:
        """`os._exit` is an end as `sys.exit` is one: nobody has killed the script."""
        real: Any = os._exit

        @wraps(real)
        def _exit(status: int) -> None:
            if os.getpid() == self._pid:
                self.is_none()
            with UNSEEN:
                real(status)

        module: Any = os
        module._exit = _exit

    def is_none(self) -> None:
        """It turned out to be a server, or a worker of a queue."""
        attempt, self._attempt = self._attempt, None
        self._recorder.forget(attempt)

    def _end(self) -> None:
        """At the end of the process; its exception, if any, was printed already."""
        attempt, self._attempt = self._attempt, None
        if attempt is None or os.getpid() != self._pid:
            return
        error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        if isinstance(error, BaseException):
            self._find(attempt)
            self._recorder.failed(attempt, error)
        else:
            self._recorder.ended(attempt)

    def _find(self, attempt: Attempt) -> None:
        """Which script it was, and with which arguments."""
        settings = self._recorder.settings
        if self._module:
            source, args = settings.source or self._folder, ["", self._module]
            shown = self._module
        elif self._file:
            source = settings.source or os.path.dirname(self._file)
            shown = os.path.basename(self._file).removesuffix(".py")
            args = [os.path.relpath(self._file, source), ""]
        else:  # python -c, or what is typed
            attempt.recipe = msgspec.structs.replace(attempt.recipe, handler="")
            attempt.event_lost = "no file"
            return
        attempt.recipe = msgspec.structs.replace(attempt.recipe, name=settings.name or shown, source=source)
        hidden = _without_secrets(self._arguments, Redactor(settings.redact))
        attempt.event = msgspec.json.encode({"args": [*args, hidden], "kwargs": {}})

    def patch_threading(self, module: ModuleType) -> None:
        """See what ends a thread; `threading.excepthook` stays the application's."""
        made = module._make_invoke_excepthook

        def make_invoke_excepthook() -> Any:
            invoke = made()

            def invoke_excepthook(thread: Any) -> None:
                error = sys.exc_info()[1]
                if error is not None and not isinstance(error, SystemExit):
                    self._thread_failed(error)
                del error
                with UNSEEN:
                    invoke(thread)

            return invoke_excepthook

        module._make_invoke_excepthook = make_invoke_excepthook  # type: ignore[attr-defined]

    def _thread_failed(self, error: BaseException) -> None:
        script = self._attempt
        if script is None or os.getpid() != self._pid:
            return
        attempt = self._recorder.begin(script.recipe)
        if attempt is None:
            return
        own, attempt.recorded = attempt.recorded, script.recorded
        self._find(attempt)
        self._recorder.told(attempt, error, "background")
        attempt.recorded = own
        self._recorder.forget(attempt)


def _without_secrets(arguments: list[str], redactor: Redactor) -> list[str]:
    """The value after an option whose name is a secret's is hidden; the rest is looked at with the event."""
    found: list[str] = []
    for number, text in enumerate(arguments):
        before = arguments[number - 1] if number else ""
        secret = before.startswith("-") and "=" not in before and redactor.secret_key(before.lstrip("-"))
        found.append(PLACEHOLDER if secret and not text.startswith("-") else text)
    return found
