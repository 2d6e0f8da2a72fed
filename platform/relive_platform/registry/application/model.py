"""The checked configuration of an application. Structs, because the registry keeps them on disk as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import msgspec

from relive_platform.alerts.config import AlertConfig
from relive_platform.registry.application.document import Ignored
from relive_platform.resources.base import ResourceConfig
from relive_platform.resources.table import KINDS as RESOURCE_KINDS
from relive_platform.triggers.base import TriggerConfig
from relive_platform.triggers.destinations.config import Destination
from relive_platform.triggers.http.config import CorsConfig
from relive_platform.triggers.table import KINDS

__all__ = [
    "Application",
    "FunctionConfig",
    "FunctionDefaults",
    "Resource",
    "Trigger",
]


if TYPE_CHECKING:
    Trigger = TriggerConfig
    Resource = ResourceConfig
else:
    Trigger = Union[tuple(kind.config for kind in KINDS.values())]  # noqa: UP007 - made of the table
    Resource = Union[tuple(RESOURCE_KINDS.values())]  # noqa: UP007


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionDefaults:
    """What a function gets if `relive.toml` does not say; the server's settings fill it."""

    timeout_s: float = 3.0
    memory_mb: int = 256
    max_workers: int = 4
    profile: str = "sampled"
    capture: str = "full"
    retries: int = 2
    max_age_s: float = 21_600.0
    output_limit_bytes: int = 1_048_576
    result_limit_bytes: int = 6_291_456
    isolation_tier: int = 1
    redact_keys: tuple[str, ...] = ()


class FunctionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One function. `source` is an absolute folder at load time and "" in the registry."""

    name: str
    handler: str  # "module:attribute"
    source: str = ""  # a zip, too
    kind: str = "event"  # one of relive_runtime.adapters.table.KINDS
    timeout_s: float = 3.0
    memory_mb: int = 256
    max_workers: int = 4
    min_workers: int = 0
    reserved_concurrency: int = 0  # 0: none; else max_workers is not used
    environment: dict[str, str] = {}
    triggers: tuple[Trigger, ...] = ()
    profile: str = "sampled"
    capture: str = "full"
    retries: int = 2
    max_age_s: float = 21_600.0
    output_limit_bytes: int = 1_048_576
    result_limit_bytes: int = 6_291_456
    isolation_tier: int = 1
    dependencies: tuple[str, ...] = ()  # requirement lines; they win over requirements.txt
    extra_dependencies: tuple[str, ...] = ()  # requirement lines beside those
    code: str = ""  # of the handler's module, instead of a source
    include: tuple[str, ...] = ()  # files and folders, relative to the source, beside its own
    layers: tuple[str, ...] = ()  # folders and zips, relative to the application
    redact_keys: tuple[str, ...] = ()
    in_app: tuple[str, ...] = ()
    recording: bool = msgspec.field(default=True, name="cassette")  # as registries of 0.1 have it
    public: bool = False  # its routes need no token
    error_details: bool | None = None  # for callers over HTTP; None: by the server's setting
    cors: CorsConfig | None = None
    on_success: Destination | None = None  # of asynchronous events
    on_failure: Destination | None = None
    resources: dict[str, Resource] = {}  # of its application, which it sees in its environment
    lambda_api: dict[str, Any] = {}  # what was given to Lambda's API of it, and means nothing here
    capacity: int = 0  # of a service; 0: by its interface
    websockets: int = 0  # of an ASGI service; 0: the usual number
    interface: str = ""  # of a service: "asgi", "wsgi"; "": by what its application looks like
    idle_timeout_s: float = 300.0
    disconnect_timeout_s: float = 5.0
    stop_timeout_s: float = 10.0
    runtime: str = ""  # of kind "custom": "nodejs" or "provided"
    command: tuple[str, ...] = ()  # of kind "custom"; none: ./bootstrap
    profile_threads: bool = False
    precise_share: float = 0.0
    precise_after: str = ""  # "slow", "failed", "both"
    init_timeout_s: float = 0.0  # of kind "custom"; 0: the server's setting
    span_share: float = 1.0
    span_slow_ms: int = 0  # 0: the slowest 5 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A checked `relive.toml`. `file` is "" for a folder without one; `named`: not after its folder;
    `ignored`: what the file says and Relive does not do."""

    name: str
    functions: dict[str, FunctionConfig] = field(default_factory=dict)
    resources: dict[str, ResourceConfig] = field(default_factory=dict)
    alerts: dict[str, AlertConfig] = field(default_factory=dict)
    file: str = ""
    root: Path = Path()
    redact_keys: tuple[str, ...] = ()
    in_app: tuple[str, ...] = ()
    named: bool = True
    ignored: tuple[Ignored, ...] = ()
