"""The scene of a failure that another program has told: no frames of Python, but all that it says."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Final

from relive_base.escapes import to_json
from relive_base.parts import PartState, Reason, State, Why, missing, not_applicable, ok, partial
from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.redactor import PLACEHOLDER, Redactor
from relive_base.values import ValueNode
from relive_base.wire.messages import ErrorInfo, FunctionSpec, Scene

from relive_capture.model import ExceptionView, FrameView
from relive_capture.record.budget import Budget
from relive_capture.record.exceptions import fingerprint_of_names
from relive_capture.record.frames import InApp, SourceCache, SourceFiles
from relive_capture.record.told.payload import Told
from relive_capture.record.told.stacks import ToldFrame, ToldValue, parse_stack

__all__ = ["capture_told"]

_MAX_TEXT: Final = 16_000  # of a stack as text
_MAX_MESSAGE: Final = 2_000
_MAX_DETAIL: Final = 4_000
_MAX_NAMES: Final = 500
_LIBRARIES: Final = ("/node_modules/", "/site-packages/", "/dist-packages/", "/vendor/", "/gems/")
_SOURCE_LINES: Final = 5


def capture_told(
    chain: Sequence[Told],
    *,
    kind: str,
    spec: FunctionSpec,
    invocation_id: str,
    roots: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Scene:
    """The scene of what a program of another language says of its failure: the error first, then its causes.

    `roots`: more folders whose files are the function's own. `environment`: the program's. Never raises.
    """
    captured_ns = time.time_ns()
    began_ns = time.perf_counter_ns()
    try:
        made = _Made(spec, roots)
        views = [made.view(told) for told in chain]
        scene = Scene(
            invocation_id=invocation_id, captured_ns=captured_ns, error=made.error(views, chain, kind)
        )
        scene.members, scene.parts = made.members(views, environment or {}), made.parts
        scene.redactions, scene.secrets = made.redactions, made.memory.values
        scene.capture_ns = time.perf_counter_ns() - began_ns
        return scene
    except Exception as problem:  # the answer must leave in any case
        first = chain[0] if chain else Told("Error")
        info = ErrorInfo(type=first.type[:200], message=first.message[:_MAX_MESSAGE], kind=kind)
        parts = {"exception": missing(Why.CAPTURE_FAILED, type(problem).__name__)}
        return Scene(invocation_id=invocation_id, captured_ns=captured_ns, error=info, parts=parts)


class _Made:
    """The parts of one scene, redacted as they are made."""

    def __init__(self, spec: FunctionSpec, roots: Sequence[str]) -> None:
        budget = Budget()
        self._values = spec.capture != "off"
        self._in_app = InApp([spec.source, *roots, *spec.in_app])
        self._source = spec.source
        self._name = spec.name
        self.memory = SecretMemory()
        self._redactor = Redactor(spec.redact_keys).remembering(self.memory)
        self._sources = SourceFiles(budget.source_bytes, SourceCache(self._redactor))
        self._files: dict[str, str] = {}
        self._frames = budget.frames
        self.redactions: list[str] = []
        told = not_applicable(Why.NO_PYTHON)
        self.parts: dict[str, PartState] = {
            "exception": partial(Why.TOLD_BY_PROGRAM),
            "source": not_applicable(Why.NO_OWN_FRAME),
            "threads": told,
            "tasks": told,
            "background": told,
            "profile": told,
            "cassette": missing(Why.CALLS_UNSEEN),
            "heap": told,
            "live": not_applicable(Why.NOT_KEPT),
        }

    def _text(self, text: str, place: str, limit: int = _MAX_DETAIL) -> str:
        clean = self._redactor.text(text)
        if clean != text:
            self.redactions.append(place)
        return clean if len(clean) <= limit else "…" + clean[-(limit - 1) :]

    def view(self, told: Told) -> ExceptionView:
        """One error, with its frames: each has its lines of source if the function's folder has them."""
        frames = told.frames or parse_stack(told.stack)
        if told.seen_by:
            reasons = [Reason(Why.READ_WITH, (told.seen_by,)), Reason(Why.OPTIMIZED, (told.seen_by,))]
            self.parts["exception"] = PartState(State.PARTIAL, reasons)
        cut = max(len(frames) - self._frames, 0)
        view = ExceptionView(
            type=self._text(told.type, "exception.type", 200),
            message=self._redactor.text(told.message[:_MAX_MESSAGE]),
            relation=told.relation,
            frames=[self._frame(frame) for frame in frames[cut:]],
            frames_cut=cut,
        )
        details = list(told.details)
        if told.stack and not frames:
            details.append(("stack", told.stack))
        if self._values:
            view.details = [(name, self._text(text, f"exception.{name}")) for name, text in details if text]
        return view

    def _frame(self, told: ToldFrame) -> FrameView:
        path, in_app, shown = self._place(told)
        found = FrameView(
            file=shown, line=told.line, function=told.function or "?", column=told.column, in_app=in_app
        )
        if self._values:
            found.locals = [self._local(value) for value in told.values]
        if in_app:
            self._files[path] = shown
            found.source, found.source_first_line = self._sources.excerpt(
                path, told.line, _SOURCE_LINES, whole=True
            )
        return found

    def _local(self, told: ToldValue) -> tuple[str, ValueNode]:
        if self._redactor.secret_key(told.name):
            self.memory.add(told.text.strip('"'))
            self.redactions.append(f"exception.{told.name}")
            return told.name, ValueNode(told.type, PLACEHOLDER, redacted=True)
        return told.name, ValueNode(told.type, self._text(told.text, f"exception.{told.name}"))

    def _place(self, told: ToldFrame) -> tuple[str, bool, str]:
        """(path, whether it is the function's own, how it is shown). Go tells where a file was when it was
        built: the package `main` is the function's own, and its files may have come along."""
        file = told.file
        if file.endswith(".go") and "@v" not in file:
            shown = os.path.basename(file)
            beside = os.path.join(self._source, shown)
            if told.function.startswith("main.") or (file[0] != "/" and os.path.isfile(beside)):
                return beside, True, shown
        path = os.path.normpath(os.path.join(self._source, file))
        in_app, shown = self._in_app.place(path)
        if in_app and any(part in f"/{shown}" for part in _LIBRARIES):
            in_app = False
        if not file.startswith("/") and not (in_app and os.path.isfile(path)):
            return path, False, file  # a name alone, as the JVM tells it, or node:fs
        return path, in_app, shown

    def error(self, views: list[ExceptionView], chain: Sequence[Told], kind: str) -> ErrorInfo:
        """The short form. Failures are the same if type, own frames and the message without its data are."""
        from relive_capture.record.exceptions.signatures import message_shape

        first = views[0]
        info = ErrorInfo(type=first.type, message=first.message, kind=kind)
        whose = next((view for view in views if any(frame.in_app for frame in view.frames)), first)
        if whose.frames:
            own = [frame for frame in whose.frames if frame.in_app] or whose.frames
            info.file, info.line, info.function = own[-1].file, own[-1].line, own[-1].function
        info.traceback = "\n".join(self._told(told) for told in chain)[:_MAX_TEXT]
        shapes = [message_shape(first.message)] + [f"from {view.type}" for view in views[1:]]
        own = [frame for frame in whose.frames if frame.in_app] or whose.frames[-3:]
        names = [f"{frame.file}:{frame.function}" for frame in own] or [self._name]
        info.fingerprint = fingerprint_of_names(kind, first.type, names, shapes)
        return info

    def _told(self, told: Told) -> str:
        """The stack as the program printed it; without one, type and message."""
        head = f"{told.type}: {told.message}" if told.message else told.type
        head = f"caused by {head}" if told.relation else head
        text = told.stack.strip("\n") or "\n".join(
            f"    at {frame.function or '?'} ({frame.file}:{frame.line})" for frame in told.frames[::-1]
        )
        lines = text if text and told.message[:80] in text else "\n".join(filter(None, (head, text)))
        return self._redactor.text(lines[-_MAX_TEXT:])

    def members(self, views: list[ExceptionView], environment: Mapping[str, str]) -> dict[str, bytes]:
        """Archive files by name."""
        found, reason = self._sources.members(self._files)
        if self._files:
            self.parts["source"] = (
                PartState(State.PARTIAL if found else State.MISSING, [reason]) if reason else ok()
            )
        found["exception.json"] = to_json(views)
        names = sorted(environment)[:_MAX_NAMES]
        secret = [name for name in names if self._redactor.is_secret(name, environment[name])]
        for name in secret:
            self.memory.add(environment[name])
        self.redactions.extend(f"environment.{name}" for name in secret[:100])
        system = os.uname()
        found["environment.json"] = to_json(
            {
                "system": f"{system.sysname} {system.release} {system.machine}",
                "cpus": os.cpu_count(),
                "variables": names,
                "secret_variables": secret,
            }
        )
        self.parts["environment"] = ok()
        return found
