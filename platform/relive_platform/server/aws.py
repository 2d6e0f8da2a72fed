"""AWS's APIs in front of a server: their listener, their keys, and the services behind it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from relive_base.wire.messages import FunctionSpec, SpanData

from relive_platform.api.aws.buses.service import EventsService
from relive_platform.api.aws.credentials import Keys, function_key_pair, key_pair
from relive_platform.api.aws.desk import Desk, DeskOptions
from relive_platform.api.aws.forwarding import Endpoints, parse_endpoints
from relive_platform.api.aws.functions.catalog import Platform, Standing
from relive_platform.api.aws.functions.service import LambdaService
from relive_platform.api.aws.functions.store import S3
from relive_platform.api.aws.gate import AwsGate, GateLimits
from relive_platform.api.aws.model.loading import load
from relive_platform.api.aws.queues.access import Desk as QueueDesk
from relive_platform.api.aws.queues.service import SqsService
from relive_platform.api.aws.service import AwsService
from relive_platform.api.aws.signature import Verifier, presigned
from relive_platform.engine.engine import Engine
from relive_platform.engine.invocation import InvokeRequest, Outcome, StreamReader
from relive_platform.registry import FunctionVersion, Registry
from relive_platform.resources.queue.naming import QueueNaming
from relive_platform.resources.queue.queues import MessageQueues
from relive_platform.server.functions import Functions
from relive_platform.server.home_token import home_token
from relive_platform.server.own_events import OwnEvents
from relive_platform.server.parts import listener_limits
from relive_platform.server.steady_port import SteadyPort, port_beside
from relive_platform.settings import Address, Settings
from relive_platform.signals.exporters.followers import Follower
from relive_platform.signals.handover.collector import Collector
from relive_platform.triggers.http.connections.listener import HttpListener
from relive_platform.triggers.queue.publisher import Accepted

__all__ = ["AwsApi", "services_of"]

_DOWNLOAD_S: Final = 600


class Callers(Protocol):
    """Who knows the attempts that run."""

    async def caller(self, span_id: str) -> tuple[str, int] | None: ...
    async def depth_below(self, span_id: str) -> int: ...


class Server(Protocol):
    """What the services need of the server that they are in front of."""

    settings: Settings
    home: Path
    registry: Registry
    functions: Functions
    engine: Engine
    collector: Collector
    queues: MessageQueues
    queue_naming: QueueNaming
    own_events: OwnEvents
    http_address: str

    @property
    def gateways(self) -> Callers: ...
    async def invoke(self, request: InvokeRequest) -> Outcome: ...
    async def begin(self, request: InvokeRequest, waiter: StreamReader) -> None: ...
    async def publish(self, request: InvokeRequest) -> Accepted: ...
    async def mappings_changed(self) -> None: ...
    def span(self, spec: FunctionSpec, invocation_id: str, span: SpanData, sampled: bool) -> None: ...


def services_of(server: Server) -> list[AwsService]:
    """What is served of AWS's services."""
    settings = server.settings
    keys = key_pair(home_token(settings))
    endpoints = parse_endpoints(settings.aws_endpoints, name="RELIVE_AWS_ENDPOINTS")
    return [
        LambdaService(
            Platform(
                registry=server.registry,
                home=server.home,
                serving=lambda: server.functions.serving,
                invoke=server.invoke,
                begin=server.begin,
                publish=server.publish,
                tail=lambda function: _tail(server, function),
                fetch=S3(endpoints, settings.package_bytes),
                gateway=lambda: server.http_address,
                presign=lambda url, region: presigned(keys, url, "lambda", region, _DOWNLOAD_S),
                caller=server.gateways.caller,
                mappings_changed=server.mappings_changed,
                event_bytes=settings.body_limit_bytes,
                async_event_bytes=settings.async_body_limit_bytes,
                zip_bytes=settings.package_bytes,
                unpacked_bytes=settings.package_bytes,
                workers=settings.host_workers,
                call_depth=settings.call_depth,
                standing=lambda function, version: _standing(server.engine, function, version),
            )
        ),
        SqsService(QueueDesk(server.queues, server.queue_naming, server.span, server.gateways.depth_below)),
        EventsService(server.publish, server.own_events.buses, server.gateways.depth_below),
    ]


