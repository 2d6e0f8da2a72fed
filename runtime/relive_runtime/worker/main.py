"""A worker from its first line to its last."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn, cast

from relive_base.errors import ReliveError
from relive_base.parts import Why, missing
from relive_base.wire.messages import (
    AnyFrame,
    DebugStart,
    FunctionSpec,
    HeapTaken,
    InitFailed,
    Invoke,
    Points,
    Ready,
    Skipped,
    Stop,
    TakeHeap,
)
from relive_base.wire.ring import RingWriter
from relive_base.wire.sink import FrameSink
from relive_capture.record import install_guard
from relive_capture.record.frames import InApp
from relive_profiler.record import CostMeter, Sampler
from relive_tracer.record import SIGNALLED, Telemetry

from relive_runtime.adapters import table
from relive_runtime.adapters.base import Adapter
from relive_runtime.adapters.http.streaming import Streamer
from relive_runtime.adapters.loaded import Loaded
from relive_runtime.isolation import Reached, apply
from relive_runtime.isolation.spaces import TMP
from relive_runtime.worker.calling import Caller, set_caller
from relive_runtime.worker.channel import Channel
from relive_runtime.worker.failures.background import Background
from relive_runtime.worker.failures.capturing import capture_failure
from relive_runtime.worker.failures.failed import Failed
from relive_runtime.worker.failures.forked import ForkedChild
from relive_runtime.worker.faults import watch_faults
from relive_runtime.worker.invocations import Runner, of_children_ns
from relive_runtime.worker.limits.deadline import DeadlineTimer, without_signal_frame
from relive_runtime.worker.limits.memory import Reserve, give_back
from relive_runtime.worker.limits.memory_limit import MemoryLimit
from relive_runtime.worker.outlook import WorkerOutlook
from relive_runtime.worker.outside import outside_of
from relive_runtime.worker.start.lambda_variables import log_stream
from relive_runtime.worker.start.loading import load_handler
from relive_runtime.worker.start.namesakes import give_way, originals
from relive_runtime.worker.start.process import (
    clean_environment,
    close_others,
    console_descriptor,
    cost_descriptors,
    enter_source,
    high_descriptor,
    take_over,
)
from relive_runtime.zygote.options import WorkerStart

if TYPE_CHECKING:
    from relive_runtime.adapters.service.adapter import ServiceAdapter
    from relive_runtime.points import Armed
    from relive_runtime.travel.traveller import Traveller
    from relive_runtime.worker.beside.desk import Desk

__all__ = ["preload", "run"]

_SECOND_NS: Final = 1_000_000_000
_NICE: Final = 10
_DEBUG_CALLS_S: Final = 3_600.0
"""Calls of other functions that a debugger's user makes: they have no deadline of an invocation any more."""


def preload() -> None:
    """In the zygote: import what only some workers need, and fill caches, so that no worker has to."""
    import asyncio  # noqa: F401
    import sysconfig

    import werkzeug.exceptions
    import werkzeug.wrappers  # noqa: F401
    from relive_capture.record.recording import BesideRecorder  # noqa: F401

    from relive_runtime.worker.start.rehearsal import rehearse

    table.preload()
    sysconfig.get_paths()  # parses the interpreter's build configuration: a millisecond
    rehearse()


def run(start: WorkerStart) -> NoReturn:
    """Be a worker until the server says Stop or is gone. Does not return: atexit handlers are not run, as the
    platform may end a worker at any time."""
    spec = start.spec
    host = table.host_of(spec.kind)
    if host is not None:
        host(start)
    connection = take_over(start)
    ring = RingWriter(start.ring_fd) if start.ring_fd >= 0 else None
    fault_fd = high_descriptor(start.fault_fd) if start.fault_fd >= 0 else -1
    console_fd = console_descriptor()
    measured = spec.profile != "off" and spec.kind not in table.BESIDE
    cost_fds = cost_descriptors() if measured else []
    reached = apply(spec, start.isolation)
    stream = log_stream(spec, start.pid)
    clean_environment(spec, TMP if reached.own_tmp else spec.scratch, stream)
    close_others(connection.fileno(), fault_fd, console_fd, *cost_fds)
    if fault_fd >= 0:
        watch_faults(fault_fd, connection.fileno())
    forked = ForkedChild(fault_fd)
    costs = CostMeter(*cost_fds) if measured else None
    worker = _Worker(
        start, FrameSink(connection, ring), ring, Channel(connection), forked, reached, stream, costs
    )
    if console_fd >= 0:
        worker.order_console(console_fd)
    os.register_at_fork(after_in_child=worker.channel.abandon)
    try:
        adapter = worker.load()
        if adapter is not None:
            worker.serve(adapter)
        else:
            worker.stay()
    except ReliveError:
        pass  # the server is gone
    os._exit(0)


