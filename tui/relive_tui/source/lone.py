"""A data source without a store: everything is empty but what a subclass knows from its one file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from relive_base.errors import NotFound, UsageError
from relive_views.profiles.trees import FlameTree

from relive_tui.models.heap.view import HeapView
from relive_tui.models.lists.compare import Comparison

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from relive_views.failures import GroupView
    from relive_views.health.alerts import AlertChangeView
    from relive_views.health.functions import FunctionHealth
    from relive_views.health.platform import Gauge
    from relive_views.heaps import Comparison as Growth
    from relive_views.kept import KeptView
    from relive_views.profiles.trees import HotRow
    from relive_views.profiles.why_slow import WhySlowView
    from relive_views.records import FunctionStats, InvocationRow, LogRow, SpanRow
    from relive_views.scenes.model import SceneView
    from relive_views.scenes.replays import ReplayNote
    from relive_views.sql import Columns, Schema

    from relive_tui.models.alerts import Standing
    from relive_tui.models.health import Health
    from relive_tui.models.heap.ref import HeapRef
    from relive_tui.models.lists.filtering import InvocationQuery
    from relive_tui.models.navigation.scope import Scope
    from relive_tui.models.profile.diff_flame import Compared
    from relive_tui.models.progress import Progress
    from relive_tui.source.reading import FailureRef
    from relive_tui.source.tickets import Ticket

__all__ = ["LoneSource"]


class LoneSource:
    """Implements `reading.Source` for `file`, which `what` names: "a heap snapshot"."""

    what = "this file"

    def __init__(
        self, file: str, command: Sequence[str] = (), clock: Callable[[], int] = time.time_ns
    ) -> None:
        self.file = file
        self.command = tuple(command)
        self._clock = clock

    def now_ns(self) -> int:
        """The clock."""
        return self._clock()

    def failure_groups(self, ticket: Ticket, scope: Scope) -> list[GroupView]:
        return []

    def functions(self, ticket: Ticket, scope: Scope) -> list[FunctionStats]:
        return []

    def aliases(self) -> dict[str, str]:
        return {}

    def figures(self, ticket: Ticket, scope: Scope, points: int) -> list[FunctionHealth]:
        return []

    def gauges(self, ticket: Ticket, scope: Scope, points: int) -> list[Gauge]:
        return []

    def alerts(self, ticket: Ticket) -> list[Standing]:
        raise NotFound(f"{self.what} has no alerts")

    def alert_changes(self, ticket: Ticket, scope: Scope, alert: str) -> list[AlertChangeView]:
        return []

    def silence(self, ticket: Ticket, alert: str, seconds: float, reason: str) -> int:
        raise NotFound(f"{self.what} has no alerts")

    def hottest(self, ticket: Ticket, scope: Scope) -> dict[str, str]:
        return {}

    def failures(self, ticket: Ticket, scope: Scope) -> list[FailureRef]:
        return []

    def scene(self, ticket: Ticket, invocation_id: str, attempt: int) -> SceneView:
        raise NotFound(f"{self.what} has no failure")

    def history(self, ticket: Ticket, function: str, fingerprint: str) -> GroupView | None:
        return None

    def settle(self, ticket: Ticket, group: GroupView, state: str) -> None:
        raise UsageError(
            f"{self.what} is not a list of failures", hint="relive failures resolve ID, in its home"
        )

    def replay(self, ticket: Ticket, invocation_id: str, attempt: int) -> ReplayNote | None:
        return None

    def kept(self, invocation_id: str) -> KeptView | None:
        return None

    def heap(self, ticket: Ticket, scope: Scope, progress: Progress) -> HeapView:
        return HeapView(reason=f"{self.what} has none")

    def heap_others(self, ticket: Ticket, scope: Scope) -> list[HeapRef]:
        return []

    def heap_growth(self, ticket: Ticket, scope: Scope, other: HeapRef, progress: Progress) -> Growth:
        raise NotFound(f"{self.what} has nothing to be compared with")

    def invocation(self, ticket: Ticket, ident: str) -> InvocationRow:
        raise NotFound(f"{self.what} has no invocation")

    def count(
        self, ticket: Ticket, scope: Scope, query: InvocationQuery, since_ns: int, until_ns: int
    ) -> int:
        return 0

    def invocations(
        self, ticket: Ticket, scope: Scope, query: InvocationQuery, *, until_ns: int, order: str, offset: int,
        limit: int, after: InvocationRow | None,
    ) -> list[InvocationRow]:  # fmt: skip
        return []

    def unkept(self, ticket: Ticket, trace_id: str) -> None:
        return None

    def trace(self, ticket: Ticket, scope: Scope, limit: int = 0) -> tuple[str, list[SpanRow]]:
        return "", []

    def why_slow(self, ticket: Ticket, scope: Scope) -> WhySlowView | None:
        return None

    def logs(
        self, ticket: Ticket, scope: Scope, *, text: str = "", severity: str = "", since_ns: int = 0,
        until_ns: int = 0, after_ns: int = 0, limit: int = 1000,
    ) -> list[LogRow]:  # fmt: skip
        return []

    def flame(self, ticket: Ticket, scope: Scope, weight: str) -> FlameTree:
        return FlameTree()

    def hot(self, ticket: Ticket, scope: Scope, weight: str) -> list[HotRow]:
        return []

    def compare(self, ticket: Ticket, before: InvocationRow, after: InvocationRow) -> Comparison:
        return Comparison()

    def sql(self, ticket: Ticket, text: str) -> Columns:
        raise NotFound(f"{self.what} has no tables")

    def schema(self, ticket: Ticket) -> Schema:
        raise NotFound(f"{self.what} has no tables")

    def compared(self, ticket: Ticket, scope: Scope, what: str, weight: str) -> Compared:
        raise NotFound(f"{self.what} has nothing to be compared with")

    def source_lines(self, ticket: Ticket, scope: Scope, file: str) -> Sequence[str]:
        return ()

    def source_path(self, ticket: Ticket, scope: Scope, version: int, file: str) -> str:
        return ""

    def export(self, ticket: Ticket, scope: Scope, kind: str, target: str) -> str:
        raise NotFound(f"{self.what} cannot be exported as that")

    def health(self) -> Health | None:
        return None

    def cancel(self, ticket: Ticket) -> None:
        """Nothing runs anywhere else."""
        ticket.cancel()

    def close(self) -> None:
        """Nothing is open."""
