"""Looking into a worker that cannot speak for itself, before it is killed."""

from __future__ import annotations

from dataclasses import dataclass, field

from relive_base.parts import PartState, Why, missing
from relive_base.wire.messages import ErrorInfo, FunctionSpec
from relive_capture.explore import outside
from relive_runtime.adapters.table import has_python

__all__ = ["Dumped", "dump_worker"]


@dataclass(frozen=True, slots=True)
class Dumped:
    """Archive members, parts by name, where in the user's code it stood, what was redacted."""

    members: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, PartState] = field(default_factory=dict)
    error: ErrorInfo | None = None
    redactions: list[str] = field(default_factory=list)


def dump_worker(pid: int, timeout_s: float, spec: FunctionSpec, error: ErrorInfo, thread: int = 0) -> Dumped:
    """Stacks, with locals unless the function says `capture = "off"`. Blocks up to `timeout_s`.

    `thread` (as `threading.get_ident`) is the one that failed; 0, or one without Python: the main thread.

    What fails is a part with its reason.
    """
    if not has_python(spec.kind):
        return Dumped(parts={"exception": missing(Why.NO_PYTHON)})
    dumped = outside.dump(
        pid,
        timeout_s,
        kind=error.kind,
        error_type=error.type,
        message=error.message,
        source=spec.source,
        in_app=spec.in_app,
        redact_keys=spec.redact_keys,
        values=spec.capture != "off",
        thread=thread,
    )
    return Dumped(dict(dumped.members), dict(dumped.parts), dumped.error, list(dumped.redactions))
