"""The handler that AWS Lambda is given in place of the function's own, which it loads and calls.

`AWS_LAMBDA_EXEC_WRAPPER=/opt/relive-record` sets it: see `relive layer build`.
"""

from __future__ import annotations

import importlib
import math
import os
import sys
from typing import Any, Final

import msgspec
from relive_base.unseen import without_this_frame

from relive_outside.hosts.wrapped import unwrapped
from relive_outside.record.attempts import Attempt
from relive_outside.record.recipes import Recipe, root_of
from relive_outside.record.recorder import Recorder
from relive_outside.recording import encoded_call, own_recorder

__all__ = ["handler"]

_OURS: Final = f"{__name__}.handler"
_WAIT_S: Final = 2.0
_MARGIN_S: Final = 1.5
"""Before its deadline, a scene is made of what still runs; of short limits, a fourth of them before."""
_SHARE: Final = 0.25


class _Function:
    """The function's own handler, recorded."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self._name = name
        module, _, attribute = name.rpartition(".")
        self._module = module.replace("/", ".")
        settings = recorder.settings
        function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "") or attribute
        self._recipe = Recipe(
            settings.name or function,
            f"{self._module}:{attribute}",
            "event",
            settings.source or os.environ.get("LAMBDA_TASK_ROOT", "") or os.getcwd(),
            "lambda",
        )
        recorder.details = {
            label: value
            for label, key in (
                ("version", "AWS_LAMBDA_FUNCTION_VERSION"),
                ("region", "AWS_REGION"),
                ("memory", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
            )
            if (value := os.environ.get(key, ""))
        }
        self._found = self._load(attribute)

    def _load(self, attribute: str) -> Any:
        """Once, as Lambda's own runtime does it: what that says if it cannot is its own, too."""
        runtime: Any = sys.modules.get("awslambdaric.bootstrap")
        try:
            if runtime is None:
                return getattr(importlib.import_module(self._module), attribute)
            return runtime._get_handler(self._name)
        except BaseException as error:
            without_this_frame(error)
            attempt = self._recorder.begin(self._recipe)
            self._recorder.failed(attempt, _cause(runtime, error), "init")
            if runtime is None or not isinstance(error, Exception):
                raise
            raise _fault(runtime, error) from None
        finally:
            if not self._recorder.settings.source and self._module in sys.modules:
                self._recipe = msgspec.structs.replace(self._recipe, source=root_of(self._module))

    def call(self, event: Any, context: Any) -> Any:
        """One invocation."""
        attempt = self._begin(event, context)
        try:
            value = self._found(event, context)
        except BaseException as error:
            without_this_frame(error)
            self._recorder.failed(attempt, error)
            raise
        self._recorder.ended(attempt)
        return value

    def _begin(self, event: Any, context: Any) -> Attempt | None:
        data, lost = encoded_call(event)
        deadline_s = 0.0
        recipe = self._recipe
        try:
            left_s = context.get_remaining_time_in_millis() / 1_000
            deadline_s = max(left_s - min(_MARGIN_S, left_s * _SHARE), 0.05)
            memory_mb = int(context.memory_limit_in_mb)
            recipe = msgspec.structs.replace(recipe, timeout_s=float(math.ceil(left_s)), memory_mb=memory_mb)
        except Exception as error:
            self._recorder.say(f"the limits of an invocation are not known: {type(error).__name__}")
        attempt = self._recorder.begin(recipe, data, traceparent=_traceparent(), deadline_s=deadline_s)
        if attempt is not None:
            attempt.event_lost = lost
            attempt.attributes["aws.request_id"] = str(getattr(context, "aws_request_id", ""))
        return attempt


def _traceparent() -> str:
    """X-Ray's header as the W3C's."""
    parts = dict(
        part.split("=", 1) for part in os.environ.get("_X_AMZN_TRACE_ID", "").split(";") if "=" in part
    )
    root = parts.get("Root", "").split("-")
    if len(root) != 3 or "Parent" not in parts:
        return ""
    return f"00-{root[1]}{root[2]}-{parts['Parent']}-0{'1' if parts.get('Sampled') == '1' else '0'}"


def _cause(runtime: Any, error: BaseException) -> BaseException:
    """Of what Lambda's runtime makes of a module that it cannot load: what that has raised."""
    cause = error.__context__
    is_told = runtime is not None and isinstance(error, runtime.FaultException)
    return cause if is_told and cause is not None else error


def _fault(runtime: Any, error: Exception) -> Exception:
    """As Lambda's runtime tells of it without us: above the frames of one that is raised are ours."""
    if issubclass(type(error), runtime.FaultException):
        return error
    try:
        told = runtime.build_fault_result((type(error), error, error.__traceback__), None)
    except Exception:
        return error  # it cannot be told of: Lambda's runtime ends of it, as without us
    fault: Exception = runtime.FaultException(told["errorType"], told["errorMessage"], told["stackTrace"])
    return fault


def _made() -> _Function:
    recorder = own_recorder("lambda", _WAIT_S)  # first: it reads what the wrapper has set
    return _Function(recorder, unwrapped(_OURS))


handler = _made().call
