"""The server: puts the rooms together, starts them in order and stops them in reverse.

One event loop runs everything but what blocks. `ReliveServer`'s coroutines belong to that loop; from another
thread use `call`, which runs one there and waits.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import msgspec
from relive_base.errors import Refused
from relive_base.garbage import settle
from relive_base.resource import relive_version
from relive_base.wire.messages import FunctionSpec
from relive_runtime.folder import build_runtime

from relive_platform.alerts.telling import AlertTelling
from relive_platform.api.aws.credentials import aws_environment
from relive_platform.api.aws.model.loading import BotocoreMissing
from relive_platform.engine.engine import Engine
from relive_platform.engine.errors import EventSizes
from relive_platform.engine.invocation import InvokeRequest, Outcome, StreamReader
from relive_platform.engine.pointing import PointWanted, check_point
from relive_platform.inbox.folder import Inbox
from relive_platform.registry import Deployed, FunctionVersion, Progress
from relive_platform.registry.application import Given
from relive_platform.registry.cancellation import Cancellation
from relive_platform.resources.database.provider import DatabaseProvider
from relive_platform.resources.queue.naming import QueueNaming
from relive_platform.resources.queue.provider import QueueProvider
from relive_platform.resources.queue.queues import MessageQueues
from relive_platform.server.alerts import Alerts
from relive_platform.server.doors import doors
from relive_platform.server.functions import Functions
from relive_platform.server.gateways.keeper import Gateways
from relive_platform.server.home import AlreadyRunning, UnusableHome, own_home, require_whole
from relive_platform.server.home_token import home_token
from relive_platform.server.inbox import InboxDoor, InboxWatch
from relive_platform.server.locate import ServerInfo
from relive_platform.server.mappings import queue_mappings
from relive_platform.server.metrics import PlatformMetrics
from relive_platform.server.orders import orders_of
from relive_platform.server.otlp_in import otlp_in
from relive_platform.server.own_events import OwnEvents
from relive_platform.server.parts import (
    access_of,
    collector_options,
    engine_limits,
    journal_of,
    listener_limits,
    message_limits,
    queue_limits,
    registry_of,
    retention_of,
    socket_limits,
    wire_limits,
)
from relive_platform.server.process_limits import MemoryKeeper
from relive_platform.server.processes import ProcessTimes
from relive_platform.server.resources import Resources
from relive_platform.server.status import status_of
from relive_platform.server.store_keeper import StoreHealth, StoreKeeper
from relive_platform.server.trial import WorkerTrial
from relive_platform.server.warmth import WarmthTeller
from relive_platform.settings import Settings
from relive_platform.signals.exporters.followers import Follower
from relive_platform.signals.handover.collector import Collector, CollectorLimits
from relive_platform.signals.handover.process import spawn
from relive_platform.triggers.base import Source
from relive_platform.triggers.batches.sending import QueueSender
from relive_platform.triggers.batches.source import BatchSource
from relive_platform.triggers.call.calls import Calls
from relive_platform.triggers.destinations.delivery import Deliveries
from relive_platform.triggers.destinations.router import Destinations
from relive_platform.triggers.grpc.source import GrpcSource
from relive_platform.triggers.http.app import Gateway, GatewayLimits
from relive_platform.triggers.http.connections.listener import HttpListener
from relive_platform.triggers.http.propagation import Propagation
from relive_platform.triggers.http.source import HttpSource
from relive_platform.triggers.pull.desk import Desk
from relive_platform.triggers.pull.state import SourceState
from relive_platform.triggers.pull.wiring import pull_sources
from relive_platform.triggers.queue.backoff import Backoff
from relive_platform.triggers.queue.consumer import Consumer
from relive_platform.triggers.queue.events import EventQueue
from relive_platform.triggers.queue.publisher import Accepted, Publisher
from relive_platform.triggers.table import KINDS
from relive_platform.triggers.timer import TimerService
from relive_platform.triggers.timer.source import TimerSource
from relive_platform.triggers.ways import Ways

if TYPE_CHECKING:
    from relive_platform.server.aws import AwsApi

__all__ = ["AlreadyRunning", "ControlApi", "ReliveServer", "UnusableHome"]

_THREADS: Final = 8
_NOWHERE: Final = "http://aws.relive.invalid"
_APPLY_S: Final = 60.0  # for the commits of timers, too
_STORE_ANSWERS_S: Final = 10.0
_FLUSH_S: Final = 10.0
_OTLP_OPENS_S: Final = 5.0  # a second as a rule
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Describing(Protocol):
    """Sources that say how they stand."""

    def describe(self) -> Sequence[SourceState]: ...


class ControlApi(Protocol):
    """The control API in front of a server: `start` gives its address. Both may block."""

    def start(self) -> str: ...
    def stop(self) -> None: ...


class ReliveServer:
    """One server on one home. `start`, then `stop`; both on the event loop."""

    def __init__(self, settings: Settings, api: Callable[[ReliveServer], ControlApi] | None = None) -> None:
        self.settings = settings
        self.home = settings.home
        self.run_dir = settings.run_dir
        self.started_ns = 0
        self.stopped = asyncio.Event()
        self.stop_requested = asyncio.Event()
        self.http_address = ""
        self.api_address = ""
        self.aws_address = ""
        self.aws: AwsApi | None = None
        self.aws_problem = ""
        self._opening_aws = asyncio.Lock()
        self._token = ""
        self._api_factory = api
        self._drain_s = settings.stop_timeout_s
        self._stack = AsyncExitStack()
        self.times = ProcessTimes(self._pids, lambda: self.engine.dispatcher.ended + self.gateways.ended)

    async def start(self) -> None:
        """Start everything; run/server.json is there when this returns. Raises ReliveError."""
        self.loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self.executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="relive")
        self._stack.callback(self.executor.shutdown, wait=False, cancel_futures=True)
        memory = MemoryKeeper()
        memory.start()
        self._stack.callback(memory.stop)
        try:
            self._own_home()
            await self._start_store()
            await self._start_collector()
            self._start_workers()
            await self._start_events()
            await self._start_sources()
            await self._start_api()
            await self.store_keeper.settled(self.settings.store_wait_s)
            await self._start_otlp()
        except BaseException:
            await self.stop(0.0)
            raise
        self.started_ns = time.time_ns()
        self.times.start()
        self._stack.callback(self.times.stop)
        settle()
        self._announce()

    def _own_home(self) -> None:
        """Take the home's lock; it ends with this process, whatever happens."""
        self._stack.callback(os.close, own_home(self.home, self.run_dir))
        require_whole(self.home, self.run_dir)
        (self.run_dir / "server.json").unlink(missing_ok=True)
        shutil.rmtree(self.run_dir / "scratch", ignore_errors=True)

    async def _start_store(self) -> None:
        """Begin to start the store. Nothing waits for it yet, and nothing but reading needs it."""
        from relive_store import open_store

        make = None
        if self.settings.embedded:
            from relive_store import StoreProcess, dismiss

            await self.loop.run_in_executor(self.executor, dismiss, self.run_dir / "reader.sock")
            folder, socket_path, log = (
                self.home / "store",
                self.run_dir / "store.sock",
                self.run_dir / "store.log",
            )
            make = lambda: StoreProcess(folder, socket_path, log_path=log)  # noqa: E731
        self.store = await self.loop.run_in_executor(self.executor, open_store, self.settings.store_url)
        self._stack.callback(self.store.close)
        self._retention = retention_of(self.settings, self.store, self.executor)
        self._stack.push_async_callback(self._retention.close)
        self.metrics = PlatformMetrics(self.settings, self.store, self.executor)
        self.store_keeper = StoreKeeper(make, self._prepare_store, self._ask_store, self._store_changed)
        self._stack.push_async_callback(self.store_keeper.close)
        self.store_keeper.start()

    async def _prepare_store(self) -> None:
        await self.loop.run_in_executor(self.executor, self.store.migrate)
        await self._retention.start()

    def _ask_store(self) -> None:
        self.store.query("SELECT 1", timeout_s=_STORE_ANSWERS_S)

    def _store_changed(self, health: StoreHealth) -> None:
        """Those who read find out from run/server.json how the store is."""
        if self.started_ns:
            self._announce()

    async def _start_collector(self) -> None:
        run = time.time_ns()
        options = collector_options(self.settings, run)
        log = self.run_dir / "collector.log"
        self.collector = Collector(
            lambda control: spawn(control, options, log),
            CollectorLimits(
                scenes_waiting=self.settings.scenes_waiting, pending_bytes=self.settings.pending_bytes
            ),
            redact_keys=self.settings.redact_keys,
            journal=journal_of(self.settings, run),
            observe=self.metrics.observe,
        )
        self.metrics.send = self.collector.own_metrics
        self._stack.push_async_callback(self.collector.close, _FLUSH_S)
        await self.collector.start()

    def _start_workers(self) -> None:
        settings = self.settings
        self.runtime = build_runtime(self.home)
        limits = engine_limits(settings)
        self.engine = Engine(self.collector, self.runtime, self.run_dir, self.executor, limits)
        self._stack.push_async_callback(self.engine.close)

    async def _start_events(self) -> None:
        settings = self.settings
        self.registry = await self.loop.run_in_executor(self.executor, registry_of, settings)
        self._stack.callback(self.registry.close)
        self.queues = MessageQueues(self.home / "queues.db", message_limits(settings))
        self._stack.push_async_callback(self._blocking, self.queues.close)
        self.queue_naming = QueueNaming(address=self._aws_base, account=settings.aws_account)
        queues = QueueProvider(self.queues, self.queue_naming, self._aws_environment)
        own = self.own_events = OwnEvents(self.home, self._aws_environment, self.engine.dispatcher.hops.of)
        self.resources = Resources(
            self.registry,
            self.executor,
            {"queue": queues, "database": DatabaseProvider(self.home, os.environ), **own.providers},
        )
        self.queue = EventQueue(
            self.home / "events.db",
            limits=queue_limits(settings),
            backoff=Backoff(settings.backoff_s, settings.backoff_limit_s),
            on_ready=lambda: self.consumer.wake(),
        )
        self._stack.callback(self.queue.close)
        self.publisher = Publisher(self.queue, self._serving, self.span, lambda: self.functions.names())
        own.publish_by(self.publisher)
        self.publisher.elsewhere["queue"] = QueueSender(self.queues, self.batches_named, self.span)
        telling = AlertTelling(own.alarms, self.queue, os.environ)
        self.alerts = Alerts(self.home, self.store, self.metrics.own, telling, self.executor)
        self._stack.push_async_callback(self.alerts.close)
        own.alarms.alerts = self.alerts.names
        self.metrics.alerts = self.alerts.families
        self.publisher.elsewhere["alert"] = self.alerts.put
        self.publisher.named = lambda name: "queue" if name in self.batches_named() else ""
        self.destinations = Destinations(
            self._serving, Deliveries(self.publisher.elsewhere), settings.call_depth
        )
        self.queue.on_death(self.destinations.after_death)
        self.consumer = Consumer(
            self.queue,
            self.engine.dispatcher,
            self._in_flight,
            settings.lease_s,
            self.ready,
            self.destinations,
        )
        self.event_sizes = EventSizes(settings.body_limit_bytes, settings.async_body_limit_bytes)
        calls = Calls(self.engine, settings.call_depth, self.publisher, self.event_sizes, self.ready)
        self.engine.start(calls)
        gateway_limits = GatewayLimits(
            settings.body_limit_bytes,
            settings.async_body_limit_bytes,
            settings.bodies_limit_bytes,
            settings.service_body_limit_bytes,
        )
        self.gateway = Gateway(
            self.engine.dispatcher,
            self.publisher,
            gateway_limits,
            access_of(settings),
            Propagation(os.environ.get("OTEL_PROPAGATORS", "")),
            socket_limits(settings),
            ready=self.ready,
        )
        inbox = Inbox(self.home / "inbox")
        self.inbox = InboxWatch(inbox, self.home / "scenes", settings.store_url, settings.scenes)
        self._stack.push_async_callback(self.inbox.close)
        self.gateway.scenes = InboxDoor(inbox, home_token(settings))
        self.functions = Functions(settings, self.engine, self._environment, self.resources.folders)
        self.listener_limits = listener_limits(settings)
        self.listener = HttpListener(self.gateway, self.listener_limits)
        self.gateways = Gateways(self, calls, settings.gateways)
        self._stack.push_async_callback(self.gateways.close)
        self.timers = TimerService(self.queue, grace_s=settings.timer_grace_s)
        http = HttpSource(
            self.gateway, self.listener, settings.http_address, settings.error_details, doors(os.environ)
        )
        self.batches = BatchSource(self.queues, self.invoke, self.queue_naming, self.span)
        ways = Ways(self.engine.submit, self.publisher)
        more = [kind.source(ways) for kind in KINDS.values() if kind.source is not None]
        self.pulls = pull_sources(
            Desk(self.queue, self.publisher, self.loop, os.environ, settings.async_body_limit_bytes)
        )
        timers = TimerSource(self.timers, self.executor)
        grpc = self.listener.http2 = GrpcSource(self.engine, settings.http_address, wire_limits(settings))
        # as they start
        self._sources: list[Source] = [timers, self.batches, *own.sources, *more, *self.pulls, grpc, http]
        self.described: list[Describing] = [*self.pulls, self.batches, own, http]  # for `relive status`
        self.registry.set_trial(
            WorkerTrial(self.loop, self.engine, self.functions.worker_of, settings.trial_timeout_s)
        )
        self._teller = WarmthTeller(self.engine.warmth, self.store, self.timers.next_runs, self.executor)
        self._stack.push_async_callback(self._teller.close)
        await self.resources.apply()
        if settings.lambda_address is not None or self.resources.declares("queue", "bus"):
            await self._open_aws()
        await self._apply(self.registry.functions())
        await self.mappings_changed()
        self.registry.on_change(self._changed)
        self.consumer.start()
        self._teller.start()

    async def _open_aws(self) -> None:
        """Take the address of AWS's APIs: functions may be told it. Without botocore there are none, which is
        an error only if they were asked for by name."""
        async with self._opening_aws:
            if self.aws is not None or self.aws_problem:
                return
            await self._blocking(lambda: import_module("relive_platform.server.aws"))  # botocore's models
            from relive_platform.server.aws import AwsApi, services_of

            wanted = self.settings.lambda_address
            self._token = home_token(self.settings)
            try:
                self.aws = AwsApi(
                    self.settings,
                    wanted,
                    services_of(self),
                    self._token,
                    self.functions.applications,
                )
            except BotocoreMissing as error:
                if wanted is not None:
                    raise
                self.aws_problem = f"{error.message}: {error.hint}"
                _log.warning("functions cannot use SQS's API: %s", self.aws_problem)
                return
            self.aws_address = self.aws.bind()
            self._stack.push_async_callback(self.aws.close)
            if self.http_address:  # a deploy has asked for it
                await self.aws.start()
                self._announce()

    def _aws_base(self) -> str:
        """Where AWS's APIs are. A deploy's thread may ask before anybody else has."""
        if not self.aws_address and threading.get_ident() != self._loop_thread:
            self.call(self._open_aws(), _APPLY_S)
        return self.aws_address or _NOWHERE

    def _aws_environment(self, app: str) -> dict[str, str]:
        """What boto3 in a function of an application needs to talk to queues."""
        base = self._aws_base()
        return aws_environment(base, self._token, app) if base != _NOWHERE else {}

    async def _start_sources(self) -> None:
        await self.gateways.start()
        await self.resources.start()
        self._stack.push_async_callback(self.resources.close)
        for source in self._sources:
            await source.start()
            self._stack.push_async_callback(source.close)
        self.http_address = self.listener.address
        if self.aws is not None:
            await self.aws.start()
        self._stack.push_async_callback(self.metrics.close)  # before all that the status looks at
        await self.metrics.start(lambda: status_of(self))
        self.alerts.start()
        self.inbox.start()

    async def _start_api(self) -> None:
        if self._api_factory is None:
            return
        api = self._api_factory(self)
        self._stack.push_async_callback(self._blocking, api.stop)
        self.api_address = await self.loop.run_in_executor(self.executor, api.start)

    async def _start_otlp(self) -> None:
        """Last: other programs' telemetry comes when it can. Who has named an address may count on it."""
        self.otlp_in = otlp_in(self.settings, self.run_dir / "otlp.log")
        if self.otlp_in.child is not None:
            self._stack.push_async_callback(self.otlp_in.child.close)
            await self.otlp_in.child.start()
            await self.otlp_in.opened(_OTLP_OPENS_S)

    def _announce(self) -> None:
        info = ServerInfo(
            pid=os.getpid(),
            http=self.http_address,
            api=self.api_address,
            store=self.settings.store_url,
            version=relive_version(),
            started_ns=self.started_ns,
            aws=self.aws_address,
            metrics=self.metrics.address,
            store_problem="" if self.store_keeper.ready else self.store_keeper.health.reason,
        )
        path = self.run_dir / "server.json"
        draft = path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_bytes(msgspec.json.encode(info))
        draft.replace(path)

    async def _blocking(self, work: Callable[[], object]) -> None:
        await self.loop.run_in_executor(self.executor, work)

    def request_stop(self, drain_s: float = 0.0) -> int:
        """Have the server stop soon; gives its pid. From any thread."""
        if drain_s > 0:
            self._drain_s = drain_s
        self.loop.call_soon_threadsafe(self.stop_requested.set)
        return os.getpid()

    async def stop(self, drain_s: float | None = None) -> None:
        """Stop in order: no new events, running ones get `drain_s`, telemetry is flushed, all ends."""
        if self.started_ns:
            (self.run_dir / "server.json").unlink(missing_ok=True)
        limit = self._drain_s if drain_s is None else drain_s
        if hasattr(self, "listener"):
            self.listener.stop_accepting()
        if self.aws is not None:
            self.aws.stop_accepting()
        if hasattr(self, "consumer"):
            await self.consumer.stop()
            if hasattr(self, "batches"):
                await self.batches.stop()
            if hasattr(self, "gateways"):
                limit = await self.gateways.drain(limit)
            await self.engine.drain(limit)
            await self.consumer.close(0.1)
        await self._stack.aclose()
        self.stopped.set()

    def call(self, work: Coroutine[Any, Any, _T], timeout_s: float | None = None) -> _T:
        """Run a coroutine of the server from another thread and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    # What the rooms need of each other.

    def _pids(self) -> dict[str, int]:
        own = {"server": os.getpid(), "collector": self.collector.stats.pid, "store": self.store_keeper.pid}
        return own | self.gateways.pids()

    def _environment(self, version: FunctionVersion) -> dict[str, str]:
        told = self.aws.variables(version) if self.aws is not None else {}
        return told | self.resources.environment(version)

    def _serving(self, name: str) -> FunctionVersion | None:
        return self.functions.receiver(name)

    def span(self, spec: FunctionSpec, invocation_id: str, span: Any, sampled: bool) -> None:
        """A span of the platform's own that belongs to no attempt."""
        self.collector.platform_span(spec, invocation_id, span, sampled)

    def batches_named(self) -> Mapping[str, str]:
        """The queues of messages that functions in service know, by their names in relive.toml."""
        return self.batches.named

    def _in_flight(self) -> dict[str, int]:
        return {name: version.config.max_workers for name, version in self.functions.serving.items()}

    async def _apply(self, versions: list[FunctionVersion]) -> None:
        """The newest routes come with the newest pools: nothing else runs in between."""
        aliases = self.registry.aliases.all()
        serving = {version.name: version.version for version in versions}
        orders = orders_of(self.registry.notes, aliases, serving)
        self.functions.apply(versions, aliases, self.registry.named(), orders)
        self.gateways.lend(versions)  # before a pool could go by the limits that are its own and others'
        for source in reversed(self._sources):
            await source.apply(versions)
        await self.gateways.tell()
        await self.alerts.apply(await self.loop.run_in_executor(self.executor, self.registry.alerts))

    def _changed(self, versions: list[FunctionVersion]) -> None:
        """After a deploy, in its thread: it returns when the new version is what is served."""
        asyncio.run_coroutine_threadsafe(self._apply_all(versions), self.loop).result(_APPLY_S)

    async def _apply_all(self, versions: list[FunctionVersion]) -> None:
        await self.resources.apply()
        if self.resources.declares("queue", "bus"):
            await self._open_aws()
        await self._apply(versions)

    # What the control API calls; on the loop, or through `call`.

    async def invoke(self, request: InvokeRequest) -> Outcome:
        """Run one event and wait. Raises UnknownFunction; failures are in the outcome."""
        await self.ready(request.function, request.qualifier or str(request.version or ""))
        return await self.engine.submit(request)

    async def begin(self, request: InvokeRequest, waiter: StreamReader) -> None:
        """Run one event, and give `waiter` its answer in parts. Raises UnknownFunction."""
        await self.ready(request.function, request.qualifier or str(request.version or ""))
        self.engine.dispatcher.begin(request, waiter)

    async def ready(self, function: str, qualifier: str) -> None:
        """Have the version that `qualifier` names ready, if it is a number. Raises UnknownFunction."""
        serving = self.functions.serving.get(function)
        if serving is None or not (qualifier.isascii() and qualifier.isdigit()):
            return
        number = int(qualifier[:10])
        if number and serving.version != number:
            found = await self.loop.run_in_executor(self.executor, self.registry.get, function, number)
            self.functions.prepare(found)

    async def mappings_changed(self) -> None:
        """Event source mappings of Lambda's API are others now."""
        mappings = await self.loop.run_in_executor(self.executor, queue_mappings, self.registry.notes)
        await self.batches.apply_mappings(mappings)

    async def publish(self, request: InvokeRequest, idempotency_key: str = "") -> Accepted:
        """Put an event on the durable queue; returns when it is committed."""
        return await self.publisher(request, idempotency_key)

    def deploy(
        self,
        path: Path,
        name: str = "",
        handler: str = "",
        progress: Callable[[Progress], None] | None = None,
        *,
        take_over: bool = False,
        delete_data: bool = False,
        sender: str = "",
        cancelled: Cancellation | None = None,
        given: Given | None = None,
    ) -> list[Deployed]:
        """Deploy a folder or a zip. Blocks; call it from another thread than the loop's."""
        return self.registry.deploy(
            path,
            name=name or None,
            handler=handler or None,
            progress=progress or (lambda _: None),
            take_over=take_over,
            delete_data=delete_data,
            sender=sender,
            cancelled=cancelled,
            given=given,
        )

    async def why_warm(self, function: str) -> dict[str, Any]:
        """Why workers of a function are kept while it is idle. Raises UnknownFunction."""
        return self.engine.why_warm(function)

    async def profile_next(self, function: str, count: int, engine: str = "precise") -> int:
        """Profile the next `count` invocations of a function with `engine`."""
        self.engine.profile_next(function, count, engine)
        return count

    async def arm_point(self, wanted: PointWanted) -> dict[str, Any]:
        """A breakpoint or logpoint in the version that is in service. Raises ReliveError."""
        folder = Path(self.engine.folder_of(wanted.function))
        wanted = await asyncio.to_thread(check_point, wanted, folder)
        if Path(self.engine.folder_of(wanted.function)) != folder:
            raise Refused(f"another version of {wanted.function} was deployed meanwhile", hint="ask again")
        row = self.engine.arm_point(wanted)
        await self.gateways.tell_points(wanted.function)
        return row

    async def points(self) -> list[dict[str, Any]]:
        """Breakpoints and logpoints that are armed."""
        return self.engine.points()

    async def remove_point(self, number: int) -> dict[str, Any]:
        """Raises NotFound."""
        row = self.engine.remove_point(number)
        await self.gateways.tell_points(row["function"])
        return row

    async def heap_next(self, function: str) -> int:
        """Have the next invocation of a function that succeeds leave its heap; gives the version."""
        return self.engine.heap_next(function)

    async def follow(self, function: str = "") -> Follower:
        """Begin to follow log lines; give the follower back to `unfollow`."""
        follower = self.collector.followers.add(function)
        self.gateways.follow()
        return follower

    async def unfollow(self, follower: Follower) -> None:
        """Stop to follow."""
        self.collector.followers.remove(follower)

    async def flush(self, timeout_s: float = _FLUSH_S) -> bool:
        """Have everything recorded so far in the store, with what answered invocations still have to tell."""
        others = await self.gateways.flush(timeout_s)
        await self.engine.told()
        return await self.collector.flush(timeout_s) and others
