"""Tier T3: the frames of a process that cannot speak for itself, read from outside."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from relive_base.parts import PartState, Reason, State, Why, ok, partial
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import ErrorInfo

from relive_capture.explore.outside.frames import OutsideFrames, put_first
from relive_capture.explore.outside.programs import MAX_OUTPUT_BYTES, find_program, run_program
from relive_capture.explore.outside.pystack import (
    PystackError,
    parse_pystack,
    pystack_path,
    pystack_remote,
    stack_lines,
)

__all__ = ["PYSTACK_MEMBER", "ExternalDump", "dump", "py_spy_path"]

DEFAULT_TIMEOUT_S: Final = 3.0
_PY_SPY: Final = "py-spy"
PYSTACK_MEMBER: Final = "native/pystack.txt"


@dataclass(slots=True, kw_only=True)
class ExternalDump:
    """What was read: archive members and parts for SceneInput; `error` has place, fingerprint and traceback.

    `ok` False: nothing could be read, `why` and `hint` say why.
    """

    ok: bool
    why: Reason | None = None
    hint: str = ""
    members: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, PartState] = field(default_factory=dict)
    error: ErrorInfo | None = None
    redactions: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> list[Reason]:
        return [] if self.why is None else [self.why]

    @property
    def reason(self) -> str:
        """Why nothing could be read, for people."""
        return "" if self.why is None else self.why.text


def py_spy_path() -> str | None:
    """The py-spy program."""
    return find_program("py-spy")


def dump(
    pid: int,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    *,
    kind: str = "timeout",
    error_type: str = "Timeout",
    message: str = "",
    source: str = "",
    in_app: Sequence[str] = (),
    redact_keys: Sequence[str] = (),
    values: bool = True,
    thread: int = 0,
) -> ExternalDump:
    """Frames of process `pid`, which stands still meanwhile. Never raises; ends by `timeout_s`.

    py-spy reads the frames, pystack, if it is installed, native stacks, or the frames if py-spy cannot.
    Without `values` there are no locals. `thread` (as `threading.get_ident`) is the one that failed, if it
    is not the main one. `source` is the function's code folder: frames in it are the user's own.
    """
    deadline = time.monotonic() + timeout_s
    reader = _Reader(OutsideFrames(source, in_app, redact_keys), kind, error_type, message, values, thread)
    found = reader.with_py_spy(pid, timeout_s)
    left_s = deadline - time.monotonic()
    if found.ok:
        _add_native(found, pid, left_s, Redactor(redact_keys))
        return found
    return reader.with_pystack(pid, left_s, found) if pystack_path() is not None else found


@dataclass(frozen=True, slots=True)
class _Reader:
    """What the readers have in common."""

    frames: OutsideFrames
    kind: str
    error_type: str
    message: str
    values: bool
    thread: int

    def with_py_spy(self, pid: int, timeout_s: float) -> ExternalDump:
        program = py_spy_path()
        if program is None:
            return _failed(Reason(Why.TOOL_MISSING, (_PY_SPY,)), "install it: pip install py-spy")
        command = [program, "dump", "--pid", str(pid), "--json", *(["--locals"] if self.values else [])]
        # py-spy cannot suspend what SIGSTOP holds already, or is about to hold: on a busy machine that may
        # not be seen yet when py-spy has failed.
        unsuspended = [*command, "--nonblocking"]
        deadline = time.monotonic() + timeout_s
        try:
            output, errors, status = run_program(unsuspended if _is_stopped(pid) else command, timeout_s)
            if status != 0:
                output, errors, status = run_program(unsuspended, max(deadline - time.monotonic(), 0.1))
        except TimeoutError:
            return _failed(Reason(Why.TOOL_SILENT, (_PY_SPY, timeout_s)))
        except OSError as error:
            return _failed(Reason(Why.TOOL_NOT_STARTED, (_PY_SPY, str(error.strerror))))
        if status != 0:
            return _refused(errors, status)
        if len(output) > MAX_OUTPUT_BYTES:
            return _failed(Reason(Why.TOOL_TOO_LONG, (_PY_SPY, MAX_OUTPUT_BYTES)))
        try:
            threads = msgspec.json.decode(output, type=list[dict[str, Any]])
            put_first(threads, lambda found: found.get("thread_id") == self.thread)
            found = self._found(threads, _PY_SPY)
            found.members["native/pyspy.json"] = msgspec.json.encode(self.frames.clean(threads))
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
            return _failed(Reason(Why.TOOL_UNREADABLE, (_PY_SPY, type(error).__name__)))
        return found

    def with_pystack(self, pid: int, timeout_s: float, failed: ExternalDump) -> ExternalDump:
        """`failed`, if pystack cannot read it either."""
        try:
            threads = parse_pystack(pystack_remote(pid, timeout_s, native=False, values=self.values), pid)
        except PystackError as error:
            failed.parts["native"] = PartState(
                State.MISSING, [*failed.reasons, Reason(Why.TOLD, (str(error),))]
            )
            return failed
        found = self._found(threads, "pystack")
        found.parts["native"] = PartState(
            State.PARTIAL, [*failed.reasons, Reason(Why.READ_WITH, ("pystack",))]
        )
        return found

    def _found(self, threads: list[dict[str, Any]], tool: str) -> ExternalDump:
        view = self.frames.convert(threads, self.kind, self.error_type, self.message)
        if view is None:
            return _failed(Reason(Why.NO_THREAD))
        parts = {**view.parts, "exception": ok(Why.READ_WITH, tool)}
        return ExternalDump(
            ok=True,
            members=view.members,
            parts=parts,
            error=view.error,
            redactions=list(dict.fromkeys(view.redactions)),
        )


def _add_native(found: ExternalDump, pid: int, timeout_s: float, redactor: Redactor) -> None:
    """What the threads do below Python, as text."""
    try:
        text = pystack_remote(pid, max(timeout_s, 0.1), native=True)
    except PystackError as error:
        found.parts["native"] = partial(Why.PYTHON_FRAMES_ALONE, str(error))
    else:
        found.members[PYSTACK_MEMBER] = redactor.text(stack_lines(text)).encode()
        found.parts["native"] = ok()


def _is_stopped(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] == b"T"
    except (OSError, IndexError):
        return False


def _failed(why: Reason, hint: str = "") -> ExternalDump:
    state = PartState(State.MISSING, [why])
    return ExternalDump(ok=False, why=why, hint=hint, parts={"exception": state, "native": state})


def _refused(errors: bytes, status: int) -> ExternalDump:
    text = errors.decode("utf-8", "replace").strip()
    lower = text.lower()
    if "permission" in lower or "not permitted" in lower:
        return _failed(
            Reason(Why.NO_PTRACE),
            "allow it: kernel.yama.ptrace_scope 0, or CAP_SYS_PTRACE for the server",
        )
    if "no such process" in lower or "failed to find" in lower or "failed to open process" in lower:
        return _failed(Reason(Why.GONE_BEFORE_READ))
    return _failed(Reason(Why.TOOL_STATUS, (_PY_SPY, status, text[:300])))
