"""Failures in the store: their queries, and the rows that scenes make."""

from __future__ import annotations

from relive_capture.explore.failures.failures import (
    FailureFilter,
    FailureGroup,
    FailureRow,
    count,
    groups,
    page,
    resolve,
)
from relive_capture.explore.failures.rows import CHUNK_BYTES, blob_columns, scene_columns

__all__ = [
    "CHUNK_BYTES",
    "FailureFilter",
    "FailureGroup",
    "FailureRow",
    "blob_columns",
    "count",
    "groups",
    "page",
    "resolve",
    "scene_columns",
]
