"""The application: one navigator, one data source, screens that are imported when they are opened."""

from __future__ import annotations

import gc
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SuspendNotSupported
from textual.binding import Binding, BindingType

from relive_tui.models.layout.format import range_label
from relive_tui.models.layout.text import clean
from relive_tui.models.navigation.scope import (
    LENSES,
    RANGES_NS,
    Navigator,
    Place,
    Scope,
    command_of,
    place_of,
)
from relive_tui.theme import CSS_VARIABLES

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.screen import Screen

    from relive_tui.models.health import Health
    from relive_tui.models.navigation.commands import Command
    from relive_tui.screens.base import ReliveScreen
    from relive_tui.source.reading import Source
    from relive_tui.source.tickets import Ticket

__all__ = ["ReliveApp", "run"]


def _palette() -> type[Provider]:
    from relive_tui.screens.dialogs.palette import EverythingProvider

    return EverythingProvider


class ReliveApp(App[int]):
    """Shows `source`, beginning at a place."""

    CSS_PATH = "relive.tcss"
    TITLE = "relive"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[Any]] = {_palette}
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(digit, f"lens('{digit}')", view, show=False) for digit, view in LENSES.items()),
        Binding("escape", "leave", "back", show=False),
        Binding("minus", "swap", "toggle", show=False),
        Binding("e", "error(1)", "next failure", show=False),
        Binding("E", "error(-1)", "previous failure", show=False),
        Binding("y", "yank", "copy", show=False),
        Binding("p", "pause", "pause", show=False),
        Binding("o", "edit", "open in the editor", show=False),
        Binding("t", "range", "time range", show=False),
        Binding("question_mark,f1", "help", "help", show=False),
        Binding("colon", "command", "command", show=False),
        Binding("slash", "slash", "filter", show=False),
        Binding("q,ctrl+c", "quit", "quit", show=False),
    ]

    def __init__(self, source: Source, view: str | None = None, ident: str | None = None) -> None:
        self.source = source
        self.navigator = Navigator([place_of(view, ident)])
        self.paused = False
        self.paused_ns = 0
        self.range_chosen = False
        self.health: Health | None = None
        self.health_known = False
        super().__init__()

    def get_css_variables(self) -> dict[str, str]:
        return {**super().get_css_variables(), **CSS_VARIABLES}

    def get_default_screen(self) -> Screen[Any]:
        return self.make(self.navigator.here)

    def painted(self) -> None:
        """The first paint is over: what was made for it stays, and needs no collector to look at it again."""
        if not gc.isenabled():
            gc.freeze()
            gc.enable()

    # ------------------------------------------------------------ places

    def make(self, place: Place) -> ReliveScreen:
        """The screen of a place."""
        from importlib import import_module

        module = import_module(f"relive_tui.screens.{place.view}")
        screen: ReliveScreen = getattr(module, f"{place.view.capitalize()}Screen")(place, self)
        return screen

    @property
    def here(self) -> ReliveScreen:
        """The screen of the place that is shown, whatever lies over it."""
        from relive_tui.screens.base import ReliveScreen

        return next(screen for screen in reversed(self.screen_stack) if isinstance(screen, ReliveScreen))

    def go(self, place: Place) -> None:
        """Show a place: back to it if it is on the way here, else as a new one."""
        left, entered = self.navigator.go(place)
        for _ in range(left):
            self.pop_screen()
        if entered:
            self.push_screen(self.make(place))

    def rescope_screen(self, screen: ReliveScreen, scope: Scope) -> None:
        """A screen now looks at something else; its place on the stack follows."""
        place = replace(screen.place, scope=scope)
        stack = self.navigator.stack
        if screen.place in stack:
            stack[stack.index(screen.place)] = place
        screen.place = place
        screen.update_bars()

    def action_lens(self, digit: str) -> None:
        """A digit: the same scope through another lens."""
        view = LENSES.get(digit, "home")
        if view == "home":
            self.go(self.navigator.stack[0] if self.navigator.stack[0].view == "home" else Place("home"))
            return
        self.go(Place(view, self.here.lens(view)))

    def action_leave(self) -> None:
        """Escape: close what the screen has open, else go back."""
        if not self.here.leave() and self.navigator.back():
            self.pop_screen()

    def action_swap(self) -> None:
        """Back and forth between two places."""
        if self.navigator.previous is not None:
            self.go(self.navigator.previous)

    # ------------------------------------------------------------ the same everywhere

    def action_error(self, step: int) -> None:
        """The next (or previous) failure, whatever that is on the screen."""
        self.here.go_error(step)

    def action_slash(self) -> None:
        """Filter or search."""
        self.here.slash()

    def action_pause(self) -> None:
        """Stop (or go on) following what is new."""
        self.paused = not self.paused
        self.paused_ns = self.source.now_ns()
        self.here.new_rows = 0
        self.here.update_bars()
        if not self.paused:
            self.here.load()

    def action_range(self) -> None:
        """The next of the usual time ranges."""
        ranges = list(RANGES_NS)
        now = self.navigator.here.scope.range_ns
        self.set_range(ranges[(ranges.index(now) + 1) % len(ranges)] if now in ranges else ranges[0])

    def set_range(self, range_ns: int) -> None:
        """Another time range, for all screens."""
        from relive_tui.screens.base import ReliveScreen

        self.range_chosen = True  # from now on no screen looks at another one by itself
        self.navigator.set_range(range_ns)
        screens = [screen for screen in self.screen_stack if isinstance(screen, ReliveScreen)]
        for screen, place in zip(screens, self.navigator.stack, strict=True):
            screen.place = place
        self.here.update_bars()
        self.here.load()
        self.notify(f"time range: {range_label(range_ns)}", timeout=2, markup=False)

    def action_yank(self) -> None:
        """Copy what the screen offers, or the command that reopens it."""
        from relive_tui.outside.yank import osc52, save_yank, yank_path

        text = self.here.yank_text() or command_of(self.navigator.here, self.source.file)
        sequence = osc52(text, os.environ)
        if sequence and self._driver is not None:
            self._driver.write(sequence)
        shown = clean(text if len(text) <= 60 else text[:59] + "…")
        try:
            path = save_yank(text, yank_path(os.environ))
        except OSError as error:
            self.notify(f"{shown} (and no file: {error.strerror})", title="Copied", timeout=4, markup=False)
            return
        where = "" if sequence else f"\n{path}"
        self.notify(shown + where, title="Copied" if sequence else "Saved", timeout=4, markup=False)

    def action_edit(self) -> None:
        """Open the failing (or hot) line in the user's editor."""
        target = self.here.editor_target()
        if target is None:
            self.notify("no source line is selected here", timeout=2, markup=False)
            return
        file, line, version, function = target
        scope = replace(self.here.scope, function=function or self.here.scope.function)

        def work(ticket: Ticket) -> str:
            return self.source.source_path(ticket, scope, version, file)

        from relive_tui.models.lists.feed import Feed

        self.here.ask(
            "edit", Feed("the source file"), work, lambda path: self._edit(path, file, line), once=True
        )

    def _edit(self, path: str, file: str, line: int) -> None:
        from relive_tui.models.editor import editor_command

        command = editor_command(os.environ, path, line)
        if not path:
            self.notify(f"{clean(file)} is not on this machine", timeout=4, markup=False)
        elif not command:
            self.notify(f"set EDITOR to open it\n{clean(path)}:{line}", timeout=6, markup=False)
        else:
            self.run_outside(command, wait=False)

    def run_outside(self, command: list[str], *, wait: bool = True) -> None:
        """Give the terminal to a program until it ends; `wait`: what it said stays until Enter, if it
        failed."""
        import subprocess

        try:
            with self.suspend():
                status = subprocess.run(command, check=False).returncode
                if status and wait:
                    input("\nEnter returns to the terminal UI ")
        except (OSError, EOFError, KeyboardInterrupt, SuspendNotSupported) as error:
            self.notify(clean(f"{command[0]}: {error}"), severity="error", timeout=4, markup=False)
        self.refresh()

    def action_help(self) -> None:
        """The keys."""
        from relive_tui.screens.dialogs.help import HelpScreen

        self.push_screen(HelpScreen(self.navigator.here.view, self.here.more_help()))

    def action_command(self) -> None:
        """Type a command."""
        self.ask_command("")

    def ask_command(self, text: str) -> None:
        """A line for a command, with `text` in it."""
        from relive_tui.models.navigation.commands import (
            COMMANDS_SHOWN,
            CommandProblem,
            complete_command,
            parse_command,
        )
        from relive_tui.screens.dialogs.prompt import Prompt

        here = self.navigator.here

        def check(line: str) -> str:
            try:
                parse_command(line, here)
            except (CommandProblem, ValueError) as error:
                return str(error) if line else ""
            return ""

        def done(line: str | None) -> None:
            if line:
                self.obey(parse_command(line, here))

        hint = " ".join(COMMANDS_SHOWN)
        self.push_screen(
            Prompt(
                ": view, id or function · range 2h", text, hint=hint, check=check, complete=complete_command
            ),
            done,
        )

    def obey(self, command: Command) -> None:
        """Do what was typed."""
        if command.place is not None:
            self.go(command.place)
        elif command.action == "range":
            self.set_range(command.range_ns)
        elif command.action == "quit":
            self.exit(0)
        else:
            getattr(self, f"action_{command.action}")()

    # ------------------------------------------------------------ the end

    async def action_quit(self) -> None:
        self.exit(0)

    def cancel_in_background(self, ticket: Ticket) -> None:
        """Give up a question; its queries are stopped by a thread, for that can take a moment."""
        ticket.cancel()
        # a thread of its own, not a worker: it must also run while the program ends
        threading.Thread(target=self.source.cancel, args=(ticket,), daemon=True, name="cancel").start()


def run(source: Source, view: str | None = None, ident: str | None = None) -> int:
    """Show the terminal UI until the user leaves it; gives the exit status."""
    app = ReliveApp(source, view or None, ident or None)
    try:
        return app.run() or 0
    finally:
        source.close()
