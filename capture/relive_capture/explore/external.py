"""Tier T3: the frames of a process that cannot speak for itself, read from outside with py-spy."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from relive_base.frames import ErrorInfo, PartState

from relive_capture.explore.outside_frames import OutsideFrames

__all__ = ["ExternalDump", "dump", "py_spy_path"]

DEFAULT_TIMEOUT_S: Final = 3.0
MAX_OUTPUT_BYTES: Final = 8 * 1024 * 1024
_WITH_PY_SPY: Final = "read from outside with py-spy"


@dataclass(slots=True, kw_only=True)
class ExternalDump:
    """What was read: archive members and parts for SceneInput; `error` has place, fingerprint and traceback.

    `ok` False: nothing could be read, `reason` and `remedy` say why.
    """

    ok: bool
    reason: str = ""
    remedy: str = ""
    members: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, PartState] = field(default_factory=dict)
    error: ErrorInfo | None = None
    redactions: list[str] = field(default_factory=list)


def py_spy_path() -> str | None:
    """The py-spy program: beside this interpreter (its wheel puts it there), else on PATH."""
    folders = (sysconfig.get_path("scripts"), os.path.dirname(sys.executable))
    for folder in folders:
        candidate = os.path.join(folder, "py-spy")
        if os.access(candidate, os.X_OK):
            return candidate
    return shutil.which("py-spy")


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
) -> ExternalDump:
    """Frames of process `pid`, which stands still meanwhile. Never raises; ends by `timeout_s`.

    Without `values` there are no locals. `source` is the function's code folder: frames in it are the
    user's own.
    """
    program = py_spy_path()
    if program is None:
        return _failed("py-spy is not installed", "install it: pip install py-spy")
    command = [program, "dump", "--pid", str(pid), "--json"]
    if values:
        command.append("--locals")
    # py-spy cannot suspend what SIGSTOP holds already, or is about to.
    unsuspended = [*command, "--nonblocking"]
    try:
        output, errors, status = _run(unsuspended if _is_stopped(pid) else command, timeout_s)
        if status != 0 and _is_stopped(pid):
            output, errors, status = _run(unsuspended, timeout_s)
    except TimeoutError:
        return _failed(f"py-spy gave no answer within {timeout_s} s", "")
    except OSError as error:
        return _failed(f"py-spy cannot be started: {error.strerror}", "")
    if status != 0:
        return _refused(errors, status)
    if len(output) > MAX_OUTPUT_BYTES:
        return _failed(f"py-spy wrote more than {MAX_OUTPUT_BYTES} bytes", "")
    try:
        threads = msgspec.json.decode(output, type=list[dict[str, Any]])
        frames = OutsideFrames(source, in_app, redact_keys)
        view = frames.convert(threads, kind, error_type, message)
        raw = msgspec.json.encode(frames.clean(threads))
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        return _failed(f"py-spy's answer cannot be read: {type(error).__name__}", "")
    if view is None:
        return _failed("the process has no Python thread", "")
    return ExternalDump(
        ok=True,
        members={**view.members, "native/pyspy.json": raw},
        parts={**view.parts, "exception": PartState("ok", _WITH_PY_SPY), "native": PartState("ok")},
        error=view.error,
        redactions=list(dict.fromkeys(view.redactions)),
    )


def _is_stopped(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] == b"T"
    except (OSError, IndexError):
        return False


def _failed(reason: str, remedy: str) -> ExternalDump:
    state = PartState("missing", reason)
    return ExternalDump(ok=False, reason=reason, remedy=remedy, parts={"exception": state, "native": state})


def _refused(errors: bytes, status: int) -> ExternalDump:
    text = errors.decode("utf-8", "replace").strip()
    lower = text.lower()
    if "permission" in lower or "not permitted" in lower:
        return _failed(
            "ptrace of the worker is not permitted",
            "allow it: kernel.yama.ptrace_scope 0, or CAP_SYS_PTRACE for the server",
        )
    if "no such process" in lower or "failed to find" in lower or "failed to open process" in lower:
        return _failed("the process was gone before it could be read", "")
    return _failed(f"py-spy ended with status {status}: {text[:300]}", "")


def _run(command: list[str], timeout_s: float) -> tuple[bytes, bytes, int]:
    """(stdout, stderr, status), each at most a little over its limit. Raises TimeoutError, OSError."""
    deadline = time.monotonic() + timeout_s
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            output, errors = _collect(process, deadline)
            status = process.wait(max(deadline - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        finally:
            if process.poll() is None:
                process.kill()
    return output, errors, status


def _collect(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    buffers = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as selector:
        for descriptor in buffers:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(max(left, 0))
            if left <= 0 and not ready:
                raise TimeoutError
            for key, _ in ready:
                chunk = os.read(key.fd, 65536)
                buffers[key.fd] += chunk
                if not chunk or len(buffers[key.fd]) > MAX_OUTPUT_BYTES:
                    selector.unregister(key.fd)
                    if chunk:
                        process.kill()  # it writes more than anybody will read
    output, errors = buffers.values()
    return bytes(output), bytes(errors)