class _Tail:
    """A follower's lines, as text."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower

    def text_of(self, invocation_id: str) -> str:
        """The lines of one invocation that have come so far."""
        lines = [entry.line for entry in self._follower.there() if entry.invocation_id == invocation_id]
        return "".join(f"{line.body}\n" for line in lines)


def _standing(engine: Engine, function: str, version: int) -> Standing:
    pool = engine.host.pools.get((function, version))
    if pool is None:
        return Standing()
    failed = f"{pool.init_failures} workers in a row did not start; the function's log says why"
    return Standing(len(pool.live()), pool.starting, failed if pool.init_failures else "")


@contextlib.contextmanager
def _tail(server: Server, function: str) -> Iterator[_Tail]:
    followers = server.collector.followers
    follower = followers.add(function)
    try:
        yield _Tail(follower)
    finally:
        followers.remove(follower)


class AwsApi:
    """Serves `services` at `address`; at the home's own port of this machine if nobody names one. botocore is
    imported here and nowhere else: a server without it pays nothing. Raises BotocoreMissing, UsageError."""

    def __init__(
        self,
        settings: Settings,
        address: Address | None,
        services: Sequence[AwsService],
        token: str,
        applications: Callable[[], Iterable[str]],
    ) -> None:
        for service in services:
            load(service.name)
        self.endpoints = Endpoints(
            parse_endpoints(settings.aws_endpoints, name="RELIVE_AWS_ENDPOINTS"),
            settings.aws_body_limit_bytes,
        )
        desk = Desk(
            services,
            Verifier(Keys(token, applications), settings.aws_clock_skew_s),
            DeskOptions(settings.aws_account, address is None or address.loopback),
            self.endpoints,
        )
        gate = AwsGate(desk, GateLimits(settings.aws_body_limit_bytes, settings.bodies_limit_bytes))
        self._address = address
        self._steady = SteadyPort(settings.run_dir / "aws-port", port_beside(settings.http_address.port))
        self._token = token
        self._listener = HttpListener(gate, listener_limits(settings), flag="--lambda-api")

    def variables(self, version: FunctionVersion) -> dict[str, str]:
        """What a function that Lambda's API has made finds in its environment: who it is for AWS's API, and
        where that is. Nothing if it brings credentials of its own."""
        if not version.config.lambda_api or "AWS_ACCESS_KEY_ID" in version.spec.environment:
            return {}
        keys = function_key_pair(self._token, version.spec.app)
        modules = {"NODE_PATH": f"{version.deps_dir}/nodejs/node_modules"} if version.deps_dir else {}
        return {
            **(modules if version.spec.runtime == "nodejs" else {}),
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
            "AWS_SESSION_TOKEN": "",  # there always is one on Lambda: code reads it without asking
            "AWS_ENDPOINT_URL": self._listener.address,
        }

    def bind(self) -> str:
        """Take the address, and give it as a URL. Raises AddressTaken."""
        address = self._address
        if address is None:
            self._steady.take(self._bind_here)
        else:
            self._listener.bind(address.host, address.port, loopback=address.loopback)
        return self._listener.address

    def _bind_here(self, port: int) -> int:
        self._listener.bind("127.0.0.1", port, loopback=True)
        return int(self._listener.address.rpartition(":")[2])

    async def start(self) -> None:
        """Take requests."""
        await self._listener.serve_bound()

    def stop_accepting(self) -> None:
        """Take no more; what is being answered is answered."""
        self._listener.stop_accepting()

    async def close(self) -> None:
        """Close every connection."""
        await self._listener.close()
