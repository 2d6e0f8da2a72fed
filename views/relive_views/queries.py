"""The queries of the views, each whole: what is sent can be read here as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["FAILURES", "INVOCATIONS", "LAST_FAILURE", "LAST_INVOCATION", "ById"]


@dataclass(frozen=True, slots=True)
class ById:
    """Queries that find invocation ids by `text`: an event's id, the end of an id, the beginning of a
    trace's. At most two rows: two mean that it is ambiguous."""

    event: str
    ending: str
    trace: str


INVOCATIONS: Final = ById(
    event="""
SELECT InvocationId FROM invocations WHERE EventId = {text:String}
GROUP BY InvocationId ORDER BY max(StartedAt) DESC LIMIT 1
""",
    ending="""
SELECT DISTINCT InvocationId FROM invocations WHERE endsWith(InvocationId, {text:String}) LIMIT 2
""",
    # The first of a trace: what began it.
    trace="""
SELECT argMin(InvocationId, StartedAt) FROM invocations WHERE startsWith(TraceId, {text:String})
GROUP BY TraceId LIMIT 2
""",
)
FAILURES: Final = ById(
    event="",
    ending="""
SELECT DISTINCT InvocationId FROM failure_scenes WHERE endsWith(InvocationId, {text:String}) LIMIT 2
""",
    # The last one of a trace: the caller's, which came to know of the others.
    trace="""
SELECT argMax(InvocationId, CapturedAt) FROM failure_scenes WHERE startsWith(TraceId, {text:String})
GROUP BY TraceId LIMIT 2
""",
)
LAST_INVOCATION: Final = """
SELECT InvocationId FROM invocations
WHERE StartedAt >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
    AND toStartOfFiveMinutes(StartedAt) >= toStartOfFiveMinutes(fromUnixTimestamp64Nano({since:Int64}, 'UTC'))
    AND Trigger != 'timer' AND CallerInvocationId = ''
ORDER BY StartedAt DESC, InvocationId DESC LIMIT 1
"""
"""What somebody asked for since then, not what a timer or another function did."""

LAST_FAILURE: Final = """
WITH timers AS (
    SELECT DISTINCT TraceId FROM invocations
    WHERE Trigger = 'timer' AND StartedAt >= fromUnixTimestamp64Nano({since:Int64}, 'UTC') - INTERVAL 1 HOUR
)
SELECT argMaxIf(InvocationId, CapturedAt, TraceId NOT IN timers) AS Newest,
    uniqExactIf((InvocationId, Attempt), TraceId IN timers
        AND CapturedAt > (SELECT max(CapturedAt) FROM failure_scenes WHERE TraceId NOT IN timers)) AS Later
FROM failure_scenes
WHERE CapturedAt >= fromUnixTimestamp64Nano({since:Int64}, 'UTC')
"""
"""The newest failure since then that no timer began, and how many of timers came after it."""
