"""What a handler gets as its second argument: the context object of AWS Lambda, and the trace id."""

from __future__ import annotations

import json
import time

from relive_base.wire.messages import FunctionSpec, Invoke

__all__ = ["LambdaContext", "function_arn"]

_MILLISECOND_NS = 1_000_000


class ClientContext:
    """What a client says of itself, as AWS's mobile SDK does."""

    __module__ = "relive"

    __slots__ = ("client", "custom", "env")

    def __init__(self, custom: object, env: object, client: object) -> None:
        self.custom = custom
        self.env = env
        self.client = client


class Client:
    """The application of that client."""

    __module__ = "relive"

    __slots__ = ("app_package_name", "app_title", "app_version_code", "app_version_name", "installation_id")

    def __init__(self, values: dict[str, object]) -> None:
        for name in self.__slots__:
            setattr(self, name, values.get(name))


def _client_context(text: str) -> ClientContext | None:
    """Of a JSON object, which the API has checked."""
    value = json.loads(text)
    if not isinstance(value, dict):
        return None
    client = value.get("client")
    return ClientContext(
        value.get("custom"), value.get("env"), Client(client) if isinstance(client, dict) else None
    )


def function_arn(spec: FunctionSpec) -> str:
    """The name of a function version in AWS's form."""
    return f"arn:relive:lambda:local:000000000000:function:{spec.name}:{spec.version}"


class LambdaContext:
    """Attributes and methods as AWS Lambda's Python runtime has them, and its name."""

    __module__ = "relive"  # where it really is says nothing to users

    __slots__ = (
        "_deadline_monotonic_ns",
        "aws_request_id",
        "client_context",
        "function_name",
        "function_version",
        "identity",
        "invoked_function_arn",
        "log_group_name",
        "log_stream_name",
        "memory_limit_in_mb",
        "trace_id",
    )

    def __init__(self, spec: FunctionSpec, invoke: Invoke, stream: str) -> None:
        self._deadline_monotonic_ns = invoke.deadline_monotonic_ns
        self.aws_request_id = invoke.invocation_id
        self.trace_id = invoke.trace_id
        self.function_name = spec.name
        self.function_version = str(spec.version)
        self.memory_limit_in_mb = str(spec.memory_mb)
        self.invoked_function_arn = function_arn(spec)
        self.log_group_name = f"/relive/{spec.name}"
        self.log_stream_name = stream
        self.identity = None
        self.client_context: ClientContext | None = None
        if invoke.context:
            self.invoked_function_arn = invoke.context.get("arn", self.invoked_function_arn)
            if "client_context" in invoke.context:
                self.client_context = _client_context(invoke.context["client_context"])

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the timeout; 0 once it is over."""
        return max(self._deadline_monotonic_ns - time.monotonic_ns(), 0) // _MILLISECOND_NS

    def log(self, message: object) -> None:
        """Write to the log, as AWS Lambda's context does."""
        print(message)

    def __repr__(self) -> str:
        names = ("function_name", "function_version", "aws_request_id", "memory_limit_in_mb")
        return f"LambdaContext({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"
