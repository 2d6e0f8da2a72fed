"""Looks at every alert when it is due, and sees to it that whoever is to hear of a change does.

What is decided is on the disk before anybody is told, and that they were told is there after it: a `kill -9`
in between repeats a message, whose id is the change's number, and loses none.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
from relive_base.errors import ReliveError
from relive_store import Store

from relive_platform.alerts.book import AlertBook, Change
from relive_platform.alerts.config import AlertConfig
from relive_platform.alerts.history import history_columns
from relive_platform.alerts.measuring import looked_at, own_value
from relive_platform.alerts.standing import ALARM_STATES, FIRING, Standing, stepped
from relive_platform.metrics.families import Family

__all__ = ["Alert", "AlertWatch", "Telling"]

TICK_S: Final = 5.0
_KEEP_NS: Final = 60_000_000_000  # between writes of nothing but the time of the last look
_NS: Final = 1_000_000_000
_PROBLEM_CHARS: Final = 500
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Alert:
    """As an application in service declares it."""

    name: str
    app: str
    config: AlertConfig


class Telling(Protocol):
    """Who is told. Both return when the message is durable, and raise ReliveError if it is not."""

    def silenced(self, name: str) -> bool: ...
    async def alarm(self, alert: Alert, standing: Standing) -> None: ...
    async def webhook(self, alert: Alert, before: str, standing: Standing) -> None: ...
    async def remind(self) -> None: ...


class AlertWatch:
    """On the event loop; what blocks, in the executor."""

    def __init__(
        self,
        book: AlertBook,
        store: Store,
        own: Callable[[], Awaitable[list[Family]]],
        telling: Telling,
        executor: Executor,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._book = book
        self._store = store
        self._own = own
        self._telling = telling
        self._executor = executor
        self._clock_ns = clock_ns
        self._alerts: dict[str, Alert] = {}
        self._standings: dict[str, Standing] = {}
        self._untold: dict[str, str] = {}  # why nobody could be told, by alert
        self._changes: list[Change] = []  # that are not on the disk yet: nobody is told of them
        self._read = False
        self._kept_ns = 0
        self._task: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()
        self.problem = ""

    async def apply(self, alerts: Mapping[str, Alert]) -> None:
        """These are declared from now on. One whose condition is another is looked at anew."""
        async with self._looking:
            await self._apply(alerts)

    async def _apply(self, alerts: Mapping[str, Alert]) -> None:
        await self._open()
        kept = {}
        for name, alert in alerts.items():
            known = self._alerts.get(name)
            same = known is None or known.config == alert.config
            found = self._standings.get(name, Standing())
            kept[name] = found if same else msgspec.structs.replace(found, wrong_since_ns=0, checked_ns=0)
        gone = self._standings.keys() - kept.keys()
        self._alerts, self._standings = dict(alerts), kept
        if gone:
            await self._keep([])

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.once()
                self.problem = ""
            except ReliveError as error:  # a full disk, a store that is away: the next look is due
                self.problem = str(error)[:_PROBLEM_CHARS]
                _log.warning("alerts: %s", error)
            except Exception:
                self.problem = "the last look failed; run/server.log says why"
                _log.exception("alerts could not be looked at")

    async def once(self) -> None:
        """Look at those that are due, keep what has changed, tell of it."""
        async with self._looking:
            await self._once()

    async def _once(self) -> None:
        await self._open()
        now_ns = self._clock_ns()
        if (
            self._changes
        ):  # a full disk: before these are on it there are no others, of each alert one at most
            await self._keep_changes(now_ns)
        due = [alert for alert in self._alerts.values() if self._is_due(alert, now_ns)]
        if due:
            families = await self._own() if any(alert.config.own for alert in due) else []
            for alert in due:
                change = await self._look(alert, families, now_ns)
                if change is not None:
                    self._changes.append(change)
        if self._changes or (due and now_ns - self._kept_ns >= _KEEP_NS):
            await self._keep_changes(now_ns)
        await self._tell_all()
        try:
            await self._telling.remind()
        finally:
            await self._write_history()

    async def _keep_changes(self, now_ns: int) -> None:
        await self._keep(self._changes)
        self._changes = []
        self._kept_ns = now_ns

    def _is_due(self, alert: Alert, now_ns: int) -> bool:
        checked = self._standings[alert.name].checked_ns
        return checked > now_ns or now_ns - checked >= alert.config.every_s * _NS

    async def _look(self, alert: Alert, families: list[Family], now_ns: int) -> Change | None:
        before = self._standings[alert.name]
        try:
            if alert.config.own:
                verdict = own_value(alert.config, families)
            else:
                verdict = await self._blocking(looked_at, alert.config, alert.app, self._store, now_ns)
        except ReliveError as error:
            self._standings[alert.name] = msgspec.structs.replace(
                before, problem=_line_of(error), checked_ns=now_ns
            )
            return None
        after = stepped(alert.config, before, verdict, now_ns)
        self._standings[alert.name] = after
        if after.state == before.state:
            return None
        silenced = self._telling.silenced(alert.name)
        return Change(alert=alert.name, app=alert.app, before=before.state, standing=after, silenced=silenced)

    async def _tell_all(self) -> None:
        """One that cannot be told is tried again at the next tick, and holds up no other."""
        untold: dict[str, str] = {}
        for alert in self._alerts.values():
            try:
                await self._tell(alert)
            except ReliveError as error:
                problem = untold[alert.name] = _line_of(error)
                if self._untold.get(alert.name) != problem:
                    _log.warning("alert %s: nobody could be told: %s", alert.name, problem)
        self._untold = untold

    async def _tell(self, alert: Alert) -> None:
        standing = self._standings[alert.name]
        state = ALARM_STATES.get(standing.state)
        if state is None or not standing.checked_ns:
            return
        if standing.alarm != state:
            await self._telling.alarm(alert, standing)
            standing = await self._mark(alert, standing, alarm=state)
        if standing.told != standing.state and not self._telling.silenced(alert.name):
            if FIRING in (standing.told, standing.state):  # an idle function has no data: that is no news
                await self._telling.webhook(alert, standing.told, standing)
            await self._mark(alert, standing, told=standing.state)

    async def _mark(self, alert: Alert, standing: Standing, **told: str) -> Standing:
        marked = self._standings[alert.name] = msgspec.structs.replace(standing, **told)
        await self._keep([])
        return marked

    async def _write_history(self) -> None:
        waiting = list(self._book.page.changes)
        if not waiting:
            return
        columns, token = history_columns(waiting)
        try:
            await self._blocking(self._insert, columns, token)
        except ReliveError:
            return  # the store is away: it gets them later
        await self._blocking(self._book.stored, waiting)

    def _insert(self, columns: dict[str, list[Any]], token: str) -> None:
        self._store.insert("alert_history", columns, token=token)

    async def _open(self) -> None:
        if not self._read:
            page = await self._blocking(lambda: self._book.page)
            self._standings, self._read = dict(page.standings), True

    async def _keep(self, changes: list[Change]) -> None:
        await self._blocking(self._book.keep, dict(self._standings), changes)

    async def _blocking(self, work: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *given)

    def listing(self) -> dict[str, dict[str, Any]]:
        """How each stands, by name: the fields of `relive alerts --json`."""
        return {
            name: {
                "app": alert.app,
                "state": (standing := self._standings[name]).state,
                "since_ns": standing.since_ns,
                "value": standing.value,
                "limit": standing.limit,
                "condition": alert.config.describe(),
                "for_s": alert.config.for_s,
                "reason": standing.reason,
                "problem": standing.problem or self._untold.get(name, ""),
                "severity": alert.config.severity,
                "description": alert.config.description,
                "silenced": self._telling.silenced(name),
                "checked_ns": standing.checked_ns,
                "changes": standing.number,
            }
            for name, alert in sorted(self._alerts.items())
        }


def _line_of(error: ReliveError) -> str:
    return " ".join(str(error).split())[:_PROBLEM_CHARS]
