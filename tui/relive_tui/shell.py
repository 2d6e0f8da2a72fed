"""The application, as its screens know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from relive_tui.models.health import Health
    from relive_tui.models.navigation.scope import Navigator, Place, Scope
    from relive_tui.source.reading import Source
    from relive_tui.source.tickets import Ticket

__all__ = ["Placed", "Shell"]


class Placed(Protocol):
    """A screen at its place."""

    place: Place

    @property
    def scope(self) -> Scope: ...


class Shell(Protocol):
    """Where a screen asks for another, and for what all screens share."""

    source: Source
    navigator: Navigator
    paused: bool
    paused_ns: int
    range_chosen: bool
    health: Health | None
    health_known: bool

    @property
    def here(self) -> Placed: ...
    def go(self, place: Place) -> None: ...
    def rescope_screen(self, screen: Any, scope: Scope) -> None: ...
    def painted(self) -> None: ...
    def set_range(self, range_ns: int) -> None: ...
    def action_leave(self) -> None: ...
    def action_lens(self, digit: str) -> None: ...
    def ask_command(self, text: str) -> None: ...
    def run_outside(self, command: list[str], *, wait: bool = True) -> None: ...
    def cancel_in_background(self, ticket: Ticket) -> None: ...
