"""The functions in service, with what became of their invocations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relive_store import Store
from relive_tracer.explore import functions as explore

__all__ = ["FunctionView", "ServedFunction", "functions", "served_by_registry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFunction:
    """A function as the registry has it. `url` is "" if no server runs."""

    name: str
    kind: str
    version: int
    url: str
    app: str
    code_hash: str
    triggers: tuple[str, ...]  # as people read them: "http POST /checkout", "timer rate(5 minutes)"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionView:
    """A function and its numbers over a time. What was never measured, or cannot be read, is None;
    `last_failure` 0: never."""

    name: str
    kind: str
    version: int
    url: str
    invocations: int | None
    errors: int | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    cold_starts: int | None
    last_failure: int | None
    triggers: tuple[str, ...]
    code_hash: str
    app: str

    def as_json(self) -> dict[str, Any]:
        """The fields of `relive functions --json`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {
            "triggers": list(self.triggers)
        }


def functions(
    served: Sequence[ServedFunction], store: Store | None, since_ns: int, *, readable: bool = True
) -> list[FunctionView]:
    """One row for each of `served`, with its numbers since then. `store` None: nothing was ever recorded; not
    `readable`: what was recorded is not known. Raises StoreError."""
    found = {entry.name: entry for entry in explore.stats(store, since_ns)} if store is not None else {}
    none = 0 if readable else None
    views = []
    for one in served:
        stats = found.get(one.name)
        views.append(
            FunctionView(
                name=one.name,
                kind=one.kind,
                version=one.version,
                url=one.url,
                invocations=stats.invocations if stats else none,
                errors=stats.errors if stats else none,
                p50_ms=stats.p50_ms if stats else None,
                p95_ms=stats.p95_ms if stats else None,
                p99_ms=stats.p99_ms if stats else None,
                cold_starts=stats.cold_starts if stats else none,
                last_failure=stats.last_failure_ns if stats else none,
                triggers=one.triggers,
                code_hash=one.code_hash,
                app=one.app,
            )
        )
    return views


def served_by_registry(home: Path) -> list[ServedFunction]:
    """The functions in service by the home's registry, which needs no server; by name. Raises ReliveError."""
    if not (home / "registry.db").is_file():
        return []
    from relive_platform.registry.storage import VersionTable

    table = VersionTable(home)
    try:
        return [
            ServedFunction(
                name=version.name,
                kind=version.spec.kind,
                version=version.version,
                url="",
                app=version.spec.app,
                code_hash=version.spec.code_hash,
                triggers=tuple(trigger.describe() for trigger in version.config.triggers),
            )
            for version in table.serving()
        ]
    finally:
        table.close()
