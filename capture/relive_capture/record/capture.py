"""Tier T0: what the failed process itself saves of its failure, at once and within the budget."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from types import FrameType
from typing import Any, Final, TypeAlias

import msgspec
from relive_base.escapes import to_json
from relive_base.parts import PartState, Reason, State, Why, missing, not_applicable, ok
from relive_base.patterns import LazyPattern
from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import ErrorInfo, FunctionSpec, Scene

from relive_capture.model import ExceptionView, ResultView, every_exception
from relive_capture.record.budget import Budget, Meter
from relive_capture.record.early import early_scene
from relive_capture.record.exceptions import (
    ChainRecorder,
    Messages,
    error_type,
    fingerprint,
    fingerprint_of_names,
    own_names,
    place_names,
    traceback_text,
)
from relive_capture.record.frames import (
    FrameRecorder,
    InApp,
    RawFrame,
    SourceCache,
    SourceFiles,
    Stack,
    any_tasks,
    raw_chain,
    raw_stack,
    tasks,
    without_outer,
)
from relive_capture.record.guard import Guard
from relive_capture.record.result_path import find_unserialisable
from relive_capture.record.surroundings import Environment, ModuleVersions, threads
from relive_capture.record.values import KnownTexts, KnownTypes, Walker

__all__ = [
    "NO_RESULT",
    "capture_answer",
    "capture_exception",
    "capture_frames",
    "capture_moment",
    "error_info",
    "preload",
]

NO_RESULT: Final = object()
_Early: TypeAlias = Callable[[Scene], object]
_ANSWER_BYTES: Final = 8_000
_ANSWER_CHARS: Final = 2_000
_WARM_ROUNDS: Final = 4
_PLACE: Final = LazyPattern(r'  File "([^<"][^"]*)", line (\d+)')
_SMALL: Final = Budget(frames=40, exceptions=5, total_bytes=64 * 1024, source_lines=2)


class Moment(msgspec.Struct, frozen=True):
    """`threads.json` and `tasks.json` as they were before the capture: a timeout releases locks and cancels
    tasks on its way up."""

    members: dict[str, bytes]
    parts: dict[str, PartState]
    redactions: list[str]
    secrets: list[str]


class _NoCollection:
    """No garbage collection meanwhile: it would run the user's finalizers, and walk their whole heap."""

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_on:
            gc.enable()


