"""The environment variables that AWS Lambda's runtime sets, as far as they mean something here."""

from __future__ import annotations

import os
import sys
import time
from typing import Final

from relive_base.frames import FunctionSpec, Invoke

__all__ = ["lambda_variables", "log_stream", "tell_trace"]

_REGION: Final = "us-east-1"  # clients of AWS want some region; `environment` may say another one
_TIME_ZONE: Final = ":UTC"
_TRACE: Final = "_X_AMZN_TRACE_ID"


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


def tell_trace(invoke: Invoke) -> None:
    """X-Ray's form of the invocation's trace, for its SDK and for boto3. Never raises."""
    trace_id = invoke.trace_id
    try:
        os.environ[_TRACE] = (
            f"Root=1-{trace_id[:8]}-{trace_id[8:]};Parent={invoke.span_id};Sampled={int(invoke.sampled)}"
        )
    except Exception:
        pass  # the function has put something else in the place of os.environ
