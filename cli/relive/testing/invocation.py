"""An invocation as it was, run in the test's own process."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import relive_base.ids  # noqa: F401  # before chance is replayed: its random bytes are not the function's
from relive_base.errors import ReliveError
from relive_runtime.worker.start.namesakes import own_modules

__all__ = ["Invocation"]

_NS: Final = 1_000_000_000
_HINT: Final = "the test has the calls of the failed invocation only; add the new one to its CALLS"


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One invocation of a function.

    `event`: what the handler gets; bytes are taken as they came. `request`: instead of an event, an HTTP
    request (fields of relive_base.wire.messages.HttpRequest). `calls`, `seeds`, `init_seeds`: entries of
    a scene's cassette.json and the seeds of its replay.json. `files`: what the handler finds at paths outside
    of the code, from there, too; what it writes goes nowhere. `apart`: run it in a process of its own, for
    failures that end the process; `memory_mb` is a limit there. `beside`: an exception in a thread or in
    a task that nobody awaited, which reaches no caller, is raised by `run`, too.
    """

    handler: str
    source: str | os.PathLike[str]
    event: Any = None
    request: Mapping[str, Any] | None = None
    kind: str = "event"
    function: str = "function"
    version: int = 0
    invocation_id: str = ""
    trace_id: str = "0" * 32
    trigger: str = "api"
    attempt: int = 1
    timeout_s: float = 3.0
    memory_mb: int = 256
    environment: Mapping[str, str] = field(default_factory=dict)
    calls: Sequence[Mapping[str, Any]] = ()
    seeds: Mapping[str, Any] | None = None
    init_seeds: Mapping[str, Any] | None = None
    files: Sequence[Mapping[str, Any]] = ()
    result_limit_bytes: int = 6_291_456
    apart: bool = False
    beside: bool = False

    def run(self) -> Any:
        """What the handler returned: the value of its JSON, or the body's text for an HTTP answer.

        Raises what the handler raises; what is behind an HTTP answer with a 5xx status, ServerError if
        that is not known; Timeout, BadResult and BadEvent as on the platform; FunctionDied.
        """
        __tracebackhide__ = True
        if self.apart:
            from relive.testing.apart import run_apart

            return run_apart(self._run, self.timeout_s, self.memory_mb)
        try:
            return self._run()
        except BaseException as error:
            failure = _from_own_code(error, str(Path(self.source).absolute()))
        raise failure  # here, and not above: nothing is added to its context

    def _run(self) -> Any:
        from relive_runtime.adapters.base import Attempt
        from relive_runtime.adapters.loaded import Loaded
        from relive_runtime.adapters.results import limit_size
        from relive_runtime.adapters.table import adapter_for
        from relive_runtime.worker.start.loading import load_handler

        from relive.testing.answers import watched_answers

        spec = self._spec()
        with ExitStack() as stack:
            if self.beside:
                from relive.testing.beside import raised_beside

                stack.enter_context(raised_beside(self.timeout_s))
            outside = stack.enter_context(_played(spec))
            stack.enter_context(_in_source(Path(spec.source), self._variables()))
            limit = stack.enter_context(_time_limit(self.function, self.timeout_s))
            watch = stack.enter_context(watched_answers())
            adapter = _one_at_a_time(
                adapter_for(Loaded(load_handler(spec), spec, "test", notice=watch.signalled)), spec
            )
            watch.loaded()
            stack.callback(adapter.close)
            invoke = self._invoke(limit.deadline_ns)
            attempt = Attempt(invoke)
            stack.enter_context(_calls_answered(outside, invoke))
            arguments = adapter.decode(attempt)
            outside.begin(0)
            value = adapter.call(arguments)
            if limit.raised is not None:
                raise limit.raised  # whatever the handler made of it, the invocation has timed out
            answer = adapter.encode(attempt, value)
            limit_size(len(answer.body), self.result_limit_bytes)
            if invoke.http is not None:
                watch.check(answer.status, answer.body)
        return _plain(answer.body, answer.content_type)

    def _spec(self) -> Any:
        from relive_base.wire.messages import FunctionSpec
        from relive_capture.recording_format import RecordedCall, RecordedFile, ReplayInput, Seeds

        script = ReplayInput(
            recorded_calls=msgspec.convert(list(self.calls), list[RecordedCall]),
            seeds=msgspec.convert(self.seeds or {}, Seeds),
            init_seeds=msgspec.convert(self.init_seeds, Seeds) if self.init_seeds is not None else None,
            init_files=msgspec.convert(list(self.files), list[RecordedFile]),
        )
        return FunctionSpec(
            name=self.function,
            version=self.version,
            handler=self.handler,
            kind=self.kind,
            source=str(Path(self.source).absolute()),
            timeout_s=self.timeout_s,
            memory_mb=self.memory_mb,
            replay=msgspec.msgpack.encode(script),
        )

    def _invoke(self, deadline_ns: int) -> Any:
        from relive_base.wire.messages import HttpRequest, Invoke

        http = None
        if self.request is not None:
            http = _http_request(HttpRequest, self.request)
        event = self.event if isinstance(self.event, bytes) else json.dumps(self.event).encode()
        return Invoke(
            invocation_id=self.invocation_id,
            trace_id=self.trace_id,
            span_id="0" * 16,
            deadline_monotonic_ns=deadline_ns,
            event=b"" if http is not None else event,
            http=http,
            attempt=self.attempt,
            trigger=self.trigger,
        )

    def _variables(self) -> dict[str, str]:
        return {
            "AWS_LAMBDA_FUNCTION_NAME": self.function,
            "AWS_LAMBDA_FUNCTION_VERSION": str(self.version),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "LAMBDA_TASK_ROOT": str(Path(self.source).absolute()),
            "RELIVE_FUNCTION": self.function,
            **self.environment,
        }