class _Kept:
    """What captures of one process share: judged names, source files that were read, versions of modules, how
    C types are shown, facts of the environment."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.redactor = Redactor(keys)
        self.sources = SourceCache(self.redactor)
        self.versions = ModuleVersions()
        self.environment = Environment()
        self.texts = KnownTexts()
        self._types: KnownTypes | None = None

    def types(self) -> KnownTypes:
        """What is known of types by now."""
        self._types = found = KnownTypes() if self._types is None else self._types.current()
        return found


_kept = lru_cache(maxsize=4)(_Kept)
"""By the names that the application adds to the secret ones: one per worker."""


class _Capture:
    """The parts of one capture, wired together."""

    def __init__(self, spec: FunctionSpec, budget: Budget, skip: tuple[str, ...]) -> None:
        self.budget = budget
        self.started_ns = time.perf_counter_ns()
        self.kept = kept = _kept(tuple(spec.redact_keys))
        self.memory = SecretMemory()
        self.redactor = kept.redactor.remembering(self.memory)
        self.redactions: list[str] = []
        self.meter = Meter(budget)
        self.skip = skip
        module = spec.handler.partition(":")[0].replace(".", "/")
        self.handler_file = f"{spec.source}/{module}.py"
        self.in_app = InApp.of(spec, here=True)
        self.sources = SourceFiles(budget.source_bytes, kept.sources, here=True)
        types = kept.types()
        self.walker = Walker(
            budget, self.meter, self.redactor, self.redactions, types, self.memory, texts=kept.texts
        )
        self.frames = FrameRecorder(budget, self.meter, self.walker, self.in_app, self.sources)
        self.frames.values = spec.capture != "off"
        guard = Guard(budget.text_ns)
        messages = Messages(types.leaves, self.redactor.text, guard, self.in_app.shown)
        from relive_capture.record.exceptions.details import (
            Details,  # `preload` has imported it, in the zygote
        )

        details = Details(self.redactor, guard)
        self.chain = ChainRecorder(budget, self.frames, self.walker, messages, details, self.in_app, skip)
        self.members: dict[str, bytes] = {}
        self.parts: dict[str, PartState] = {}

    def attempt(self, part: str, step: Any, *arguments: Any) -> None:
        """Run one step; whatever goes wrong in it becomes the part's reason, never an error."""
        try:
            state = step(*arguments)
        except Exception as error:  # a part that fails must not take the others with it
            state = missing(Why.CAPTURE_FAILED, type(error).__name__)
        self.parts[part] = state

    # ------------------------------------------------------------ steps

    def save_exceptions(self, views: list[ExceptionView], early: _Early | None = None) -> PartState:
        self.chain.fill_locals()
        if early is not None and self.chain.runs_code():
            with suppress(Exception):  # the whole scene follows in any case
                early(early_scene(views, self.redactions, self.memory.values))
        self.chain.ask()
        self.members["exception.json"] = to_json(views)
        return self._exception_state(views)

    def save_heads(self, views: list[ExceptionView], reasons: list[Reason]) -> PartState:
        """The frames without values: what broke the walk was most likely one of them."""
        self.chain.ask()
        for view, _ in every_exception(views):
            view.attributes = []
            for frame in view.frames:
                frame.locals = []
        self.members["exception.json"] = to_json(views)
        return _partial([*reasons, Reason(Why.WITHOUT_VALUES)])

    def _exception_state(self, views: list[ExceptionView]) -> PartState:
        reasons = [] if self.frames.values else [Reason(Why.VALUES_OFF)]
        reasons += self.frames.cut_reasons()
        cut = sum(view.frames_cut for view, _ in every_exception(views))
        if cut:
            reasons.append(Reason(Why.FRAMES_LEFT_OUT, (cut, self.budget.frames)))
        if self.chain.left_out:
            reasons.append(Reason(Why.EXCEPTIONS_LEFT_OUT, (self.budget.exceptions,)))
        return _partial(reasons) if reasons else ok()

    def save_source(self) -> PartState:
        found, reason = self.sources.members(self.frames.app_files)
        self.members.update(found)
        if not self.frames.app_files:
            return not_applicable(Why.NO_OWN_FRAME)
        return PartState(State.PARTIAL if found else State.MISSING, [reason]) if reason else ok()

    def save_threads(self) -> PartState:
        views, left_out = threads(
            self.budget, self.frames, lambda raw: without_outer(raw, self.skip, self.in_app)
        )
        self.members["threads.json"] = to_json(views)
        return self._beside_state(left_out, "threads")

    def save_tasks(self) -> PartState:
        if not any_tasks(self.chain.knows):
            return not_applicable(Why.NO_TASKS)
        views, left_out = tasks(self.budget, self.meter, self.frames, self.chain.knows, self.chain.message_of)
        self.members["tasks.json"] = to_json(views)
        return self._beside_state(left_out, "tasks")

    def _beside_state(self, left_out: int, what: str) -> PartState:
        reasons = [Reason(Why.LEFT_OUT, (left_out, what))] if left_out else []
        reasons += self.frames.cut_reasons()
        return _partial(reasons) if reasons else ok()

    def save_environment(self) -> PartState:
        names = list(os.environ)
        secret = [name for name in names if self.redactor.is_secret(name, os.environ.get(name, ""))]
        for name in secret:
            self.memory.add(os.environ.get(name, ""))
        self.redactions.extend(f"environment.{name}" for name in secret[:100])
        found = self.kept.environment.json(names, secret, self.kept.versions.current())
        self.members["environment.json"] = found
        return ok()

    def save_result(self, result: object, place: tuple[str, str] | None) -> PartState:
        path, reason = find_unserialisable(result) if place is None else place
        if not self.frames.values:
            return missing(Why.VALUES_OFF)
        view = ResultView(path=path, reason=reason, value=self.walker.value(result, "result"))
        self.members["result.json"] = to_json(view)
        return ok()

    # ------------------------------------------------------------ the whole

    def error(self, views: list[ExceptionView], kind: str, frames: list[RawFrame], name: str) -> ErrorInfo:
        info = ErrorInfo(type=name, message="", kind=kind)
        info.fingerprint = fingerprint(kind, name, frames, self.in_app, self._shapes(kind))
        if views:
            info.message = views[0].message
            _locate(info, views[0])
            info.traceback = traceback_text(views)
        return info

    def _shapes(self, kind: str) -> list[str]:
        """What tells this failure from others at its place."""
        from relive_capture.record.exceptions.signatures import Signatures

        shapes = Signatures(self.in_app, self.sources)
        if kind == "bad_result":
            return [
                part
                for view, _ in self.chain.causes()[:1]
                for part in shapes.of_result(view.message, self.handler_file)
            ]
        found: list[str] = []
        for view, frames in self.chain.causes():
            if found:
                # Where in a library is no part of the bug: a call that is cancelled stands anywhere.
                found += [f"from {_name_of(view)}", *own_names(frames, self.in_app)]
            found += shapes.of(view, frames)
        members = {
            "\n".join([_name_of(view), *place_names(frames, self.in_app), *shapes.of(view, frames)])
            for view, frames in self.chain.leaves()
        }
        return found + sorted(members)

    def scene(self, invocation_id: str, error: ErrorInfo, captured_ns: int) -> Scene:
        return Scene(
            invocation_id=invocation_id,
            captured_ns=captured_ns,
            error=error,
            members=self.members,
            parts=self.parts,
            redactions=list(dict.fromkeys(self.redactions)),
            capture_ns=time.perf_counter_ns() - self.started_ns,
            secrets=self.memory.values,
        )


