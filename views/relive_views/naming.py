"""What a person means by an id, the beginning of one, a function's name, or "last"."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Final

from relive_base.errors import NotFound, UsageError
from relive_capture.explore import failures
from relive_capture.explore.errors import AmbiguousScene, SceneNotFound
from relive_store import Store
from relive_tracer.explore import invocations, traces
from relive_tracer.explore.errors import AmbiguousId, InvocationNotFound, TraceNotFound

from relive_views import queries

__all__ = ["LAST", "Finder", "Found"]

LAST: Final = "last"
RECENT_NS: Final = 15 * 60 * 1_000_000_000
"""What somebody did this long ago is not hidden by what timers have done since."""
_ENDING = re.compile(r"[0-9a-f]{8,12}")  # of a UUID, as file names and older listings show it
_TRACE = re.compile(r"[0-9a-f]{6,32}")


@dataclass(frozen=True, slots=True)
class Found:
    """An invocation. `attempt` 0: the newest. `note`: what the reader should know of the choice, or ""."""

    ident: str
    note: str = ""


class Finder:
    """Finds invocations, failures and traces in a store.

    `names`: the functions in service and those of which something is recorded; asked if nothing else fits.
    """

    def __init__(
        self, store: Store, names: Callable[[], Set[str]], clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._store = store
        self._names = names
        self._clock_ns = clock_ns

    def invocation(self, text: str) -> Found:
        """An invocation. Of a function: its newest. "last": the newest that somebody asked for.

        Raises InvocationNotFound, AmbiguousId, UsageError.
        """
        _require_named(text)
        if text == LAST:
            return self._last_invocation()
        newest = invocations.page(self._store, invocations.InvocationFilter(function=text), limit=1)
        if newest:
            return Found(newest[0].invocation_id)
        try:
            return Found(invocations.get(self._store, text).invocation_id)
        except InvocationNotFound as error:
            found = self._otherwise(queries.INVOCATIONS, text)
            if found is None:
                raise self._not_found(InvocationNotFound, text, error, "invocation") from error
            return Found(found)

    def failure(self, text: str) -> Found:
        """A failed invocation. Of a function: its newest failure. Raises SceneNotFound, AmbiguousScene."""
        _require_named(text)
        if text == LAST:
            return self._last_failure()
        newest = failures.page(self._store, failures.FailureFilter(function=text), 1, 0)
        if newest:
            return Found(newest[0].invocation_id)
        found = failures.resolve(self._store, text.lower())
        if len(found) > 1 and found[0][0] != text.lower():
            names = " and ".join(entry[0] for entry in found)
            raise AmbiguousScene(f"{text!r} may mean {names}", hint="give more of the id")
        if found:
            return Found(found[0][0])
        ident = self._otherwise(queries.FAILURES, text)
        if ident is not None:
            return Found(ident)
        raise self._no_failure(text)

    def trace(self, text: str) -> str:
        """A trace's id, from its beginning or from what `invocation` takes. Raises TraceNotFound,
        AmbiguousId, InvocationNotFound."""
        if _TRACE.fullmatch(text.lower()):
            try:
                return traces.resolve(self._store, text)
            except (TraceNotFound, InvocationNotFound):
                pass  # it may be a function's name, or the end of an id
        try:
            return invocations.get(self._store, self.invocation(text).ident).trace_id
        except InvocationNotFound as error:
            if text == LAST:
                raise
            raise TraceNotFound(error.message, hint=error.hint) from error

    def _last_invocation(self) -> Found:
        since = self._clock_ns() - RECENT_NS
        rows = list(self._store.query(queries.LAST_INVOCATION, {"since": since}).rows())
        if rows:
            return Found(str(rows[0][0]))
        return Found(invocations.get(self._store, LAST).invocation_id)

    def _last_failure(self) -> Found:
        newest = failures.page(self._store, failures.FailureFilter(), 1, 0)
        if not newest:
            raise SceneNotFound("nothing has failed yet", hint="see how it would look: relive demo")
        since = self._clock_ns() - RECENT_NS
        rows = list(self._store.query(queries.LAST_FAILURE, {"since": since}).rows())
        if not rows or rows[0][0] in ("", newest[0].invocation_id):
            return Found(newest[0].invocation_id)
        later = int(str(rows[0][1]))
        what = "1 failure" if later == 1 else f"{later:,} failures"
        return Found(str(rows[0][0]), f"{what} of timers came after this one; list them: relive failures")

    def _otherwise(self, query: queries.ById, text: str) -> str | None:
        """By an event's own id, by the end of an id, by the beginning of a trace's. Raises AmbiguousId."""
        lowered = text.lower()
        statements = [(query.event, text)] if query.event else []
        if _ENDING.fullmatch(lowered):
            statements.append((query.ending, lowered))
        if _TRACE.fullmatch(lowered):
            statements.append((query.trace, lowered))
        for statement, value in statements:
            found = [str(row[0]) for row in self._store.query(statement, {"text": value}).rows()]
            if len(found) > 1:
                raise AmbiguousId(f"{text!r} may mean {found[0]} and {found[1]}", hint="give more of the id")
            if found:
                return found[0]
        return None

    def _no_failure(self, text: str) -> NotFound:
        if text in self._names():
            return SceneNotFound(
                f"no failure of {text} is known", hint=f"list its invocations: relive invocations {text}"
            )
        try:
            ran = invocations.get(self._store, text)
        except (InvocationNotFound, AmbiguousId):
            unknown = SceneNotFound(
                f"no failure's id begins with {text!r}", hint="list them: relive failures"
            )
            return self._not_found(SceneNotFound, text, unknown, "failure")
        how = "succeeded" if ran.status == "ok" else f"has the status {ran.status}, and left no scene"
        return SceneNotFound(
            f"invocation {ran.invocation_id} of {ran.function} {how}",
            hint=f"see what it did: relive trace {text}",
        )

    def _not_found(self, kind: type[NotFound], text: str, error: NotFound, what: str) -> NotFound:
        """The error for a text that fits nothing; of a function's name, or of a slip in one, it says so."""
        from relive_platform.names import unknown_id_or_name

        names = self._names()
        if text in names:
            return kind(f"no {what} of {text} is known", hint=f"make one: relive invoke {text}")
        return unknown_id_or_name(error, what, text, names, "relive functions")


def _require_named(text: str) -> None:
    """A variable that is not set means nothing, and not the newest. Raises UsageError."""
    if not text.strip():
        raise UsageError("no id or name is given", hint=f"{LAST} is the newest")
