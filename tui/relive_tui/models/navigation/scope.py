"""What is looked at (the scope), where we are (places), and how one moves between them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from relive_tui.models.layout.format import range_label, short_id
from relive_tui.models.layout.text import clean

__all__ = ["LENSES", "RANGES_NS", "Navigator", "Place", "Scope", "command_of", "parse_range", "place_of"]

_S = 1_000_000_000
LENSES = {
    "1": "home", "2": "invocations", "3": "trace", "4": "flame", "5": "heap", "6": "logs", "7": "metrics",
    "8": "alerts", "9": "sql",
}  # fmt: skip
"""The digits, and what each one shows."""
VIEWS = ("home", "invocations", "trace", "failure", "flame", "heap", "logs", "metrics", "alerts", "sql")
RANGES_NS = (300 * _S, 900 * _S, 3_600 * _S, 21_600 * _S, 86_400 * _S, 7 * 86_400 * _S, 0)
MAX_STACK = 32
_RANGE = re.compile(r"(\d{1,6})\s*([smhd])")
_UNITS = {"s": _S, "m": 60 * _S, "h": 3_600 * _S, "d": 86_400 * _S}


@dataclass(frozen=True, slots=True)
class Scope:
    """What every screen inherits. `range_ns` 0: all that is kept."""

    function: str = ""
    range_ns: int = 900 * _S
    invocation_id: str = ""
    attempt: int = 0
    trace_id: str = ""
    span_id: str = ""
    object: int = 0  # address of the object to begin with, in a heap
    alert: str = ""  # the one to begin with
    imports: bool = False  # what cold starts import, instead of what handlers do
    sql: str = ""  # the query

    def since_ns(self, now_ns: int) -> int:
        """Where the time range begins; 0 if it has no beginning."""
        return now_ns - self.range_ns if self.range_ns else 0

    def without_invocation(self) -> Scope:
        """The same function and time, all invocations."""
        return replace(self, invocation_id="", attempt=0, trace_id="", span_id="", object=0)

    @property
    def label(self) -> str:
        """`scope: checkout · 15m`, for the right of the top line."""
        return f"{clean(self.function) or 'all functions'} · {range_label(self.range_ns)}"


@dataclass(frozen=True, slots=True)
class Place:
    """A view with its scope: what the address of a screen is."""

    view: str = "home"
    scope: Scope = Scope()

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The breadcrumb: from the broad to the narrow."""
        parts = ["relive"]
        scope = self.scope
        if self.view != "home":
            if scope.function:
                parts.append(clean(scope.function))
            if self.view in ("invocations", "metrics", "alerts", "sql"):
                pass  # a list is not of one invocation
            elif scope.invocation_id:
                parts.append("inv " + clean(short_id(scope.invocation_id)))
            elif scope.trace_id:
                parts.append("trace " + clean(short_id(scope.trace_id)))
        parts.append("SQL" if self.view == "sql" else self.view.capitalize())
        return tuple(parts)


@dataclass(slots=True)
class Navigator:
    """The breadcrumb stack. The bottom is where the program opened; it never goes."""

    stack: list[Place] = field(default_factory=lambda: [Place()])
    previous: Place | None = None

    @property
    def here(self) -> Place:
        """The place that is shown."""
        return self.stack[-1]

    def go(self, place: Place) -> tuple[int, bool]:
        """Go to `place`; if it is in the stack already, back to it.

        Returns (places left, whether a new one was entered): what a stack of screens has to follow.
        """
        if place == self.here:
            return 0, False
        self.previous = self.here
        if place in self.stack:
            keep = self.stack.index(place) + 1
            left = len(self.stack) - keep
            del self.stack[keep:]
            return left, False
        full = len(self.stack) >= MAX_STACK
        if full:
            self.stack.pop()
        self.stack.append(place)
        return int(full), True

    def back(self) -> bool:
        """Leave the place; False at the bottom."""
        if len(self.stack) == 1:
            return False
        self.previous = self.stack.pop()
        return True

    def set_range(self, range_ns: int) -> None:
        """Another time range, for every place."""
        self.stack = [replace(place, scope=replace(place.scope, range_ns=range_ns)) for place in self.stack]
        if self.previous is not None:
            self.previous = replace(self.previous, scope=replace(self.previous.scope, range_ns=range_ns))

    def lens(self, digit: str) -> Place | None:
        """Where a digit leads from here: the same scope through another lens."""
        view = LENSES.get(digit)
        return replace(self.here, view=view) if view else None


def parse_range(text: str) -> int | None:
    """`15m`, `2h`, `7d`, `all` as ns (all: 0), or None if it is neither."""
    if text.strip() == "all":
        return 0
    match = _RANGE.fullmatch(text.strip())
    return int(match[1]) * _UNITS[match[2]] if match and int(match[1]) else None


def place_of(view: str | None, ident: str | None, base: Scope | None = None) -> Place:
    """The place that `relive tui VIEW IDENT` names. Raises ValueError with the views that exist."""
    scope = base or Scope()
    name = (view or "home").lower()
    if name not in VIEWS:
        raise ValueError(f"there is no view {clean(name)!r}; views: {', '.join(VIEWS)}")
    if not ident:
        return Place(name, scope)
    if name == "trace":
        return Place(name, replace(scope, trace_id=ident, invocation_id=""))
    if name in ("alerts", "sql"):
        return Place(name, replace(scope, alert=ident) if name == "alerts" else replace(scope, sql=ident))
    if name in ("failure", "heap") or (name in ("flame", "logs") and looks_like_id(ident)):
        return Place(name, replace(scope, invocation_id=ident))
    return Place(name, replace(scope, function=ident))


def looks_like_id(text: str) -> bool:
    """Whether this abbreviates an invocation id rather than names a function."""
    return bool(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{0,27}", text)) or text == "last"


def command_of(place: Place, file: str = "") -> str:
    """The command that reopens a place; of a scene `file` if that is all there is."""
    scope = place.scope
    if file:
        ident = file
    elif place.view == "home":
        return "relive tui"
    elif place.view == "trace":
        ident = scope.trace_id or scope.invocation_id
    elif place.view in ("invocations", "metrics"):
        ident = scope.function
    elif place.view in ("alerts", "sql"):
        ident = scope.alert if place.view == "alerts" else scope.sql
    else:
        ident = scope.invocation_id or ("" if place.view in ("failure", "travel", "heap") else scope.function)
    view = "failure" if place.view == "travel" else place.view  # it is opened from there
    quoted = ident if re.fullmatch(r"[\w.:@/-]*", ident) else "'" + ident.replace("'", "'\"'\"'") + "'"
    return " ".join(part for part in ("relive tui", view, quoted) if part)