class _Worker:
    """What is made once per process."""

    def __init__(
        self,
        start: WorkerStart,
        sink: FrameSink,
        ring: RingWriter | None,
        channel: Channel,
        forked: ForkedChild,
        reached: Reached,
        stream: str,
        costs: CostMeter | None,
    ) -> None:
        self._start = start
        self._stream = stream
        self._spec: FunctionSpec = start.spec
        self._sink = sink
        self.channel = channel
        self._forked = forked
        self._reached = reached
        self._serves = start.spec.kind in table.BESIDE
        begun = ring.begun() if ring is not None else ()
        self._telemetry = Telemetry(sink.record, start.spec, begun=begun, beside=self._serves)
        self._sampler = Sampler(
            start.spec.profile,
            source=start.spec.source,
            outlook=WorkerOutlook(self._telemetry, start.spec.profile_threads),
            costs=costs,
        )
        self._timer = DeadlineTimer(lambda: sink.busy)
        self._telemetry.interrupt_by(self._timer.cut, self._timer.disarm)
        self._outside = outside_of(self._spec, start.hash_seed, self._serves)
        self._caller = Caller(sink, channel, self._spec.call_depth, self._outside)
        self._streamer = Streamer(sink, channel, self._spec.stream_limit_bytes)
        self._reserve = Reserve()
        self._failed = Failed()
        self._interpreter = start.interpreter
        self._points: Armed | None = None  # until there is the first one
        self._traveller: Traveller | None = None  # of a replay that can be gone back in
        self._background = Background(self._spec, self._telemetry, apart=self._serves)
        self._memory_limit = MemoryLimit(self._spec, sink, self._failed, self._reserve, self.stay)

    def order_console(self, descriptor: int) -> None:
        """One order for what Python prints and what goes to the console past it."""
        self._telemetry.order_console(descriptor)

    def load(self) -> Adapter | ServiceAdapter | None:
        """Load the user's module and say so: Ready, or a Scene and InitFailed (then None)."""
        install_guard()
        self._telemetry.install()
        self._background.install()
        set_caller(self._caller)
        self._sampler.start_init()
        try:
            layers = enter_source(self._spec)
            self._outside.install()
            give_way(self._spec.source, [self._start.runtime_dir])
            for folder in layers:  # what comes before it on the path stays
                give_way(folder, [self._start.runtime_dir], sys.path[1 : sys.path.index(folder)])
            adapter = self._load_in_time()
            self._outside.loaded()
        except BaseException as error:  # user code may raise anything while it is imported
            self._interpreter.restore()
            if self._forked.here:
                self._forked.leave(error)
            self._init_failed(error)
            return None
        if self._forked.here:
            self._forked.leave()
        self._sink.send_surely(
            Ready(
                pid=self._start.pid,
                started_ns=self._start.started_ns,
                loaded_ns=time.time_ns(),
                isolation_tier=self._reached.tier,
                isolation_detail=self._reached.detail,
                cpu_ns=time.process_time_ns() + of_children_ns(),
                own_tmp=self._reached.own_tmp,
                wire=cast("ServiceAdapter", adapter).wire if self._serves else "",
                capacity=cast("ServiceAdapter", adapter).capacity if self._serves else 1,
                websockets=cast("ServiceAdapter", adapter).websockets if self._serves else False,
            )
        )
        profile = self._sampler.stop_init()
        if profile is not None and not self._sink.send(profile):
            self._sampler.not_delivered(profile)
        return adapter

    def _load_in_time(self) -> Adapter | ServiceAdapter:
        limit_s = max(self._spec.load_timeout_s, self._spec.timeout_s)
        deadline = time.monotonic_ns() + int(limit_s * _SECOND_NS)
        try:
            self._timer.arm(deadline, f"loading {self._spec.handler} took longer than {limit_s:g} s")
            function = load_handler(self._spec)
            player = self._outside.player
            loaded = Loaded(
                function, self._spec, self._stream, self._streamer, self._signalled,
                travels=player is not None and player.travels,
            )  # fmt: skip
            return table.adapter_for(loaded)
        finally:
            self._timer.disarm()

    def _signalled(self, error: BaseException) -> None:
        """An exception that is answered with a 5xx status."""
        self._telemetry.noticed.note(error, SIGNALLED)

    def _init_failed(self, error: BaseException) -> None:
        self._reserve.release()
        without_signal_frame(error)
        self._failed.keep("", error)
        failed_ns = time.time_ns()
        profile = self._sampler.stop_init()
        scene = capture_failure(
            error, kind="init", spec=self._spec, invocation_id="", early=self._sink.send_surely
        )
        self._background.add_to(scene)
        self._outside.tell(scene, None)
        self._sink.send_surely(scene)
        _flush()
        self._telemetry.end()
        if profile is not None:
            self._sink.send(profile)
        report = self._outside.report()
        if report is not None:
            self._sink.send_surely(report)
        self._sink.send_surely(
            InitFailed(
                pid=self._start.pid,
                started_ns=self._start.started_ns,
                failed_ns=failed_ns,
                error=scene.error,
                isolation_tier=self._reached.tier,
            )
        )

    def serve(self, adapter: Adapter | ServiceAdapter) -> None:
        """Until Stop. Raises ChannelClosed when the server is gone.

        After a failure the process stays as it is, with its frames and heap, until the server has it leave;
        that of a service goes on.
        """
        if self._serves:
            cast("ServiceAdapter", adapter).serve_beside(self._desk())
            return
        one_at_a_time = cast("Adapter", adapter)
        runner = self._runner()(
            self._spec,
            self._sink,
            self._telemetry,
            self._sampler,
            self._timer,
            self._caller,
            self._outside,
            one_at_a_time,
            self._reserve,
            self._failed,
            self._background,
            self._memory_limit,
            self._forked,
            self._interpreter,
            self._reached.own_tmp,
        )
        one_at_a_time.serve(_Attempts(runner, self._sink, self.channel, self._next_command, self._give_back))

    def _runner(self) -> Callable[..., Runner]:
        player = self._outside.player
        if player is None or not player.travels:
            return Runner
        from relive_runtime.travel.runner import TravelRunner
        from relive_runtime.travel.traveller import Traveller

        self._traveller = Traveller(self._spec, player)
        return partial(TravelRunner, traveller=self._traveller)

    def _desk(self) -> Desk:
        from relive_runtime.worker.beside.desk import Desk  # the zygote has imported it

        desk = Desk(
            self._spec,
            self._sink,
            self.channel,
            self._telemetry,
            self._timer,
            self._caller,
            self._background,
            self._memory_limit,
            self._failed,
            self._forked,
            self._reached.own_tmp,
            self._outside,
            self._other,
        )
        player = self._outside.player
        if player is not None and player.travels:
            from relive_runtime.travel.serving import ServedRequest
            from relive_runtime.travel.traveller import Traveller

            self._traveller = Traveller(self._spec, player)
            self._traveller.watch(self._timer)
            desk.travels = ServedRequest(self._traveller, desk.expire)
        return desk

    def _other(self, frame: AnyFrame) -> None:
        """What comes for a service that is about its process."""
        following: AnyFrame | None = frame
        while isinstance(following, DebugStart):
            following = self._debug(following)
        if isinstance(following, TakeHeap):
            self._take_heap(following)
        elif isinstance(following, Points):
            self._arm(following)
        elif isinstance(following, Stop):
            os._exit(0)  # it has failed, and was kept to be debugged

    def _give_back(self) -> None:
        self._caller.forget_event()
        give_back()

    def _next_command(self) -> AnyFrame | None:
        """The next frame from the server that is not about a failure which this process keeps."""
        frame: AnyFrame | None = self.channel.next_command()
        if type(frame) is Invoke:
            return frame
        while isinstance(frame, DebugStart):
            frame = self._debug(frame)
        if isinstance(frame, TakeHeap):
            self._take_heap(frame)
            return None
        if isinstance(frame, Points):
            self._arm(frame)
            return None
        return frame

    def _arm(self, frame: Points) -> None:
        """Breakpoints ahead and logpoints; nothing of them is loaded before there is one."""
        if self._points is None and not frame.points:
            return
        if self._points is None:
            with originals():
                from relive_runtime.points import Armed
                from relive_runtime.points.holding import Holding

            holding = Holding(
                self._spec,
                self._sink,
                self._telemetry,
                self._outside,
                self._failed,
                self._memory_limit.leave,
                self.stay,
            )
            roots = [self._spec.source, *self._spec.in_app]
            hold = None if self._serves else holding.hold
            self._points = Armed(
                roots, self._sink, self.channel, self._caller, self._telemetry, hold, self._spec.redact_keys
            )
        self._points.arm(frame.points)

    def stay(self) -> NoReturn:
        """After the module could not be loaded, or the code was stopped where it is: do what the server wants
        of this process, then leave."""
        try:
            while not isinstance(self._next_command(), Stop):
                pass
        except ReliveError:
            pass  # the server is gone
        os._exit(0)

    def _take_heap(self, command: TakeHeap) -> None:
        from relive_capture.record.heap import take_heap  # the zygote has imported it

        if not command.goes_on:
            os.nice(_NICE)  # invocations come first; this process gets no further one
        failed = self._failed
        if command.goes_on and failed.invocation_id != command.invocation_id:
            self._sink.send_surely(
                HeapTaken(invocation_id=command.invocation_id, part=missing(Why.WALK_FRAMES_GONE))
            )
            return
        if failed.invocation_id not in ("", command.invocation_id):  # "": while the module was loaded
            failed = Failed()  # nothing has failed: a baseline
        with originals():
            taken = take_heap(command, self._spec, failed.error, failed.frame)
        if command.goes_on:
            self._failed.forget()
        self._sink.send_surely(taken)

    def _debug(self, start: DebugStart) -> AnyFrame | None:
        """Let somebody debug the failure that this process keeps; gives what is to be dealt with after it."""
        from relive_runtime.debugger import FrameLink, debug_failure  # rarely needed

        link = FrameLink(self._sink, self.channel, start.session)
        failure = self._failed.error or self._failed.frame
        reason = "this process has not failed"
        if failure is not None and self._traveller is not None:
            from relive_runtime.travel.session import travel

            reason = travel(failure, link, self._traveller)
        elif failure is not None:
            self._caller.extend(_DEBUG_CALLS_S)
            own = InApp.of(self._spec, here=True)
            reason = debug_failure(failure, link, lambda file: own.place(file)[0], own.shown)
        link.end(reason)
        return link.following