def capture_exception(
    error: BaseException,
    *,
    kind: str,
    spec: FunctionSpec,
    invocation_id: str,
    budget: Budget | None = None,
    skip_files: Iterable[str] = (),
    result: object = NO_RESULT,
    place: tuple[str, str] | None = None,
    moment: Moment | None = None,
    early: _Early | None = None,
) -> Scene:
    """The scene of `error`: frames with locals, chain, groups, sources, threads, environment.

    `kind` is one of records.FAILURE_KINDS; a RecursionError or MemoryError makes "exception" more exact. For
    "bad_result" give the `result` too, and the `place` inside it (path, what is there) that the encoder has
    found; else it is looked for. `moment` has the threads and tasks of an earlier time. `early` gets what
    is known before the user's code is asked for texts, which may end the process. Never raises: if the
    capture itself fails, it is tried again without values, and `parts` says so; the ErrorInfo is there in
    any case.
    """
    captured_ns = time.time_ns()
    kind = _exact_kind(error, kind)
    skip = tuple(skip_files)
    try:
        with _NoCollection():
            capture = _Capture(spec, budget or Budget(), skip)
            views = capture.chain.record(error)
            capture.attempt("exception", capture.save_exceptions, views, early)
            if "exception.json" not in capture.members:
                capture.attempt("exception", capture.save_heads, views, capture.parts["exception"].reasons)
            if result is not NO_RESULT:
                capture.attempt("result", capture.save_result, result, place)
            info = capture.error(views, kind, capture.chain.root_frames, error_type(error))
            _save_rest(capture, moment)
            return capture.scene(invocation_id, info, captured_ns)
    except BaseException as second:  # also a RecursionError or a MemoryError in the capture itself
        return _small_scene(error, second, kind, spec, skip, invocation_id, captured_ns)


