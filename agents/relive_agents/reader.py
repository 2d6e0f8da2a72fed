"""What was recorded, as answers. One call reads at a time: stores have one connection."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from relive_base.errors import NotFound, ReliveError, UsageError
from relive_base.terminal import one_line
from relive_views.failures import FailureFilter, error_text, failure_groups
from relive_views.naming import Finder

from relive_agents.texts import Answer, told_apart
from relive_agents.verdicts import why_call

if TYPE_CHECKING:
    from relive_store import Store
    from relive_views.scenes.archives import SceneFile

__all__ = ["OpenStore", "Reader", "since_ns"]

_WIDTH: Final = 110
_GROUPS: Final = 12
_LINES: Final = 15
_ROWS: Final = 50
_CELL: Final = 200
_SQL_S: Final = 20.0
_NS: Final = {"s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000, "d": 86_400_000_000_000}
_AGO: Final = re.compile(r"(\d{1,6})([smhd])")
_PARTS_NS: Final = 50_000  # what is less does not explain anything
_NEXT_LINES: Final = 3  # of a page with one command: what to type next is ours to say


class OpenStore(Protocol):
    """Gives the store that is open, or opens it. `anew`: the one that was open is of no use any more;
    `settled`: with all that has happened until now."""

    def __call__(self, *, anew: bool, settled: bool) -> Store: ...


class Reader:
    """Thread-safe. Methods raise ReliveError. `names`: functions in service; `elsewhere`: whether a scene is
    from somewhere else, so that this home has no code of it."""

    def __init__(
        self,
        store: OpenStore,
        home: Path,
        names: Callable[[], set[str]] = set,
        clock_ns: Callable[[], int] = time.time_ns,
        elsewhere: Callable[[SceneFile], bool] = lambda _: False,
    ) -> None:
        self._open = store
        self._home = home
        self._names = names
        self._clock_ns = clock_ns
        self._elsewhere = elsewhere
        self._lock = threading.Lock()
        self._lost = False

    @contextmanager
    def _store(self, *, settled: bool = False) -> Iterator[Store]:
        with self._lock:
            anew, self._lost = self._lost, True
            try:
                yield self._open(anew=anew, settled=settled)
                self._lost = False
            except (NotFound, UsageError):
                self._lost = False  # it has answered
                raise

    def failures(self, function: str = "", since: str = "30d") -> Answer:
        """Groups, the newest first."""
        began_ns = since_ns(since, self._clock_ns())
        with self._store(settled=True) as store:
            wanted = FailureFilter(function=function, since_ns=began_ns)
            rows = failure_groups(store, wanted, _GROUPS + 1).rows
        if not rows:
            of = f" of {one_line(function, 60)}" if function else ""
            return Answer(f"no failures{of} in the last {since}", next="failures with another since, or sql")
        lines = []
        for row in rows[:_GROUPS]:
            state = f" [{row.state}]" if row.state != "open" else ""
            error = error_text(row.error_type, row.message)
            lines.append(
                f"{row.short}  {row.count}x  {row.function}  {one_line(error, 110)}  {row.where}{state}"
            )
        more = " and more; name a function to narrow it" if len(rows) > _GROUPS else ""
        head = f"{len(lines)} groups of failures{more}: id of the newest, count, function, error, line"
        return Answer(head, "\n".join(lines), f'scene(id="{told_apart(rows[0].short)}")')

    def scene(self, ident: str, *, full: bool = False, offset: int = 0) -> Answer:
        """Why one failed."""
        from relive_capture.explore.parts import failure_lines

        scene = self._scene(ident)
        lines = failure_lines(scene, _WIDTH, ("-",), full=full)[:-_NEXT_LINES]
        text = "\n".join(line.text for line in lines)
        flag = ", full=true" if full else ""
        more = f'scene(id="{told_apart(scene.invocation_id)}"{flag}, offset={{offset}}) goes on'
        code = "." if self._elsewhere(scene) else ""
        return Answer("", text, _after_scene(scene, code), skipped=max(offset, 0), more=more)

    def ident(self, ident: str) -> str:
        """The whole id of the failure that is meant. Raises NotFound."""
        with self._store(settled=True) as store:
            return Finder(store, self._names).failure(ident).ident

    def code_of(self, ident: str) -> str:
        """What tools that run a failure are told as its code: "" is the version that failed. Never raises for
        a scene that is not there."""
        try:
            return "." if self._elsewhere(self._scene(ident)) else ""
        except (ReliveError, OSError):
            return ""  # who runs it says so

    def _scene(self, ident: str) -> SceneFile:
        from relive_capture.explore import scenes

        with self._store(settled=True) as store:
            found = Finder(store, self._names).failure(ident).ident
            return scenes.load(store, self._home / "scenes", found, 0)

    def hot(self, function: str = "", since: str = "24h") -> Answer:
        """Lines of code."""
        from relive_views.profiles.hot import HotFilter, hot

        with self._store() as store:
            wanted = HotFilter(function=function, since_ns=since_ns(since, self._clock_ns()))
            found = hot(store, wanted, "line", _LINES)
        if not found.rows:
            return Answer(found.note or f"no profiles in the last {since}", next="another since or function")
        lines = ["self %  self     on CPU   total    samples  where"]
        lines += [
            f"{row.self_pct:6.1f}  {row.self_s:6.2f} s {row.self_cpu_s:6.2f} s {row.total_s:6.2f} s "
            f"{row.samples:8}  "
            f"{row.function} {row.where} {row.name}"
            for row in found.rows
        ]
        head = f"{found.invocations:,} invocations, {found.samples:,} samples. {found.note}".strip()
        return Answer(
            head, "\n".join(lines), "read the first line's code; why_slow(id) compares one invocation"
        )

    def why_slow(self, subject: str) -> Answer:
        """Of an invocation; of a function, its slowest of the last day."""
        from relive_profiler.explore.slow.words import took
        from relive_views.deployed import DeployedCode
        from relive_views.profiles.why_slow import why_slow

        deployed = DeployedCode(self._home)
        with self._store(settled=True) as store:
            found = why_slow(
                store,
                self._slowest(store, subject),
                source=lambda row: deployed.line_of(row.function, row.version),
            )
        row, answer = found.row, found.answer
        lines = [answer.sentence, "", "change   usually  this one"]
        for part in answer.parts:
            if max(part.before_ns, part.after_ns) >= _PARTS_NS:
                sign = "+" if part.change_ns >= 0 else "-"
                change = f"{sign}{took(abs(part.change_ns))}"
                lines.append(f"{change:8} {took(part.before_ns):8} {took(part.after_ns):8} {part.words}")
        lines += answer.notes
        lines.insert(0, f"{row.function} v{row.version} {row.invocation_id} {row.status}")
        return Answer("", "\n".join(lines), f'hot(function="{told_apart(row.function)}")')

    def _slowest(self, store: Store, subject: str) -> str:
        from relive_tracer.explore import invocations

        if subject != "last":
            since = self._clock_ns() - _NS["d"]
            wanted = invocations.InvocationFilter(function=subject, since_ns=max(since, 0))
            slowest = invocations.page(store, wanted, limit=1, order="slowest")
            if slowest:
                return slowest[0].invocation_id
        return Finder(store, self._names).invocation(subject).ident

    def sql(self, query: str) -> Answer:
        """At most 50 rows, of cells of 200 characters."""
        with self._store(settled=True) as store:
            found = store.query(query, timeout_s=_SQL_S, max_rows=_ROWS, read_only=True)
        lines = ["\t".join(found.names)]
        times = [kind.removeprefix("Nullable(").startswith("DateTime") for kind in found.types]
        for row in found.rows():
            lines.append("\t".join(_cell(*pair) for pair in zip(row, times, strict=True)))
        full = f"; the limit is {_ROWS}: narrow the query" if len(found) >= _ROWS else ""
        return Answer(f"{len(found)} rows, columns separated by tabs, times in UTC{full}", "\n".join(lines))


def since_ns(text: str, now_ns: int) -> int:
    """ "24h" before now. Raises UsageError."""
    found = _AGO.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{one_line(text, 40)!r} is no time", hint="such as 30m, 24h or 7d")
    return max(now_ns - int(found[1]) * _NS[found[2]], 0)


def _cell(value: object, is_time: bool) -> str:
    if is_time and isinstance(value, int):
        moment = datetime.fromtimestamp(value // 1_000_000_000, UTC)
        return f"{moment:%Y-%m-%d %H:%M:%S}.{value // 1_000_000 % 1000:03}"
    return one_line(str(value), _CELL)


def _after_scene(scene: SceneFile, code: str) -> str:
    """Where its cause is, if another function failed; else what to do."""
    ident = told_apart(scene.invocation_id)
    for call in scene.recorded_calls:
        failure: Any = call.failure
        if (
            call.kind == "invoke"
            and failure is not None
            and len(failure.arguments) > 1
            and failure.arguments[1]
        ):
            return f'a called function failed: scene(id="{told_apart(str(failure.arguments[1]))}")'
    if scene.has_heap and scene.manifest.get("kind") == "memory":
        return f'scene(id="{ident}", heap=true): what filled the memory; then fix it and replay with code="."'
    why = why_call(ident, code)
    return f'fix it, then replay(id="{ident}", code="."); or {why} for where a bad value arose'
