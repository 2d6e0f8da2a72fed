"""Failures in the store: one by one, or grouped by fingerprint."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from relive_store import Store

from relive_capture.explore.failures.queries import COUNT, GROUPS, NEWEST, PAGE, RESOLVE, RESOLVE_LAST, SPARK

__all__ = ["FailureFilter", "FailureGroup", "FailureRow", "count", "groups", "page", "resolve"]

SPARK_BUCKETS: Final = 20
_ROWS_OF_A_SCENE: Final = 4
"""One, another if it got its heap, and what a replayed spool may bring again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFilter:
    """Which failures. Empty and 0 mean any; times are ns, `until_ns` is exclusive."""

    function: str = ""
    since_ns: int = 0
    until_ns: int = 0
    fingerprint: str = ""
    kind: str = ""

    def parameters(self) -> dict[str, object]:
        """For the queries of this module."""
        return {
            "function": self.function,
            "since": self.since_ns,
            "until": self.until_ns,
            "fingerprint": self.fingerprint,
            "kind": self.kind,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """The head of one scene. `frames`: "file:line function", outermost first; `locals`: name -> text."""

    invocation_id: str
    attempt: int
    captured_ns: int
    function: str
    version: int
    kind: str
    error_type: str
    message: str
    fingerprint: str
    file: str
    line: int
    error_function: str
    frames: tuple[str, ...]
    trace_id: str
    span_id: str
    locals: dict[str, str]
    parts: dict[str, str]  # name -> state
    size_bytes: int
    archive_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """All failures with one fingerprint in one function; texts are the newest one's."""

    fingerprint: str
    function: str
    error_type: str
    message: str
    kind: str
    file: str
    line: int
    error_function: str
    count: int
    first_ns: int
    last_ns: int
    invocation_id: str  # of the newest
    attempt: int
    trace_id: str
    versions: tuple[int, ...]
    spark: list[int] = field(default_factory=list)  # 20 equal buckets over the time asked for

    @property
    def newest(self) -> str:
        """The newest one's invocation id."""
        return self.invocation_id


def page(store: Store, wanted: FailureFilter, limit: int = 50, offset: int = 0) -> list[FailureRow]:
    """Failures, newest first. Raises StoreError."""
    parameters = {**wanted.parameters(), "limit": limit, "offset": offset}
    looked_at = (offset + limit) * _ROWS_OF_A_SCENE
    count, since_ns = next(iter(store.query(NEWEST, {**wanted.parameters(), "rows": looked_at}).rows()))
    if not count:
        return []
    found = [_row(row) for row in store.query(PAGE, {**parameters, "since": since_ns}).dicts()]
    if len(found) < limit and _number(count) == looked_at:  # most scenes have more rows than was thought
        found = [_row(row) for row in store.query(PAGE, parameters).dicts()]
    return found


def count(store: Store, wanted: FailureFilter) -> int:
    """How many there are."""
    return _number(store.query(COUNT, wanted.parameters()).scalar())


def groups(store: Store, wanted: FailureFilter, limit: int = 50) -> list[FailureGroup]:
    """Groups, the one with the newest failure first."""
    found = list(store.query(GROUPS, {**wanted.parameters(), "limit": limit}).dicts())
    if not found:
        return []
    sparks = _sparks(store, wanted, found)
    return [_group(row, sparks.get((row["Function"], row["Fingerprint"]), [])) for row in found]


def resolve(store: Store, ident: str, attempt: int = 0) -> list[tuple[str, int, str]]:
    """(invocation id, attempt, archive hash) of the failures that `ident` may mean: none, one, or two.

    `ident` is an id's beginning or "last"; two mean that it is ambiguous. `attempt` 0 means the newest.
    """
    if ident == "last":
        rows = store.query(RESOLVE_LAST).rows()
    else:
        rows = store.query(RESOLVE, {"prefix": ident, "attempt": attempt}).rows()
    return [(str(row[0]), _number(row[1]), str(row[2])) for row in rows]


def _sparks(
    store: Store, wanted: FailureFilter, found: list[dict[str, Any]]
) -> dict[tuple[Any, Any], list[int]]:
    begin = wanted.since_ns or min(row["First"] for row in found)
    end = wanted.until_ns or max(row["Last"] for row in found) + 1
    width = max((end - begin) // SPARK_BUCKETS + 1, 1)
    sparks: dict[tuple[Any, Any], list[int]] = {}
    parameters = {**wanted.parameters(), "begin": begin, "width": width}
    for row in store.query(SPARK, parameters).dicts():
        spark = sparks.setdefault((row["Function"], row["Fingerprint"]), [0] * SPARK_BUCKETS)
        bucket = _number(row["Bucket"])
        if 0 <= bucket < SPARK_BUCKETS:
            spark[bucket] += _number(row["Count"])
    return sparks


def _number(value: object) -> int:
    return value if isinstance(value, int) else int(str(value))


def _row(row: dict[str, Any]) -> FailureRow:
    return FailureRow(
        invocation_id=row["InvocationId"],
        attempt=row["Attempt"],
        captured_ns=row["CapturedAt"],
        function=row["Function"],
        version=row["Version"],
        kind=row["Kind"],
        error_type=row["ErrorType"],
        message=row["Message"],
        fingerprint=row["Fingerprint"],
        file=row["File"],
        line=row["Line"],
        error_function=row["ErrorFunction"],
        frames=tuple(row["Frames"]),
        trace_id=row["TraceId"],
        span_id=row["SpanId"],
        locals=_texts(row["Locals"]),
        parts=dict(row["Parts"]),
        size_bytes=row["SizeBytes"],
        archive_hash=row["ArchiveHash"],
    )


def _texts(text: str) -> dict[str, str]:
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _group(row: dict[str, Any], spark: list[int]) -> FailureGroup:
    return FailureGroup(
        fingerprint=row["Fingerprint"],
        function=row["Function"],
        error_type=row["NewestType"],
        message=row["NewestMessage"],
        kind=row["NewestKind"],
        file=row["NewestFile"],
        line=row["NewestLine"],
        error_function=row["NewestFunction"],
        count=row["Count"],
        first_ns=row["First"],
        last_ns=row["Last"],
        invocation_id=row["NewestId"],
        attempt=row["NewestAttempt"],
        trace_id=row["NewestTrace"],
        versions=tuple(row["Versions"]),
        spark=spark or [0] * SPARK_BUCKETS,
    )
