"""What spans of invocations come to: how many of each name there are, and how long they took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from relive_store import Store

from relive_tracer.explore.conditions import Conditions

__all__ = ["Block", "SpanSum", "blocks", "rpc_methods", "span_sums"]

_MOST: Final = 200
"""Names of one invocation; those that took longest."""

# Spans of the functions' own that have no others of the same invocation below them: the platform's have none
# of its calls in them, and one with children would count their time twice.
_SUMS: Final = """
SELECT InvocationId, SpanName, count() AS Spans, countIf(StatusCode = 'Error') AS Failed,
    sum(Duration) AS Took
FROM otel_traces
WHERE __WHERE__
    AND (ScopeName != 'relive' OR (SpanKind = 'Client' AND startsWith(SpanName, 'invoke ')))
    AND (InvocationId, SpanId) NOT IN (SELECT InvocationId, ParentSpanId FROM otel_traces WHERE __WHERE__)
GROUP BY InvocationId, SpanName
ORDER BY Took DESC
LIMIT {most:UInt32} BY InvocationId
"""
_BLOCKS: Final = """
SELECT InvocationId, toFloat64OrZero(SpanAttributes['relive.blocked_ms']) AS Blocked,
    toFloat64OrZero(SpanAttributes['relive.blocked_before_ms']) AS BlockedBefore,
    Events.Name, Events.Attributes
FROM otel_traces
WHERE __WHERE__ AND mapContains(SpanAttributes, 'relive.blocked_ms')
"""


_METHODS: Final = """
SELECT InvocationId, any(SpanAttributes['rpc.service'] || '/' || SpanAttributes['rpc.method'])
FROM otel_traces
WHERE __WHERE__ AND mapContains(SpanAttributes, 'rpc.method')
GROUP BY InvocationId
"""


@dataclass(frozen=True, slots=True)
class SpanSum:
    """The spans of one name in one invocation."""

    invocation_id: str
    name: str
    count: int
    failed: int
    took_ns: int


@dataclass(frozen=True, slots=True)
class Block:
    """For how long others kept the event loop from an invocation, and the attributes of `relive.blocked`."""

    invocation_id: str
    blocked_ms: float
    before_ms: float = 0.0  # of that, before it could begin
    by: tuple[dict[str, str], ...] = ()


def span_sums(
    store: Store, invocation_ids: Sequence[str], since_ns: int, until_ns: int, *, timeout_s: float = 30.0
) -> list[SpanSum]:
    """Of these invocations, which ran between the two times. Raises StoreError."""
    where = _of(invocation_ids, since_ns, until_ns)
    where.parameters["most"] = _MOST
    rows = store.query(where.into(_SUMS), where.parameters, timeout_s=timeout_s).rows()
    return [SpanSum(str(row[0]), str(row[1]), *map(_int, row[2:5])) for row in rows]


def blocks(
    store: Store, invocation_ids: Sequence[str], since_ns: int, until_ns: int, *, timeout_s: float = 30.0
) -> list[Block]:
    """Those of these invocations that others have kept waiting. Raises StoreError."""
    where = _of(invocation_ids, since_ns, until_ns)
    rows: Any = store.query(where.into(_BLOCKS), where.parameters, timeout_s=timeout_s).rows()
    return [
        Block(
            str(row[0]),
            float(row[1]),
            float(row[2]),
            tuple(
                dict(attributes)
                for name, attributes in zip(row[3], row[4], strict=True)
                if name == "relive.blocked"
            ),
        )
        for row in rows
    ]


def rpc_methods(
    store: Store, invocation_ids: Sequence[str], since_ns: int, until_ns: int, *, timeout_s: float = 30.0
) -> dict[str, str]:
    """By invocation, "package.Service/Method" of the calls of gRPC among these. Raises StoreError."""
    where = _of(invocation_ids, since_ns, until_ns)
    rows = store.query(where.into(_METHODS), where.parameters, timeout_s=timeout_s).rows()
    return {str(row[0]): str(row[1]) for row in rows}


def _of(invocation_ids: Sequence[str], since_ns: int, until_ns: int) -> Conditions:
    where = Conditions()
    where.time_range("Timestamp", since_ns, until_ns)
    where.add("InvocationId IN {ids:Array(String)}", ids=list(invocation_ids))
    return where


def _int(value: object) -> int:
    return int(value) if isinstance(value, (int, float, str)) else 0
