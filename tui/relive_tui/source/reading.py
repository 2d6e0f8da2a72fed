"""What the screens ask of a data source. Every method may block and is called in a worker thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_views.failures import GroupView
    from relive_views.health.alerts import AlertChangeView
    from relive_views.health.functions import FunctionHealth
    from relive_views.health.platform import Gauge
    from relive_views.heaps import Comparison as Growth
    from relive_views.kept import KeptView
    from relive_views.profiles.trees import FlameTree, HotRow
    from relive_views.profiles.why_slow import WhySlowView
    from relive_views.records import FunctionStats, InvocationRow, LogRow, SpanRow, Unkept
    from relive_views.scenes.model import SceneView
    from relive_views.scenes.replays import ReplayNote
    from relive_views.sql import Columns, Schema

    from relive_tui.models.alerts import Standing
    from relive_tui.models.health import Health
    from relive_tui.models.heap.ref import HeapRef
    from relive_tui.models.heap.view import HeapView
    from relive_tui.models.lists.compare import Comparison
    from relive_tui.models.lists.filtering import InvocationQuery
    from relive_tui.models.navigation.scope import Scope
    from relive_tui.models.profile.diff_flame import Compared
    from relive_tui.models.progress import Progress
    from relive_tui.source.tickets import Ticket

__all__ = ["FailureRef", "Source"]

FailureRef = tuple[str, int, str]
"""(invocation id, attempt, function)."""


class Source(Protocol):
    """Raises ReliveError (store unreachable, limit, not found) or Cancelled. Times: ns since the epoch."""

    file: str
    """The scene archive that is all there is to see; empty for a home."""

    command: tuple[str, ...]
    """The `relive` command for this home or server, as a program and its first arguments; empty: unknown."""

    def now_ns(self) -> int:
        """The clock."""

    def failure_groups(self, ticket: Ticket, scope: Scope) -> list[GroupView]:
        """Newest first."""

    def functions(self, ticket: Ticket, scope: Scope) -> list[FunctionStats]:
        """Statistics of every function."""

    def figures(self, ticket: Ticket, scope: Scope, points: int) -> list[FunctionHealth]:
        """Rate, errors, durations and waiting of functions, in at most `points` stretches of time."""

    def gauges(self, ticket: Ticket, scope: Scope, points: int) -> list[Gauge]:
        """What the server has said of itself, the same way."""

    def alerts(self, ticket: Ticket) -> list[Standing]:
        """Those that fire first. Raises ServerUnreachable: only a server knows."""

    def alert_changes(self, ticket: Ticket, scope: Scope, alert: str) -> list[AlertChangeView]:
        """Of one alert, or of all ("") in the scope's time range; the newest first."""

    def silence(self, ticket: Ticket, alert: str, seconds: float, reason: str) -> int:
        """Let nobody be told of an alert for so long; 0 ends a silence. Gives until when, or 0."""

    def hottest(self, ticket: Ticket, scope: Scope) -> dict[str, str]:
        """Function -> `cart.py:88 31%`."""

    def aliases(self) -> dict[str, str]:
        """Function -> `live v7, 10% v8`; only those that have any."""

    def failures(self, ticket: Ticket, scope: Scope) -> list[FailureRef]:
        """Newest first, for going from one to the next."""

    def scene(self, ticket: Ticket, invocation_id: str, attempt: int) -> SceneView:
        """A scene by (abbreviated) id, or `last`; attempt 0 is the newest."""

    def history(self, ticket: Ticket, function: str, fingerprint: str) -> GroupView | None:
        """All failures of a function with one fingerprint, of any time; None if nothing is known."""

    def settle(self, ticket: Ticket, group: GroupView, state: str) -> None:
        """Say "resolved", "ignored" or "open" of a group of failures."""

    def replay(self, ticket: Ticket, invocation_id: str, attempt: int) -> ReplayNote | None:
        """What the last replay of a failure came to; None if there was none."""

    def kept(self, invocation_id: str) -> KeptView | None:
        """The failed process, if a server keeps it; None if it is gone or nobody is there to ask."""

    def heap(self, ticket: Ticket, scope: Scope, progress: Progress) -> HeapView:
        """The analysed heap of the scope's failure, or the newest one. It may take seconds."""

    def heap_others(self, ticket: Ticket, scope: Scope) -> list[HeapRef]:
        """Other heaps of the scope's function, newest first."""

    def heap_growth(self, ticket: Ticket, scope: Scope, other: HeapRef, progress: Progress) -> Growth:
        """What has grown from another heap to the scope's."""

    def invocation(self, ticket: Ticket, ident: str) -> InvocationRow:
        """One invocation by (abbreviated) id, or `last`."""

    def count(
        self, ticket: Ticket, scope: Scope, query: InvocationQuery, since_ns: int, until_ns: int
    ) -> int:
        """How many invocations match, of those that started in [since, until)."""

    def invocations(
        self, ticket: Ticket, scope: Scope, query: InvocationQuery, *, until_ns: int, order: str, offset: int,
        limit: int, after: InvocationRow | None,
    ) -> list[InvocationRow]:  # fmt: skip
        """A page of those that started before `until_ns`; `after` is the row before the page, if known."""

    def trace(self, ticket: Ticket, scope: Scope, limit: int = ...) -> tuple[str, list[SpanRow]]:
        """(trace id, its first spans) of the scope's trace or invocation, or of the newest invocation."""

    def unkept(self, ticket: Ticket, trace_id: str) -> Unkept | None:
        """How much of a trace was over the limits of its invocations, or left out."""

    def why_slow(self, ticket: Ticket, scope: Scope) -> WhySlowView | None:
        """Why the scope's invocation was slower than its function normally is; None if it is not known."""

    def logs(
        self, ticket: Ticket, scope: Scope, *, text: str = "", severity: str = "", since_ns: int = 0,
        until_ns: int = 0, after_ns: int = 0, limit: int = 1000,
    ) -> list[LogRow]:  # fmt: skip
        """Log lines, oldest first; the newest `limit` of them, or with `after_ns` the next ones."""

    def flame(self, ticket: Ticket, scope: Scope, weight: str) -> FlameTree:
        """The scope's flame graph, weighed by "wall" or "cpu"."""

    def hot(self, ticket: Ticket, scope: Scope, weight: str) -> list[HotRow]:
        """Lines by self time ("wall" or "cpu"), the hottest first."""

    def sql(self, ticket: Ticket, text: str) -> Columns:
        """The result of a query that only reads, and of at most so many rows, seconds and bytes. Raises
        StoreError with what is wrong with it."""

    def schema(self, ticket: Ticket) -> Schema:
        """Tables, their columns, and functions."""

    def compared(self, ticket: Ticket, scope: Scope, what: str, weight: str) -> Compared:
        """Two sets of a function's profiles: what is "usual" against the scope's invocation, the "slow" ones
        against the others, those that "failed" against those that went well, or two versions ("3,4"); of
        "wall" or "cpu" time."""

    def source_lines(self, ticket: Ticket, scope: Scope, file: str) -> Sequence[str]:
        """The lines of a function's source file; empty if it is not at hand."""

    def source_path(self, ticket: Ticket, scope: Scope, version: int, file: str) -> str:
        """Where a file of a frame or a hot line lies on this machine; empty if it does not."""

    def export(self, ticket: Ticket, scope: Scope, kind: str, target: str) -> str:
        """Write into the folder `target`: a flame graph ("speedscope", "html", "pprof", "collapsed",
        "otlp_profile"), "scene", "heapsnapshot", "json" (the trace); or "otlp": send
        the trace to the collector `target`. Gives what to tell the user. Raises OSError, too."""

    def compare(self, ticket: Ticket, before: InvocationRow, after: InvocationRow) -> Comparison:
        """Events and hot lines of two invocations."""

    def health(self) -> Health | None:
        """What the platform says of itself; None if nobody was asked to know."""

    def cancel(self, ticket: Ticket) -> None:
        """Give up what runs for this ticket, in the engine too; may block."""

    def close(self) -> None:
        """Let go of the store."""