def capture_moment(spec: FunctionSpec) -> Moment | None:
    """The other threads and the asyncio tasks as they stand now; None if there are none. Never raises."""
    try:
        with _NoCollection():
            if len(sys._current_frames()) == 1 and not any_tasks(lambda _: False):
                return None
            capture = _Capture(spec, Budget(), ())
            _save_moment(capture)
            parts = {name: capture.parts[name] for name in ("threads", "tasks")}
            return Moment(capture.members, parts, capture.redactions, capture.memory.values)
    except BaseException:
        return None


def capture_frames(
    frame: FrameType | Sequence[FrameType],
    *,
    kind: str,
    spec: FunctionSpec,
    invocation_id: str,
    error_name: str = "Timeout",
    message: str = "",
    budget: Budget | None = None,
    skip_files: Iterable[str] = (),
) -> Scene:
    """The scene of a running stack, by its innermost frame, or of coroutines that wait for each other,
    innermost first, if no exception is at hand (an interrupted handler). Never raises."""
    captured_ns = time.time_ns()
    try:
        capture = _Capture(spec, budget or Budget(), tuple(skip_files))
        stack = raw_stack(frame) if isinstance(frame, FrameType) else raw_chain(frame)
        raw = without_outer(stack, tuple(skip_files), capture.in_app)
        heads, kept, cut, at = capture.frames.heads(raw)
        view = ExceptionView(
            type=error_name, message=capture.redactor.text(message[:2000]), relation="signal"
        )
        view.frames, view.frames_cut, view.frames_cut_at = heads, cut, at
        stacks = [Stack(heads, kept, "exception[0]")]
        capture.frames.fill_own(stacks)
        capture.frames.fill_others(stacks)
        capture.attempt("exception", capture.save_exceptions, [view])
        info = capture.error([view], kind, raw, error_name)
        _save_rest(capture, None)
        return capture.scene(invocation_id, info, captured_ns)
    except BaseException as second:
        return _bare_scene(None, second, kind, invocation_id, captured_ns)


def capture_answer(
    status: str, phrase: str, *, body: bytes, route: str, spec: FunctionSpec, invocation_id: str
) -> Scene:
    """The scene of an invocation that answered with the HTTP status `status`, if no exception is known.
    Failures are one if function, status, route and the answer's text without its data are the same.
    Never raises."""
    captured_ns = time.time_ns()
    try:
        from relive_capture.record.exceptions.signatures import message_shape

        capture = _Capture(spec, Budget(), ())
        text = capture.redactor.text(body[:_ANSWER_BYTES].decode("utf-8", "backslashreplace"))[:_ANSWER_CHARS]
        said = " for ".join(part for part in (phrase, capture.redactor.text(route)) if part)
        view = ExceptionView(type=status, message=said, relation="signal")
        told = {"status": f"{status} {phrase}".strip(), "body": text}
        view.details = [(name, value) for name, value in told.items() if value]
        capture.attempt("exception", capture.save_exceptions, [view])
        info = ErrorInfo(type=status, message=said, kind="response")
        info.fingerprint = fingerprint_of_names("response", status, [spec.name, route], [message_shape(text)])
        _save_rest(capture, None)
        return capture.scene(invocation_id, info, captured_ns)
    except BaseException as second:
        return _bare_scene(None, second, "response", invocation_id, captured_ns)


def error_info(error: BaseException, *, kind: str, spec: FunctionSpec) -> ErrorInfo:
    """The short form alone: type, message, place, fingerprint, traceback, without locals. Never raises."""
    kind = _exact_kind(error, kind)
    try:
        capture = _Capture(spec, Budget(), ())
        views = capture.chain.record(error)
        capture.chain.ask()
        return capture.error(views, kind, capture.chain.root_frames, error_type(error))
    except BaseException as second:
        return _bare_error(error, second, kind)


