"""Which keys `relive.toml` may have, and of what type and range: one declaration for every table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from relive_runtime.adapters.service.capacity import ASGI_CAPACITY, ASGI_SOCKETS, WSGI_CAPACITY
from relive_runtime.adapters.table import KINDS as HANDLER_KINDS

from relive_platform.keys import Key
from relive_platform.resources.table import KINDS as RESOURCE_KINDS
from relive_platform.triggers.table import KINDS as TRIGGER_KINDS

__all__ = [
    "APP",
    "CORS",
    "FUNCTION",
    "RESOURCES",
    "ROOT",
    "TRIGGERS",
    "check_value",
]


_KINDS: Final = "; ".join(f"`{name}`: {kind.signature}" for name, kind in HANDLER_KINDS.items())
ROOT: Final[Mapping[str, Key]] = {
    "app": Key("table", "The application."),
    "functions": Key("table", "A table for each function.", required=True),
    "resources": Key("table", "A table for each queue, or other resource, that the functions use."),
    "alerts": Key("table", "A table for each thing that is watched."),
}
APP: Final[Mapping[str, Key]] = {
    "name": Key("text", "Name of the application. Default: the folder's."),
    "redact": Key("texts", "More key names whose values are redacted in scenes."),
    "in_app": Key("texts", "More folders whose frames count as the application's own."),
}
FUNCTION: Final[Mapping[str, Key]] = {
    "source": Key("text", "Folder or zip of the code, relative to relive.toml. Default: its own folder."),
    "code": Key("text", "The handler's module itself, instead of a source."),
    "include": Key("texts", "Shared files and folders, relative to the source; they lie beside its own."),
    "layers": Key("texts", "Folders and zips as Lambda's layers, relative to relive.toml; later ones win."),
    "handler": Key(
        "text",
        "`module:attribute`, or Lambda's `module.attribute`. Of a service: `app`. Of kind `custom`: what its"
        " program finds in `_HANDLER`.",
    ),
    "app": Key("text", "The application of a service: `module:attribute`, such as `main:app`."),
    "runtime": Key("text", "Kind `custom`: what runs it.", choices=("nodejs", "provided")),
    "command": Key("texts", "Kind `custom`: the program and its arguments. Default: `./bootstrap`."),
    "init_timeout_s": Key(
        "number",
        "Kind `custom`: how long its program may take to ask for its first event.",
        low=0.1,
        high=900,
    ),
    "kind": Key("text", f"{_KINDS}.", choices=tuple(HANDLER_KINDS)),
    "timeout_s": Key("number", "Time limit of an invocation.", low=0.01, high=86_400),
    "memory_mb": Key("whole", "Memory limit of a worker.", low=16, high=1_048_576),
    "max_workers": Key("whole", "Workers of the function at most.", low=1, high=1_000),
    "capacity": Key(
        "whole",
        f"Requests that one worker of a service runs at once. Default: {ASGI_CAPACITY} (ASGI),"
        f" {WSGI_CAPACITY} (WSGI, a thread each).",
        low=1,
        high=10_000,
    ),
    "websockets": Key(
        "whole",
        "Websockets that one worker of an ASGI service has open at once, beside its `capacity` requests."
        f" Default: {ASGI_SOCKETS}.",
        low=1,
        high=100_000,
    ),
    "interface": Key(
        "text",
        "Of a service. Default: by what its application looks like.",
        choices=("asgi", "wsgi"),
    ),
    "idle_timeout_s": Key(
        "number", "Between two parts of a service's streamed answer.", low=0.01, high=86_400
    ),
    "disconnect_timeout_s": Key(
        "number",
        "A request of an ASGI service goes on for so long once its client has gone; then it is cancelled.",
        low=0,
        high=86_400,
    ),
    "stop_timeout_s": Key("number", "For a service to shut down, at a redeploy say.", low=0.01, high=3_600),
    "min_workers": Key("whole", "Workers that wait, ready, whether it is used or not.", low=0, high=1_000),
    "reserved_concurrency": Key(
        "whole",
        "Workers of this host that are the function's own, and its most: more get 429 at once.",
        low=1,
        high=1_000,
    ),
    "environment": Key("map", "Environment variables; the values are text."),
    "profile": Key("text", "Profile of each invocation.", choices=("sampled", "precise", "off")),
    "profile_threads": Key("flag", "Whether the threads that the function starts are sampled, too."),
    "precise_share": Key("number", "Share of the invocations that are profiled precisely.", low=0, high=1),
    "precise_after": Key(
        "text",
        "The invocation after a slow or failed one is profiled precisely.",
        choices=("slow", "failed", "both"),
    ),
    "capture": Key("text", "What a failure scene holds.", choices=("full", "frames", "off")),
    "recording": Key("flag", "Whether a failed invocation's calls are kept, for `relive replay`."),
    "cassette": Key("flag", "The old name of `recording`, deprecated."),
    "span_share": Key(
        "number",
        "Share of unremarkable invocations whose own spans are kept; of those that failed, were slow or of a"
        " rare kind, all are. Default: 1.",
        low=0,
        high=1,
    ),
    "span_slow_ms": Key(
        "whole",
        "For span_share: what takes longer is slow. Default: the slowest 5 %.",
        low=1,
        high=86_400_000,
    ),
    "retries": Key("whole", "Retries of an asynchronous event after its first attempt.", low=0, high=100),
    "max_age_s": Key("number", "Age at which an event is no longer tried.", low=1, high=1_209_600),
    "on_success": Key("map", "Where the results of asynchronous events go."),
    "on_failure": Key("map", "Where asynchronous events go that have failed for the last time."),
    "output_limit_bytes": Key("whole", "Output and logs of one invocation.", low=1024, high=1_073_741_824),
    "result_limit_bytes": Key("whole", "Largest result.", low=1, high=50_331_648),
    "isolation_tier": Key("whole", "The highest isolation that is wanted.", low=0, high=2),
    "dependencies": Key("texts", "Requirement lines; instead of requirements.txt in the source folder."),
    "extra_dependencies": Key("texts", "Requirement lines beside those of requirements.txt."),
    "redact": Key("texts", "More key names whose values are redacted."),
    "public": Key("flag", "Whether anybody may call its http triggers' paths, without the server's token."),
    "error_details": Key("flag", "Whether callers over HTTP are told the type and message of a failure."),
    "cors": Key("table", "Which web pages may call it."),
    "triggers": Key("array", "What starts the function besides `relive invoke` and its own URL."),
}
CORS: Final[Mapping[str, Key]] = {
    "origins": Key(
        "texts",
        "As in https://shop.example, https://*.shop.example, http://localhost:*; or *.",
        required=True,
    ),
    "methods": Key("texts", "Default: all."),
    "headers": Key("texts", "Request headers that pages may send. Default: those that they ask for."),
    "expose_headers": Key("texts", "Response headers that pages may read."),
    "credentials": Key("flag", "Whether pages may send cookies; not with origin *."),
    "max_age_s": Key("whole", "How long a browser remembers the answer.", low=0, high=86_400),
}
TRIGGERS: Final[Mapping[str, Mapping[str, Key]]] = {
    name: {"type": Key("text"), **kind.config.KEYS} for name, kind in TRIGGER_KINDS.items()
}
RESOURCES: Final[Mapping[str, Mapping[str, Key]]] = {
    name: {"type": Key("text"), **config.KEYS} for name, config in RESOURCE_KINDS.items()
}

_SAYS: Final = {
    "text": "a text in quotes",
    "flag": "true or false",
    "whole": "a whole number",
    "number": "a number",
    "texts": "a list of texts",
    "map": "a table of texts",
    "table": "a table",
    "array": "an array of tables",
}


def _fits(kind: str, value: object) -> bool:
    if kind == "text":
        return isinstance(value, str)
    if kind == "flag":
        return isinstance(value, bool)
    if kind in ("whole", "number"):
        accepted = int if kind == "whole" else int | float
        return isinstance(value, accepted) and not isinstance(value, bool)
    if kind == "texts":
        return isinstance(value, list) and all(isinstance(part, str) for part in value)
    if kind == "array":
        return isinstance(value, list) and all(isinstance(part, dict) for part in value)
    if not isinstance(value, dict):
        return False
    return kind == "table" or all(isinstance(part, str) for part in value.values())


def _named(value: object) -> str:
    names = {
        bool: "a boolean",
        str: "a text",
        int: "a whole number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"of at least {low:.15g}" if high is None else f"of at most {high:.15g}"
    return f"from {low:.15g} to {high:.15g}"


def check_value(name: str, key: Key, value: object) -> tuple[str, str] | None:
    """(message, hint) if `value` does not fit `key`."""
    if not _fits(key.type, value):
        odd = ""
        if key.type == "map" and isinstance(value, dict):
            odd = next(
                f" ({part} is {_named(inner)})" for part, inner in value.items() if not isinstance(inner, str)
            )
        return f"{name} is {_named(value)}{odd}", f"make it {_SAYS[key.type]}"
    if isinstance(value, int | float) and key.type != "flag":
        low, high = key.low, key.high
        # written so that nan is out of range too
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            return f"{name} = {value} is out of range", f"give a number {_range(low, high)}"
    if key.choices and value not in key.choices:
        return f"{name} = {value!r} is not known", f"use one of {', '.join(key.choices)}"
    return None
