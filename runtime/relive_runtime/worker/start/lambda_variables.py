"""The environment variables that AWS Lambda's runtime sets, as far as they mean something here."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Final

from relive_base.wire.messages import FunctionSpec, Invoke

__all__ = ["TraceVariable", "lambda_variables", "log_stream", "trace_value"]

_REGION: Final = "us-east-1"  # clients of AWS want some region; `environment` may say another one
_TIME_ZONE: Final = ":UTC"
_TRACE: Final = "_X_AMZN_TRACE_ID"
_NAME: Final = _TRACE.encode()
_libc = ctypes.PyDLL(None)  # keeps the GIL: this call does not block


def log_stream(spec: FunctionSpec, pid: int) -> str:
    """The name of a worker's log stream, in Lambda's form: year/month/day/[version]instance."""
    began_ns = time.time_ns()
    day = time.strftime("%Y/%m/%d", time.gmtime(began_ns // 1_000_000_000))
    return f"{day}/[{spec.version}]{began_ns:016x}{pid:016x}"


def lambda_variables(spec: FunctionSpec, stream: str) -> dict[str, str]:
    """Those of a worker. `stream`: the name of its log stream."""
    own = spec.environment
    region = own.get("AWS_REGION") or own.get("AWS_DEFAULT_REGION") or _REGION
    module, _, attribute = spec.handler.partition(":")
    return {
        "_HANDLER": f"{module}.{attribute}",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(spec.version),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/relive/{spec.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "LAMBDA_TASK_ROOT": spec.source,
        "TZ": _TIME_ZONE,
    }


class TraceVariable:
    """X-Ray's form of the invocation's trace, for its SDK and for boto3, in the environment.

    The C library keeps each text that `setenv` has ever been given, and looks it up among all of them: a new
    one for each invocation would cost ever more time, and memory for good. So this one is given to it once,
    and written anew where it stands.
    """

    def __init__(self) -> None:
        text = _NAME + b"=" + _value("0" * 32, "0" * 16, True)
        copy = _libc.strdup
        copy.restype = ctypes.c_void_p
        self._text = ctypes.c_void_p(copy(text))  # for as long as the process lives, whatever becomes of us
        letters = (ctypes.c_char * len(text)).from_address(self._text.value or 0)
        self._value = memoryview(letters).cast("B")[len(_NAME) + 1 :]

    def tell(self, invoke: Invoke) -> None:
        """Say which trace it is from now on. Never raises."""
        try:
            value = trace_value(invoke)
            environment = os.environ
            if type(environment) is not os._Environ or len(value) != len(self._value):
                environment[_TRACE] = value.decode()  # something else that the function has put in its place
                return
            self._value[:] = value
            _libc.putenv(self._text)  # again: the function may have removed it
            environment._data[_NAME] = value  # type: ignore[attr-defined]
        except Exception:
            pass  # whatever the function has made of os.environ


def trace_value(invoke: Invoke) -> bytes:
    """An invocation's trace in X-Ray's form."""
    return _value(invoke.trace_id, invoke.span_id, invoke.sampled)


def _value(trace_id: str, span_id: str, sampled: bool) -> bytes:
    return f"Root=1-{trace_id[:8]}-{trace_id[8:]};Parent={span_id};Sampled={int(sampled)}".encode()
