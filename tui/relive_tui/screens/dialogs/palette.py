"""ctrl+p: everything that can be done here, every function, every failure; found by typing a part of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from relive_base.errors import ReliveError
from textual.command import DiscoveryHit, Hit, Hits, Provider

from relive_tui.models.home import failure_title
from relive_tui.models.layout.format import range_label
from relive_tui.models.layout.text import clean
from relive_tui.models.navigation.keys import EVERYWHERE, KEYS
from relive_tui.models.navigation.scope import LENSES, RANGES_NS, Place
from relive_tui.source.tickets import Cancelled, Ticket
from relive_tui.widgets.bars import key_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from relive_views.failures import GroupView
    from relive_views.records import FunctionStats

    from relive_tui.shell import Shell

__all__ = ["EverythingProvider", "actions_of"]

MAX_FOUND = 30
_NAMES = {"space": "space", "backspace": "backspace", ":": "colon", "-": "minus"}
_MOVES = (
    "↑↓←→ hjkl",
    "g G",
    "hjkl",
    "j k",
    "1 2 3 4 5 6",
    "7 8 9",
    "3 4 5 6",
    "ctrl+p",
    "Enter",
    "Esc",
    "Tab",
)
"""Keys that move: nobody looks for them by name."""


def actions_of(view: str) -> list[tuple[str, str, str]]:
    """(what it does, the key as it is written, the key's name) of every act of a view, and of all views."""
    found: list[tuple[str, str, str]] = []
    for keys, text in (*KEYS.get(view, ()), *EVERYWHERE):
        if keys not in _MOVES:
            first = keys if keys == "/" else keys.split()[0]
            found.append((text, first, _NAMES.get(first, key_name(first))))
    return found


class EverythingProvider(Provider):
    """Commands of the palette. Functions and failures are asked for when it opens, in a thread."""

    async def startup(self) -> None:
        app: Shell = self.app  # type: ignore[assignment]
        self.functions: list[FunctionStats] = []
        self.groups: list[GroupView] = []
        scope = replace(app.here.scope.without_invocation(), function="")
        try:
            self.functions = await asyncio.to_thread(app.source.functions, Ticket(), scope)
            self.groups = await asyncio.to_thread(app.source.failure_groups, Ticket(), scope)
        except (ReliveError, Cancelled):
            return  # what can be done here is still to be found

    def _everything(self) -> list[tuple[str, str, Callable[[], Any]]]:
        """(what is searched and shown, what it is, what it does)."""
        app: Shell = self.app  # type: ignore[assignment]
        here = app.here
        scope = here.scope
        found: list[tuple[str, str, Callable[[], Any]]] = []
        everything = scope.without_invocation()
        for group in self.groups:
            name = f"✖ {failure_title(group.error_type, group.message)} in {clean(group.function)}"
            inside = replace(
                everything,
                function=group.function,
                invocation_id=group.invocation_id,
                attempt=group.attempt,
            )
            found.append((name, f"failure, ×{group.count}", partial(app.go, Place("failure", inside))))
        for text, label, key in actions_of(here.place.view):
            found.append((text, f"key {label}", partial(self.app.simulate_key, key)))
        for row in self.functions:
            for view in ("invocations", "flame", "logs", "metrics"):
                place = Place(view, replace(everything, function=row.name))
                found.append((f"{clean(row.name)} {view}", "function", partial(app.go, place)))
        for digit, view in LENSES.items():
            found.append((view.capitalize(), f"key {digit}", partial(app.action_lens, digit)))
        for range_ns in RANGES_NS:
            found.append((f"range {range_label(range_ns)}", "time range", partial(app.set_range, range_ns)))
        return found

    async def discover(self) -> Hits:
        for text, what, act in self._everything():
            yield DiscoveryHit(text, act, help=what)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        scored = [(matcher.match(text), text, what, act) for text, what, act in self._everything()]
        best = sorted((entry for entry in scored if entry[0] > 0), key=lambda entry: -entry[0])
        for score, text, what, act in best[:MAX_FOUND]:
            yield Hit(score, matcher.highlight(text), act, text=text, help=what)
