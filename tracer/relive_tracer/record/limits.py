"""What one invocation may record; every limit is a number with a default."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["FRAMEWORK_SPANS", "TelemetryLimits"]

FRAMEWORK_SPANS: Final = "RELIVE_FRAMEWORK_SPANS"
"""A variable of a service's environment: "on" has the spans recorded that its framework makes by itself."""


class TelemetryLimits(msgspec.Struct, frozen=True):  # a dataclass would take 1 to 3 ms of each start
    """Limits of the recording side. What is over a limit is cut or counted as dropped, never an error.

    The counts of attributes, events and links are OpenTelemetry's own defaults. The bytes of output of an
    invocation come from the function's configuration (`FunctionSpec.output_limit_bytes`).
    """

    attributes: int = 128  # of one span, event or link
    value_chars: int = 4_096  # of one attribute value
    name_chars: int = 512  # of a span's name or an attribute's key
    events: int = 128  # of one span
    links: int = 128  # of one span
    spans: int = 1_000  # of one invocation
    span_updates: int = 128  # of the invoke span that leave one by one; what is more, when the handler ends
    open_spans: int = 10_000  # started and not ended yet, over all invocations of a worker
    line_chars: int = 16_384  # of one log line; a longer one is split (streams) or cut (logging)
    stacktrace_chars: int = 16_000
    tail_chars: int = 2_000  # of a line over the output limit that is kept for a failure
    log_attributes: int = 32
    measurements: int = 1_000  # of one invocation that leave one by one; more are added up for a moment
    held_measurements: int = 512  # values that wait for each other, or series
    held_measurement_ns: int = 10_000_000
    observed_callbacks: int = 1_000  # of observable instruments, over all invocations of a worker
    frame_lines: int = 200  # lines of one write that travel in one frame
