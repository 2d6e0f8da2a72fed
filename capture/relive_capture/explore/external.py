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
from relive_base.redaction import PLACEHOLDER, Redactor
from relive_base.values import ValueNode

from relive_capture.model import ExceptionView, FrameView, ThreadView
from relive_capture.record.fingerprint import fingerprint_of_views
from relive_capture.record.sources import InApp, SourceCache, SourceFiles
from relive_capture.record.traceback_text import traceback_text

__all__ = ["ExternalDump", "dump", "py_spy_path"]

DEFAULT_TIMEOUT_S: Final = 3.0
MAX_OUTPUT_BYTES: Final = 8 * 1024 * 1024
_MAX_FRAMES = 100
_MAX_LOCALS = 64
_TEXT = 200
_SOURCE_LINES = 5


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
        return _Converter(source, in_app, redact_keys).convert(threads, kind, error_type, message)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        return _failed(f"py-spy's answer cannot be read: {type(error).__name__}", "")


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


class _Converter:
    """py-spy's JSON as views: redacted, bounded, outermost frame first."""

    def __init__(self, source: str, in_app: Sequence[str], redact_keys: Sequence[str]) -> None:
        self._in_app = InApp([source, *in_app])
        self._redactor = Redactor(redact_keys)
        self._sources = SourceFiles(256 * 1024, SourceCache(self._redactor))
        self._redactions: list[str] = []
        self._files: dict[str, str] = {}

    def convert(
        self, threads: list[dict[str, Any]], kind: str, error_type: str, message: str
    ) -> ExternalDump:
        if not threads:
            return _failed("the process has no Python thread", "")
        main = _main_thread(threads)
        frames = self._frames(main, with_locals=True)
        view = ExceptionView(type=error_type, message=message, relation="signal", frames=frames)
        others = [self._thread(thread) for thread in threads if thread is not main]
        members = {
            "exception.json": msgspec.json.encode([view]),
            "threads.json": msgspec.json.encode(others),
            "native/pyspy.json": msgspec.json.encode(self._clean(threads)),
        }
        members.update(self._source_members())
        parts = {
            "exception": PartState("ok", "read from outside with py-spy"),
            "threads": PartState("ok"),
            "native": PartState("ok"),
            "source": PartState("ok")
            if self._files
            else PartState("missing", "no frame of the function's own"),
        }
        error = self._error(view, kind, error_type, message)
        return ExternalDump(
            ok=True,
            members=members,
            parts=parts,
            error=error,
            redactions=list(dict.fromkeys(self._redactions)),
        )

    def _error(self, view: ExceptionView, kind: str, error_type: str, message: str) -> ErrorInfo:
        info = ErrorInfo(type=error_type, message=message, kind=kind, traceback=traceback_text([view]))
        info.fingerprint = fingerprint_of_views(kind, error_type, view.frames)
        own = [frame for frame in view.frames if frame.in_app] or view.frames
        if own:
            info.file, info.line, info.function = own[-1].file, own[-1].line, own[-1].function
        return info

    def _frames(self, thread: dict[str, Any], *, with_locals: bool) -> list[FrameView]:
        frames = list(reversed(thread.get("frames") or []))
        inside = [self._in_app.place(str(frame.get("filename")))[0] for frame in frames]
        # what called the user's code is Relive's own
        own = inside.index(True) if True in inside else 0
        kept = frames[own:][-_MAX_FRAMES:]
        return [self._frame(frame, number, with_locals) for number, frame in enumerate(kept)]

    def _frame(self, frame: dict[str, Any], number: int, with_locals: bool) -> FrameView:
        file, line = str(frame.get("filename") or "?"), int(frame.get("line") or 0)
        in_app, shown = self._in_app.place(file)
        view = FrameView(
            file=shown[-300:], line=line, function=str(frame.get("name") or "?")[:200], in_app=in_app
        )
        if in_app:
            self._files.setdefault(file, shown)
        lines, first = self._sources.excerpt(file, line, _SOURCE_LINES if in_app else 1)
        view.source, view.source_first_line = lines, first
        if with_locals:
            found = (frame.get("locals") or [])[:_MAX_LOCALS]
            view.locals = [self._local(item, f"exception[0].frames[{number}]") for item in found]
        return view

    def _local(self, item: dict[str, Any], path: str) -> tuple[str, ValueNode]:
        name, text = str(item.get("name") or "?")[:120], str(item.get("repr") or "?")
        if self._redactor.secret_key(name) and text not in ("None", "True", "False"):
            self._redactions.append(f"{path}.locals.{name}")
            return name, ValueNode("?", PLACEHOLDER, redacted=True)
        clean = self._redactor.text(text[: _TEXT * 3])
        if clean != text[: _TEXT * 3]:
            self._redactions.append(f"{path}.locals.{name}")
        return name, ValueNode(
            "?", clean[:_TEXT] + ("…" if len(clean) > _TEXT else ""), id=int(item.get("addr") or 0)
        )

    def _thread(self, thread: dict[str, Any]) -> ThreadView:
        name = str(thread.get("thread_name") or "?")[:100]
        frames = self._frames(thread, with_locals=False)
        return ThreadView(name=name, ident=int(thread.get("thread_id") or 0), frames=frames)

    def _clean(self, threads: list[dict[str, Any]]) -> object:
        """The raw answer with its locals' texts redacted; the command line and its arguments are left out."""
        for thread in threads:
            thread.pop("process_info", None)
            for frame in thread.get("frames") or []:
                for item in frame.get("locals") or []:
                    item["repr"] = self._local(item, "native/pyspy.json")[1].text
        return threads

    def _source_members(self) -> dict[str, bytes]:
        return self._sources.members(self._files)[0]


def _main_thread(threads: list[dict[str, Any]]) -> dict[str, Any]:
    """The thread that runs the handler: MainThread, else the first one."""
    named = [thread for thread in threads if thread.get("thread_name") == "MainThread"]
    return (named or threads)[0]
