"""What every screen has: bars, data in workers, a scope, the keys that mean the same everywhere."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from relive_base.errors import ReliveError
from textual.message import Message
from textual.screen import Screen

from relive_tui.models.health import Health, lateness, live_badge
from relive_tui.models.layout.text import Line, clean
from relive_tui.models.lists.feed import Feed
from relive_tui.models.navigation.scope import Place, Scope
from relive_tui.source.tickets import Cancelled, Ticket
from relive_tui.widgets.bars import LineBar, crumb_line, hint_line, hint_spots, key_name
from relive_tui.widgets.rows import VirtualRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from relive_views.failures import GroupView
    from textual import events
    from textual.app import ComposeResult
    from textual.widget import Widget

    from relive_tui.shell import Shell
    from relive_tui.source.reading import Source

__all__ = ["Answer", "ReliveScreen"]

Value = TypeVar("Value")
RESTS = 4
"""After a question that took a second nothing is asked by itself for four: a fifth of the engine at most."""


class Answer(Message):
    """A worker is done. It comes as a message because only the main thread touches widgets."""

    def __init__(self, job: Job, value: object, error: BaseException | None) -> None:
        super().__init__()
        self.job = job
        self.value = value
        self.error = error


class Job:
    """One question on its way."""

    __slots__ = ("begun_s", "done", "feed", "group", "once", "ticket")

    def __init__(self, group: str, feed: Feed[Any], done: Callable[[Any], None], once: bool) -> None:
        self.group = group
        self.feed = feed
        self.done = done
        self.once = once
        self.ticket = Ticket()
        self.begun_s = time.monotonic()


class ReliveScreen(Screen[None]):
    """A screen at a place. Subclasses give `body`, `load`, and whatever keys they add."""

    HINTS: ClassVar[tuple[tuple[str, str], ...]] = ()
    HELP: ClassVar[str] = "?"
    REFRESH_S: ClassVar[float] = 2.0
    VERTICAL_BREAKPOINTS: ClassVar = [(0, "-tiny"), (16, "-short"), (30, "-tall")]  # type: ignore[misc]
    HORIZONTAL_BREAKPOINTS: ClassVar = [(0, "-narrow"), (140, "-wide")]  # type: ignore[misc]
    AUTO_FOCUS = None

    def __init__(self, place: Place, app_: Shell) -> None:
        super().__init__()
        self.place = place
        self.relive = app_
        self._jobs: dict[str, Job] = {}
        self._retry_at_ns = 0
        self._rest_until_s = 0.0
        self.new_rows = 0

    @property
    def data(self) -> Source:
        """Where the data comes from."""
        return self.relive.source

    @property
    def scope(self) -> Scope:
        """What is looked at."""
        return self.place.scope

    # ------------------------------------------------------------ for subclasses

    def body(self) -> Iterable[Widget]:
        """The widgets between the bars."""
        return ()

    def setup(self) -> None:
        """Once, when the widgets are there."""

    def load(self) -> None:
        """Ask for everything again."""

    def tick(self) -> None:
        """The regular refresh; by default the same as `load`."""
        self.load()

    @property
    def follows(self) -> bool:
        """Whether what is shown follows what happens."""
        return False

    def told_health(self, before: Health | None) -> None:
        """What the platform says of itself is known anew, in `health`."""

    def first_focus(self) -> str:
        """Selector of the widget that has the focus at first."""
        return "VirtualRows"

    def go_error(self, step: int) -> None:
        """`e` (1) and `E` (-1)."""

    def slash(self) -> None:
        """`/`."""
        self.app.bell()

    def lens_scope(self) -> Scope:
        """What a digit takes along to the next screen."""
        return self.scope

    def lens(self, view: str) -> Scope:
        """The same for the `view` behind the digit: some look at one invocation only."""
        return self.lens_scope()

    def yank_text(self) -> str:
        """What `y` copies: by default the command that reopens this view."""
        return ""

    def editor_target(self) -> tuple[str, int, int, str] | None:
        """(file, line, version or 0 for the newest, function) that `o` opens; None if there is none."""
        return None

    def export(self, scope: Scope, kind: str, target: str = "") -> None:
        """Write (or send) what is looked at, and say where it went."""

        def done(told: str) -> None:
            self.notify(clean(told), title="Exported", timeout=6, markup=False)

        where = target or os.getcwd()
        self.ask(
            "export",
            Feed("the export"),
            lambda ticket: self.data.export(ticket, scope, kind, where),
            done,
            once=True,
        )

    def settle(self, group: GroupView | None, after: Callable[[], None]) -> None:
        """Ask what is to be said of a group of failures, and say it."""
        from relive_tui.models.failure.acts import SETTLE
        from relive_tui.screens.dialogs.menu import Menu

        if group is None or not group.fingerprint:
            self.app.bell()
            return

        def chosen(state: str | None) -> None:
            if state:
                self.ask(
                    "settle",
                    Feed[None]("the mark"),
                    lambda ticket: self.data.settle(ticket, group, state),
                    lambda _none: after(),
                    once=True,
                )

        self.app.push_screen(Menu("This failure is", SETTLE), chosen)

    def hints(self) -> tuple[tuple[str, str], ...]:
        """Keys and what they do, for the bottom line."""
        return self.HINTS

    def more_help(self) -> tuple[tuple[str, str], ...]:
        """Keys that work because of what is shown, for the help."""
        return ()

    def leave(self) -> bool:
        """Escape: True if the screen itself had something to close."""
        return False

    # ------------------------------------------------------------ bars

    def compose(self) -> ComposeResult:
        yield LineBar(id="crumbs")
        yield from self.body()
        yield LineBar(id="state")
        yield LineBar(id="hints")

    def on_mount(self) -> None:
        self.setup()
        self.query_one(self.first_focus()).focus()
        self.update_bars()
        # after the first paint: the threads that load would import what they need while it is painted
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.relive.painted()
        self.load()
        self.ask_health()
        self.set_interval(self.REFRESH_S, self._beat)

    def on_resize(self) -> None:
        self.update_bars()

    def on_screen_resume(self) -> None:
        self.update_bars()

    def update_bars(self) -> None:
        """Breadcrumb, state and hints as they are now."""
        self.show_crumbs()
        hints = (*self.hints(), (self.HELP, "help"))
        width = self.size.width
        self.query_one("#hints", LineBar).set(hint_line(hints, width), spots=hint_spots(hints, width))
        self._show_state()

    def show_crumbs(self) -> None:
        """The top line: where we are, and whether what is shown is of now."""
        right: Line = [(self.scope.label + "  ", "dim")]
        if self.data.file:
            right = [(f"▪ {clean(os.path.basename(self.data.file))} ", "warn")]
        elif self.relive.health_known or self.relive.paused:
            right += live_badge(
                self.health,
                paused=self.relive.paused,
                new=self.new_rows,
                failing=any(job.feed.error and not job.feed.answered for job in self._jobs.values()),
                follows=self.follows,
            )
        line, spots = crumb_line(self.place.crumbs, self.size.width)
        self.query_one("#crumbs", LineBar).set(line, right=right, spots=spots, right_action="press('p')")

    def _show_state(self) -> None:
        now_ns = self.data.now_ns()
        bar = self.query_one("#state", LineBar)
        texts = [job.feed.status(now_ns) for job in self._jobs.values()]
        worst = sorted((text for text in texts if text[0]), key=lambda text: text[1] != "error")
        bar.set(*([[(" ", ""), worst[0]]] if worst else []))
        bar.set_class(bool(worst), "shown")
        self.show_crumbs()

    # ------------------------------------------------------------ mouse and clipboard

    def action_press(self, label: str) -> None:
        """A hint that was clicked: as if its key were pressed."""
        self.app.simulate_key(key_name(label))

    def action_crumb(self, place: int) -> None:
        """A part of the breadcrumb that was clicked: home, the function's invocations, or one step back."""
        if place == 0:
            self.relive.action_lens("1")
        elif place == 1 and self.scope.function:
            self.relive.go(Place("invocations", self.scope.without_invocation()))
        else:
            self.relive.action_leave()

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted outside of an input is a command to look at, then to run with Enter."""
        event.stop()
        text = " ".join(event.text.split())
        if text:
            self.relive.ask_command(text)

    # ------------------------------------------------------------ data

    def ask(
        self,
        group: str,
        feed: Feed[Value],
        work: Callable[[Ticket], Value],
        done: Callable[[Value], None],
        *,
        once: bool = False,
    ) -> None:
        """Do `work` in a thread, give its value to `done` here; the group's older question is given up.

        `once`: something that was asked for with a key. If it fails that is said, and not tried again.
        """
        self.give_up(group)
        job = Job(group, feed, done, once)
        self._jobs[group] = job
        feed.begin()

        def run() -> None:
            try:
                value: object = work(job.ticket)
            except Exception as error:  # whatever went wrong is shown, with the last good data
                self.post_message(Answer(job, None, error))
            else:
                self.post_message(Answer(job, value, None))

        self.run_worker(run, thread=True, group=group, exclusive=True, exit_on_error=False, name=group)
        self._show_state()

    def give_up(self, group: str) -> None:
        """Forget a question, and stop it in the engine."""
        job = self._jobs.get(group)
        if job is not None and job.feed.loading:
            self.relive.cancel_in_background(job.ticket)

    def on_unmount(self) -> None:
        for group in list(self._jobs):
            self.give_up(group)

    def on_answer(self, answer: Answer) -> None:
        job = answer.job
        answer.stop()
        if self._jobs.get(job.group) is not job or job.ticket.cancelled:
            return
        now_s = time.monotonic()
        self._rest_until_s = max(self._rest_until_s, now_s + RESTS * (now_s - job.begun_s))
        if answer.error is None:
            job.feed.succeed(answer.value, self.data.now_ns())
            job.done(answer.value)
        elif isinstance(answer.error, Cancelled):
            pass
        elif job.once:
            del self._jobs[job.group]
            why = clean(str(answer.error) or type(answer.error).__name__)
            self.notify(why, title=f"Failed: {job.feed.what}", severity="error", timeout=8, markup=False)
        else:
            job.feed.fail(answer.error)
            self._retry_at_ns = self.data.now_ns() + int(job.feed.retry_s * 1e9)
            self.failed(job.group, answer.error)
        self._show_state()

    def failed(self, group: str, error: BaseException) -> None:
        """A question went wrong, as the state line says; a list that never had rows says what to do."""
        if isinstance(error, ReliveError):
            for rows in self.query(VirtualRows):
                if not len(rows.source) and rows.waiting:
                    rows.say_empty(f"{clean(error.message)}\n\n{clean(error.hint)}", waiting=True)

    def say_nothing(self, rows: VirtualRows, text: str) -> None:
        """An answer without rows: say `text`, or how far the store is behind, which is then the reason."""
        rows.say_empty(text)

        def told(health: Health | None) -> None:
            if late := lateness(health):
                rows.say_empty(late)

        self.ask(f"lateness of {rows.id}", Feed("status"), lambda _ticket: self.data.health(), told)

    @property
    def health(self) -> Health | None:
        """What the platform last said of itself."""
        return self.relive.health

    def ask_health(self) -> None:
        """Ask how the platform is; every screen's top line depends on it."""
        if self.data.file:
            return

        def told(health: Health | None) -> None:
            before, self.relive.health = self.relive.health, health
            self.relive.health_known = True
            self.told_health(before)

        self.ask("health", Feed("status"), lambda _ticket: self.data.health(), told)

    def _beat(self) -> None:
        if not self.is_current or self.busy:
            return
        failing = any(job.feed.error for job in self._jobs.values())
        if failing:
            self._show_state()
            if self.data.now_ns() >= self._retry_at_ns:
                self.load()
        elif self.relive.paused:
            self.count_new()
        elif time.monotonic() >= self._rest_until_s:
            self.ask_health()
            self.tick()

    def count_new(self) -> None:
        """While paused: how much has come since."""
        from relive_tui.models.lists.filtering import InvocationQuery

        since_ns = self.relive.paused_ns
        self.ask(
            "new",
            Feed("what is new"),
            lambda ticket: self.data.count(ticket, self.scope, InvocationQuery(), since_ns, 0),
            self._counted,
        )

    def _counted(self, count: int) -> None:
        self.new_rows = count
        self.update_bars()

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return any(job.feed.loading for job in self._jobs.values())
