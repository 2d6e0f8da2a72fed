"""Loading a handler once, in a fresh interpreter, before the version goes into service."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from relive_base.scratch import scratch_folder
from relive_runtime.adapters.table import has_python
from relive_runtime.isolation.confined import confined
from relive_runtime.isolation.paths import link_targets
from relive_runtime.worker.start.lambda_variables import lambda_variables, log_stream
from relive_runtime.worker.start.layers import layer_folders

from relive_platform.registry.model import FunctionVersion, TrialResult

__all__ = ["SubprocessTrial"]

_END_S: Final = 5.0
_MAX_ANSWER_BYTES: Final = 64 * 1024
_SCRIPT: Final = r"""
import json, os, sys
job = json.loads(sys.argv[1])
answer = os.fdopen(job["answer"], "w", encoding="utf-8", errors="replace")
sys.path[:0] = job["path"]
sys.path += job["extra"]
def tell(**fields):
    answer.write(json.dumps(fields)); answer.flush(); os._exit(0)
try:
    import importlib
    module, _, attribute = job["handler"].partition(":")
    found = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
except BaseException as error:
    import traceback
    file, line = "", 0
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith(job["path"][0]):
            file, line = frame.f_code.co_filename, number
    if isinstance(error, SyntaxError) and (error.filename or "").startswith(job["path"][0]):
        file, line = error.filename, error.lineno or 0
    text = "".join(traceback.format_exception_only(type(error), error)).strip()
    whole = "".join(traceback.format_exception(error))
    tell(ok=False, message=text[-2000:], file=file, line=line, traceback=whole[-16000:])
if not callable(found):
    tell(ok=False, message=f"the handler {attribute!r} is a {type(found).__name__}, which is not callable",
         file=getattr(module, "__file__", "") or "", line=0, traceback="")
tell(ok=True, message="", file="", line=0, traceback="")
"""


class SubprocessTrial:
    """Imports the handler in `python -I -S` with the version's path and `extra_path`, the runtime folder.

    For deploys without a server; a server tries a version in a worker (pool.trial)."""

    def __init__(
        self,
        *,
        timeout_s: float = 30.0,
        python: str = sys.executable,
        extra_path: Sequence[str] = (),
        sandbox_home: str = "",
    ) -> None:
        """`sandbox_home`: Relive's home, from which the handler's code is kept; "": it is kept from
        nothing."""
        self._home = sandbox_home
        self._timeout_s = timeout_s
        self._python = python
        self._extra = list(extra_path)

    def __call__(self, version: FunctionVersion) -> TrialResult:
        """Load `version`'s handler. Never raises for what the user's code does. A program of another kind is
        not run here: it is tried when a server starts."""
        if not has_python(version.spec.kind):
            return TrialResult(ok=True)
        began = time.monotonic()
        reader, writer = os.pipe()
        job: dict[str, Any] = {"handler": version.spec.handler, "answer": writer, "extra": self._extra}
        job["path"] = [version.code_dir, *filter(None, [version.deps_dir]), *layer_folders(version.code_dir)]
        with scratch_folder("trial") as folder:
            scratch = str(folder)
            environment = {"PATH": os.defpath, "HOME": scratch, "TMPDIR": scratch, "LANG": "C.UTF-8"}
            environment |= lambda_variables(version.spec, log_stream(version.spec, os.getpid()))
            environment |= {"PYTHONDONTWRITEBYTECODE": "1", **version.spec.environment}
            command = [self._python, "-I", "-S", "-B", "-c", _SCRIPT, json.dumps(job)]
            if self._home:
                readable = [
                    *job["path"],
                    *self._extra,
                    *(to for path in self._extra for to in link_targets(path)),
                ]
                command = confined(command, home=self._home, read=readable, write=[scratch])
            try:
                process = subprocess.Popen(
                    command,
                    cwd=scratch, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, pass_fds=(writer,), start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                os.close(reader)
                os.close(writer)
                return TrialResult(ok=False, message=f"the trial process cannot start: {error}")
            os.close(writer)
            return self._outcome(process, reader, time.monotonic() - began)

    def _outcome(self, process: subprocess.Popen[bytes], reader: int, spent_s: float) -> TrialResult:
        began = time.monotonic()
        try:
            status = process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            status = None
            process.terminate()  # what runs it in the sandbox ends what has left the process group, too
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_END_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with whatever it started
        process.wait()
        with open(reader, "rb") as answer:
            os.set_blocking(reader, False)
            text = answer.read(_MAX_ANSWER_BYTES) or b""
        seconds = spent_s + time.monotonic() - began
        if status is None:
            message = f"loading the handler took longer than {self._timeout_s:g} s"
            return TrialResult(ok=False, message=message, seconds=seconds)
        try:
            return TrialResult(**json.loads(text), seconds=seconds)
        except (ValueError, TypeError):
            return TrialResult(ok=False, message=_ended(status), seconds=seconds)


def _ended(status: int) -> str:
    if status < 0:
        return f"loading the handler ended the process: {signal.Signals(-status).name}"
    return f"loading the handler ended the process with status {status}"
