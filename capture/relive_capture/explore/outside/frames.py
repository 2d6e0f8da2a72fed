"""Frames that were read from outside of a process, as the scene keeps them."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import msgspec
from relive_base.parts import PartState, Why, not_applicable, ok
from relive_base.redaction.redactor import PLACEHOLDER, Redactor
from relive_base.values import ValueNode
from relive_base.wire.messages import ErrorInfo

from relive_capture.explore.outside.crash_shapes import crash_shapes
from relive_capture.model import ExceptionView, FrameView, ThreadView
from relive_capture.record.exceptions import fingerprint_of_views, traceback_text
from relive_capture.record.frames import InApp, SourceCache, SourceFiles

__all__ = ["OutsideFrames", "OutsideView", "is_program", "library_folders", "put_first"]

_MAX_FRAMES = 100
_MAX_LOCALS = 64
_TEXT = 200
_SOURCE_LINES = 5
_NO_SECRETS = ("None", "True", "False", "")
_TEXTS = "\"'[(b"  # how the repr of a text, or of several, begins
_MAIN = "MainThread"  # as Python calls it
_STDLIB = os.path.dirname(os.__file__) + os.sep


@dataclass(slots=True)
class OutsideView:
    """Members and parts of a scene, where in the user's code it stood, places that were redacted."""

    members: dict[str, bytes]
    parts: dict[str, PartState]
    error: ErrorInfo
    redactions: list[str]


class OutsideFrames:
    """Threads in the form in which py-spy tells them, as views: redacted, bounded, outermost frame first."""

    def __init__(self, source: str, in_app: Sequence[str], redact_keys: Sequence[str]) -> None:
        self._in_app = InApp([source, *in_app])
        self._libraries = library_folders(source)
        self._redactor = Redactor(redact_keys)
        self._sources = SourceFiles(256 * 1024, SourceCache(self._redactor))
        self._redactions: list[str] = []
        self._files: dict[str, str] = {}

    def convert(
        self, threads: list[dict[str, Any]], kind: str, error_type: str, message: str
    ) -> OutsideView | None:
        """None if there is no thread. Raises KeyError, TypeError, ValueError if `threads` is none of
        that form."""
        if not threads:
            return None
        main = _main_thread(threads)
        frames = self._frames(main, with_locals=True)
        view = ExceptionView(type=error_type, message=message, relation="signal", frames=frames)
        others = [self._thread(thread) for thread in threads if thread is not main]
        members = {
            "exception.json": msgspec.json.encode([view]),
            "threads.json": msgspec.json.encode(others),
        }
        members.update(self._sources.members(self._files)[0])
        own = bool(self._files)
        parts = {
            "exception": ok(),
            "threads": ok(),
            "source": ok() if own else not_applicable(Why.NO_OWN_FRAME),
        }
        error = self._error(view, kind, error_type, message)
        return OutsideView(members, parts, error, self._redactions)

    def _error(self, view: ExceptionView, kind: str, error_type: str, message: str) -> ErrorInfo:
        info = ErrorInfo(type=error_type, message=message, kind=kind, traceback=traceback_text([view]))
        inside = [frame for frame in view.frames if frame.in_app]
        shapes = crash_shapes(kind, message, _failing_line(inside[-1]) if inside else "")
        info.fingerprint = fingerprint_of_views(kind, error_type, view.frames, shapes)
        own = inside or view.frames
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
        if is_program(file, self._in_app, self._libraries):
            if in_app:
                self._files.setdefault(file, shown)
            around = _SOURCE_LINES if in_app else 1
            view.source, view.source_first_line = self._sources.excerpt(file, line, around, whole=in_app)
        if with_locals:
            found = (frame.get("locals") or [])[:_MAX_LOCALS]
            view.locals = [self._local(item, f"exception[0].frames[{number}]") for item in found]
        return view

    def _local(self, item: dict[str, Any], path: str) -> tuple[str, ValueNode]:
        name, text = str(item.get("name") or "?")[:120], str(item.get("repr") or "?")
        strength = self._redactor.secret_key(name)
        if strength == "path" and not self._redactor.is_secret(name, text.strip("'\"")):
            strength = ""
        if strength and text not in _NO_SECRETS and (strength != "plural" or text[0] in _TEXTS):
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

    def clean(self, threads: list[dict[str, Any]]) -> object:
        """The raw answer with its locals' texts redacted; the command line and its arguments are left out."""
        for thread in threads:
            thread.pop("process_info", None)
            for frame in thread.get("frames") or []:
                for item in frame.get("locals") or []:
                    item["repr"] = self._local(item, "native/pyspy.json")[1].text
        return threads


def _failing_line(frame: FrameView) -> str:
    at = frame.line - frame.source_first_line
    return frame.source[at] if 0 <= at < len(frame.source) else ""


def library_folders(source: str) -> tuple[str, ...]:
    """The real folders of libraries that a function in the folder `source` may have: of the interpreter, and
    of dependencies, which lie beside the code of all functions in a home."""
    folders = {_STDLIB, *(os.path.join(sysconfig.get_path(name), "") for name in ("purelib", "platlib"))}
    for parent in PurePath(os.path.realpath(source)).parents:
        if parent.name == "code":
            folders.add(os.path.join(parent.parent, "deps", ""))
            break
    return tuple(os.path.join(os.path.realpath(folder), "") for folder in folders)


def is_program(file: str, in_app: InApp, libraries: tuple[str, ...]) -> bool:
    """Whether a file that a frame names may be read. The function's code can name any: the server, which may
    read more than the function, reads the function's own program and what is in `libraries`."""
    path = os.path.realpath(file)
    if not path.endswith(".py"):
        return False
    return in_app.place(path)[0] or path.startswith(libraries)


def put_first(threads: list[dict[str, Any]], failed: Callable[[dict[str, Any]], bool]) -> None:
    """Have the thread that failed taken for the one that runs the handler, whichever it was."""
    found = next(filter(failed, threads), None)
    if found is not None:
        for thread in threads:
            if thread.get("thread_name") == _MAIN:
                thread["thread_name"] = "main thread"
        found["thread_name"] = _MAIN


def _main_thread(threads: list[dict[str, Any]]) -> dict[str, Any]:
    """The thread that runs the handler: MainThread, else the first one."""
    named = [thread for thread in threads if thread.get("thread_name") == _MAIN]
    return (named or threads)[0]