def preload() -> None:
    """For the zygote: regular expressions are compiled, and a small failure is captured a few times, so that
    the interpreter has adapted its code to the types that it meets; workers inherit that. Takes 4 ms."""
    import relive_capture.record.recording  # noqa: F401 - it needs `random`, which takes its time to import

    LazyPattern.compile_all()
    Redactor().text("warm: password=1 eyJhbGciOi.J9 4111 1111 1111 1111")
    spec = FunctionSpec(name="", version=0, handler="", source="")
    for _ in range(_WARM_ROUNDS):
        try:
            _fail()
        except ValueError as error:
            capture_exception(error, kind="exception", spec=spec, invocation_id="")


def _fail() -> None:
    items = [
        {"sku": f"sku-{index}", "count": index, "price": 1.5, "tags": ("a", index)} for index in range(16)
    ]
    budget, nothing = Budget(), None
    raise ValueError(len(items), budget, nothing)


def _save_moment(capture: _Capture) -> None:
    capture.attempt("threads", capture.save_threads)
    capture.attempt("tasks", capture.save_tasks)


def _save_rest(capture: _Capture, moment: Moment | None) -> None:
    if moment is None:
        _save_moment(capture)
    else:
        capture.members.update(moment.members)
        capture.parts.update(moment.parts)
        capture.redactions.extend(moment.redactions)
        for secret in moment.secrets:
            capture.memory.add(secret)
    capture.attempt("source", capture.save_source)
    capture.attempt("environment", capture.save_environment)


def _name_of(view: ExceptionView) -> str:
    return f"{view.module}.{view.type}"


def _exact_kind(error: BaseException, kind: str) -> str:
    if kind == "exception":
        cls = type(error)
        if issubclass(cls, RecursionError):
            return "recursion"
        if issubclass(cls, MemoryError):
            return "memory"
        if issubclass(cls, SystemExit):
            return "exit"
    return kind


def _locate(info: ErrorInfo, view: ExceptionView) -> None:
    """Where the syntax is wrong; else the innermost frame of the user's own, else the innermost one."""
    if found := _PLACE.match(view.place[0] if view.place else ""):
        info.file, info.line = found[1], int(found[2])
        return
    frames = [frame for frame in view.frames if frame.in_app] or view.frames
    if not frames and view.group:
        _locate(info, view.group[0])
    elif frames:
        last = frames[-1]
        info.file, info.line, info.function, info.module = last.file, last.line, last.function, last.module


def _small_scene(
    error: BaseException,
    second: BaseException,
    kind: str,
    spec: FunctionSpec,
    skip: tuple[str, ...],
    invocation_id: str,
    captured_ns: int,
) -> Scene:
    """The second try, with frames alone: what broke the first one was most likely a value, or memory."""
    try:
        reason = Reason(Why.CAPTURE_FAILED, (error_type(second),))
        capture = _Capture(spec, _SMALL, skip)
        capture.frames.values = False
        views = capture.chain.record(error)
        capture.attempt("exception", capture.save_exceptions, views)
        info = capture.error(views, kind, capture.chain.root_frames, error_type(error))
    except BaseException as third:
        return _bare_scene(error, third, kind, invocation_id, captured_ns)
    if "exception.json" in capture.members:
        capture.parts["exception"] = _partial([reason, Reason(Why.WITHOUT_VALUES)])
    for name in ("source", "threads", "environment"):
        capture.parts[name] = PartState(State.MISSING, [reason])
    return capture.scene(invocation_id, info, captured_ns)


def _partial(reasons: list[Reason]) -> PartState:
    return PartState(State.PARTIAL, reasons)


def _bare_error(error: BaseException | None, second: BaseException, kind: str) -> ErrorInfo:
    name = "Failure" if error is None else error_type(error)
    why = f"(its details could not be captured: {error_type(second)})"
    return ErrorInfo(type=name, message=why, kind=kind)


def _bare_scene(
    error: BaseException | None, second: BaseException, kind: str, invocation_id: str, captured_ns: int
) -> Scene:
    failed = missing(Why.CAPTURE_FAILED, error_type(second))
    parts = dict.fromkeys(("exception", "source", "threads", "environment"), failed)
    info = _bare_error(error, second, kind)
    return Scene(invocation_id=invocation_id, captured_ns=captured_ns, error=info, parts=parts)
