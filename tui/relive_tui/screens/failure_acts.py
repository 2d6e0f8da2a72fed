"""What is done with a failure from its screen: run it again, debug it, search it, write it to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from relive_tui.models.failure.completeness import detail_lines
from relive_tui.models.failure.values import ValueRows
from relive_tui.models.layout.text import Line, clean, wrap_lines
from relive_tui.models.lists.feed import Feed
from relive_tui.screens.base import ReliveScreen
from relive_tui.widgets.rows import VirtualRows

if TYPE_CHECKING:
    from relive_views.failures import GroupView
    from relive_views.scenes.model import SceneView

    from relive_tui.models.failure.page import FailureModel

__all__ = ["FailureActs"]


class FailureActs(ReliveScreen):
    """The keys that act; the screen shows. `model` is None until there is a scene."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "replay", show=False),
        Binding("b", "debug", show=False),
        Binding("B", "travel", show=False),
        Binding("L", "timeline", show=False),
        Binding("i", "details", show=False),
        Binding("x", "export", show=False),
        Binding("a", "settle", show=False),
        Binding("n", "match(1)", show=False),
        Binding("N", "match(-1)", show=False),
    ]
    model: FailureModel | None
    group: GroupView | None
    search: str

    def show_frames(self) -> None:
        """The frames and what belongs to the one that is selected have changed."""

    def ask_history(self, scene: SceneView) -> None:
        """What is known of the failure's like, and of its replays, may have changed."""

    def action_replay(self) -> None:
        """Run the event again; asks first, for a live run may have side effects."""
        from relive_tui.screens.dialogs.menu import Menu

        if not self._can_act():
            return
        options = (
            ("recorded", "same event; what it called is answered from the scene"),
            ("live", "same event, live: its calls reach the network again"),
        )
        self.app.push_screen(Menu("Run it again", options), self._replay)

    def _replay(self, how: str | None) -> None:
        if how is None or self.model is None:
            return
        command = [*self.data.command, "replay", self._ident(), *(["--live"] if how == "live" else [])]
        self._run("Replay", "running it again …", command)

    def action_debug(self) -> None:
        """A debugger on the failed process, or on the scene if that is gone; then back to the screen."""
        if self._can_act():
            self.relive.run_outside([*self.data.command, "debug", self._ident()])

    def action_travel(self) -> None:
        """Run it again up to the failure, and go back from there; then back to the screen."""
        if self._can_act():
            self.relive.run_outside([*self.data.command, "replay", self._ident(), "--travel"])

    def action_timeline(self) -> None:
        """The same on a screen of its own."""
        from relive_tui.models.navigation.scope import Place

        if self._can_act():
            self.relive.go(Place("travel", self.scope))

    def action_settle(self) -> None:
        """Say that the failure is resolved or ignored."""
        if self.model is not None:
            scene = self.model.scene
            self.settle(self.group, lambda: self.ask_history(scene))

    def _can_act(self) -> bool:
        if self.model is None or not self.data.command:
            self.app.bell()
            return False
        return True

    def _ident(self) -> str:
        return self.data.file or self.scope.invocation_id

    def action_details(self) -> None:
        """What the scene has, what it lacks and why."""
        from relive_tui.screens.dialogs.reader import Reader

        if self.model is not None:
            scene = self.model.scene
            self.app.push_screen(Reader("The scene", lambda width: detail_lines(scene, width)))

    def slash(self) -> None:
        from relive_tui.screens.dialogs.prompt import Prompt

        def done(text: str | None) -> None:
            if text:
                self.search = text.lower()
                self.action_match(1, here=True)

        hint = "part of a function, a file, a local's name or value · n next"
        self.app.push_screen(Prompt("Search frames and locals", self.search, hint=hint), done)

    def action_match(self, step: int, here: bool = False) -> None:
        """The next (or previous) frame that matches, and in it the first local that does."""
        if self.model is None or not self.search:
            return
        target = self.model.find(self.search, step, here=here)
        if target is None:
            self.notify(f"nothing matches {clean(self.search)}", timeout=2, markup=False)
            return
        self.model.frame, local = target
        self.show_frames()
        if local >= 0:
            rows = self.query_one("#locals", VirtualRows)
            if isinstance(rows.source, ValueRows):
                rows.move_to(rows.source.row_of(local))

    def action_export(self) -> None:
        """Write the scene into the current folder, or a test that repeats the failure."""
        from relive_tui.screens.dialogs.menu import Menu

        options = [("scene", "scene: one .scene file, for relive failure FILE")]
        if self.model is not None and self.data.command:
            options.insert(0, ("test", "test: a pytest file that repeats the failure; it is run once"))
        self.app.push_screen(Menu("Export the failure", options), self._export)

    def _export(self, kind: str | None) -> None:
        from relive_tui.screens.dialogs.prompt import Prompt

        if kind == "scene":
            self.export(self.scope, kind)
        elif kind == "test":
            hint = "a folder, or a file that ends in .py"
            self.app.push_screen(Prompt("Write the test to", "tests/", hint=hint), self._write_test)

    def _write_test(self, target: str | None) -> None:
        if target and target.strip():
            command = [*self.data.command, "scene", self._ident(), "--to-test", target.strip()]
            self._run("Test", "writing the test, and running it once …", command)

    def _run(self, title: str, begun: str, command: list[str]) -> None:
        """Run `relive` and show what it says."""
        from relive_tui.outside.acting import run_captured

        assert self.model is not None
        scene = self.model.scene

        def done(text: str) -> None:
            from relive_tui.screens.dialogs.reader import Reader

            lines: list[Line] = [[(clean(row), "")] for row in text.split("\n")]
            self.app.push_screen(Reader(title, lambda width: wrap_lines(lines, width)))
            self.ask_history(scene)

        self.notify(begun, timeout=2, markup=False)
        what = Feed[str](f"the {title.lower()}")
        self.ask(title.lower(), what, lambda ticket: run_captured(command, ticket), done, once=True)

    def editor_target(self) -> tuple[str, int, int, str] | None:
        frame = self.model.current if self.model is not None else None
        if self.model is None or frame is None:
            return None
        return frame.file, frame.line, self.model.scene.version, self.model.scene.function