class _Attempts:
    """The events that the server sends, as an adapter takes them."""

    def __init__(
        self,
        runner: Runner,
        sink: FrameSink,
        channel: Channel,
        next_command: Callable[[], AnyFrame | None],
        give_back: Callable[[], None],
    ) -> None:
        """`give_back`: memory, after a large event."""
        self._runner = runner
        self._sink = sink
        self._channel = channel
        self._next_command = next_command
        self._give_back = give_back
        self._reusable = True

    def take(self) -> Invoke | None:
        """The next one; None after Stop. Raises ChannelClosed when the server is gone."""
        if self._runner.large and self._reusable:
            self._runner.large = False
            self._give_back()
        while True:
            if not self._channel.pending:
                self._sink.watched = False  # the server does not look at one that waits
            frame = self._next_command()
            if isinstance(frame, Stop):
                return None
            if isinstance(frame, Invoke) and self._reusable:
                if not _late(frame):
                    return frame
                self._sink.send_surely(Skipped(invocation_id=frame.invocation_id))

    def run(self, invoke: Invoke) -> None:
        """Run it, and tell the server."""
        self._reusable = self._runner.run(invoke, self._channel.pending)


def _late(invoke: Invoke) -> bool:
    """Whether an event that was sent ahead has waited too long: the server gives it to another worker."""
    limit_ns = invoke.start_before_monotonic_ns
    return bool(limit_ns) and time.monotonic_ns() >= limit_ns


def _flush() -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except Exception:
        # The user's own stream; the worker leaves anyway.
        return
