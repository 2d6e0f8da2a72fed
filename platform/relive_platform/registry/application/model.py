"""The checked configuration of an application. Structs, because the registry keeps them on disk as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

__all__ = [
    "Application",
    "CorsConfig",
    "FunctionConfig",
    "FunctionDefaults",
    "HttpTrigger",
    "QueueTrigger",
    "TimerTrigger",
    "Trigger",
]


class HttpTrigger(msgspec.Struct, frozen=True, tag_field="type", tag="http", kw_only=True):
    """Requests for `path` (`{name}` matches one segment, `{name+}` the rest). No methods: all of them.

    `payload`: what an event function gets, Lambda's format "1.0" (REST API, load balancer) or "2.0".
    """

    path: str
    methods: tuple[str, ...] = ()
    payload: str = "2.0"

    def describe(self) -> str:
        """As people read it: "http POST /checkout"."""
        return f"http {','.join(self.methods) or '*'} {self.path}"


class TimerTrigger(msgspec.Struct, frozen=True, tag_field="type", tag="timer", kw_only=True):
    """A schedule: `cron(...)` or `rate(...)`. `misfire`: what becomes of a missed run, "skip" or "once"."""

    schedule: str
    time_zone: str = "UTC"
    misfire: str = "skip"
    payload: str = ""  # JSON text that the event carries as "detail"

    def describe(self) -> str:
        """As people read it: "timer rate(5 minutes)"."""
        return f"timer {self.schedule}"


class QueueTrigger(msgspec.Struct, frozen=True, tag_field="type", tag="queue", kw_only=True):
    """Events published under the name `queue` go to the function."""

    queue: str

    def describe(self) -> str:
        """As people read it: "queue orders"."""
        return f"queue {self.queue}"


class CorsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Which web pages may call a function. No methods: all; no headers: those that a page asks for."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    credentials: bool = False
    max_age_s: int = 600


Trigger = HttpTrigger | TimerTrigger | QueueTrigger


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
    source: str = ""
    kind: str = "event"  # "event" | "http"
    timeout_s: float = 3.0
    memory_mb: int = 256
    max_workers: int = 4
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
    redact_keys: tuple[str, ...] = ()
    in_app: tuple[str, ...] = ()
    cassette: bool = True
    public: bool = False  # its routes need no token
    error_details: bool | None = None  # for callers over HTTP; None: by the server's setting
    cors: CorsConfig | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A checked `relive.toml`. `file` is "" for a folder without one; `named`: not after its folder."""

    name: str
    functions: dict[str, FunctionConfig] = field(default_factory=dict)
    file: str = ""
    root: Path = Path()
    redact_keys: tuple[str, ...] = ()
    in_app: tuple[str, ...] = ()
    named: bool = True