def _one_at_a_time(adapter: Any, spec: Any) -> Any:
    """The adapter, if its handlers are called one at a time."""
    if not hasattr(adapter, "decode"):
        from relive_base.errors import UsageError

        raise UsageError(
            f"{spec.name} is a service: its requests run beside each other",
            hint="test it with the client for tests that its framework has, such as TestClient",
        )
    return adapter


def _http_request(make: Any, given: Mapping[str, Any]) -> Any:
    """Header names in lower case, the body as bytes."""
    body = given.get("body", b"")
    fields = {
        "path": "/",
        "host": "localhost",
        "client": "127.0.0.1",
        **given,
        "headers": [(str(name).lower(), str(text)) for name, text in given.get("headers", ())],
        "body": body.encode() if isinstance(body, str) else bytes(body),
    }
    return make(**fields)


def _from_own_code(error: BaseException, source: str) -> BaseException:
    """The error with a traceback that begins in the function's code, as far as it has been there."""
    trace = error.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(source):
        trace = trace.tb_next
    return error.with_traceback(trace) if trace is not None else error


def _plain(body: bytes, content_type: str) -> Any:
    if content_type == "application/json":
        try:
            return json.loads(body) if body else None
        except ValueError:
            pass  # the handler only said so
    return body.decode("utf-8", "replace")


@contextmanager
def _played(spec: Any) -> Iterator[Any]:
    """Calls, clock and chance as they were, from before the module is loaded."""
    from relive_runtime.worker.outside import replayed

    outside = replayed(spec, _HINT)
    try:
        outside.install()
        yield outside
    finally:
        outside.uninstall()


@contextmanager
def _calls_answered(outside: Any, invoke: Any) -> Iterator[None]:
    """`relive.invoke`, `relive.send` and `relive.emit` are answered from the calls, too."""
    from relive_runtime.worker.calling import Caller, current_caller, set_caller

    nobody: Any = None  # all is answered before a server would be asked
    caller = Caller(nobody, nobody, 16, outside)
    caller.begin(invoke)
    before = current_caller()
    set_caller(caller)
    try:
        yield
    finally:
        set_caller(before)


@contextmanager
def _in_source(source: Path, variables: dict[str, str]) -> Iterator[None]:
    """The source folder as a worker has it: first on the path, the working folder, its modules new."""
    if not source.is_dir():
        raise ReliveError(
            "the function's source is not there", where=str(source), hint="correct SOURCE in the test"
        )
    path, folder, environment = list(sys.path), Path.cwd(), dict(os.environ)
    _forget(source)
    sys.path.insert(0, str(source))
    os.environ.update(variables)
    os.chdir(source)
    try:
        with own_modules(str(source)):
            yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        _forget(source)


def _forget(source: Path) -> None:
    """Modules of the function, so that each run loads them anew and no other test gets them."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and Path(file).is_relative_to(source):
            del sys.modules[name]


class _Limit:
    """A time limit that is on."""

    def __init__(self, deadline_ns: int, timer: Any) -> None:
        self.deadline_ns = deadline_ns
        self._timer = timer

    @property
    def raised(self) -> BaseException | None:
        return self._timer.raised if self._timer is not None else None


@contextmanager
def _time_limit(function: str, timeout_s: float) -> Iterator[_Limit]:
    """The platform's own timer; only the main thread can have it."""
    import signal
    import time

    from relive_runtime.worker.limits.deadline import DEADLINE_SIGNAL, DeadlineTimer, without_signal_frame

    deadline_ns = time.monotonic_ns() + int(timeout_s * _NS)
    if threading.current_thread() is not threading.main_thread():
        yield _Limit(deadline_ns, None)
        return
    before = signal.getsignal(DEADLINE_SIGNAL)
    timer = DeadlineTimer(lambda: False)
    try:
        timer.arm(deadline_ns, f"{function} ran longer than its {timeout_s:g} s")
        yield _Limit(deadline_ns, timer)
    except BaseException as error:
        timer.disarm()
        without_signal_frame(error)
        raise
    finally:
        timer.close()
        signal.signal(DEADLINE_SIGNAL, before)
