"""What goes through the channel between the server and a gateway beside it."""

from __future__ import annotations

import msgspec
from relive_base.wire.messages import Call, FunctionSpec, Point, PointHit

from relive_platform.engine.pool import PoolLimits
from relive_platform.engine.workers.cgroups.places import Places
from relive_platform.engine.workers.zygote import ZygoteKey
from relive_platform.registry.model import FunctionVersion
from relive_platform.settings import Settings

__all__ = [
    "Applied",
    "CallAsked",
    "FollowedFrame",
    "Found",
    "Grant",
    "Load",
    "Placed",
    "PointReached",
    "PointsOf",
    "PoolLoad",
    "Start",
]


class Start(msgspec.Struct):
    """What the process reads first, from a pipe: it holds secrets. `number`: from 2 on, the server itself is
    the first gateway."""

    number: int
    run: int
    settings: Settings
    environment: dict[str, str]
    runtime: str
    places: Places


class Placed(msgspec.Struct):
    """A function version that a gateway may run: what its workers are, and the server's limits."""

    spec: FunctionSpec
    key: ZygoteKey
    limits: PoolLimits


class Applied(msgspec.Struct):
    """What is in service from now on: all functions, for the routes, and those that gateways may run."""

    functions: list[FunctionVersion]
    placed: list[Placed]


class Grant(msgspec.Struct, array_like=True):
    """How many workers a gateway may have of a function version."""

    function: str
    version: int
    workers: int


class PoolLoad(msgspec.Struct, array_like=True):
    """How a gateway's pool stands. `held`: processes, frozen ones left out; `ready`: of them can serve;
    `wanted`: it could use; `arrived`: invocations since the last time."""

    function: str
    version: int
    held: int
    ready: int
    wanted: int
    arrived: int


class Load(msgspec.Struct, array_like=True):
    """How a gateway stands, ten times a second. `active`: connections with a request since the last time;
    `ended`: invocations since it began."""

    pools: list[PoolLoad]
    workers: dict[str, int]
    zygotes: int
    connections: int
    active: int
    ended: int
    pending_bytes: int
    dropped: int
    journal: str


class CallAsked(msgspec.Struct, array_like=True):
    """A worker of a gateway calls another function."""

    function: str
    version: int
    invocation_id: str
    left_s: float
    call: Call


class FollowedFrame(msgspec.Struct, array_like=True):
    """A frame of log lines, for somebody who follows them."""

    function: str
    version: int
    invocation_id: str
    payload: bytes


class PointsOf(msgspec.Struct, array_like=True):
    """Breakpoints and logpoints of a function version, for `for_s`."""

    function: str
    version: int
    points: list[Point]
    for_s: float


class PointReached(msgspec.Struct, array_like=True):
    """A worker of a gateway is at one: is it meant?"""

    function: str
    version: int
    hit: PointHit


class Found(msgspec.Struct, array_like=True):
    """An attempt that runs or waits."""

    invocation_id: str
    function: str
    accepted_ns: int
