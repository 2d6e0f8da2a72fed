"""`relive demo`."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from relive_base.errors import ExitCode, ReliveError, UsageError
from relive_platform.server.locate import find_server

import relive
from relive.output import echo, emit_object, json_option
from relive.session import Session

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["demo"]

_SETTLE_LIMIT_S = 60.0
_POLL_S = 0.1


@click.command()
@click.option(
    "--no-tui", is_flag=True, help="Print the failures and the hot lines instead of opening the TUI."
)
@click.option(
    "--events", "count", type=click.IntRange(20, 5000), default=240, show_default=True, help="How many."
)
@click.option(
    "--copy",
    type=click.Path(path_type=Path),
    default=None,
    help="Only write the shop's code into this new folder, to deploy and change it.",
)
@json_option
@click.pass_obj
def demo(session: Session, no_tui: bool, count: int, copy: Path | None, as_json: bool) -> int:
    """See it work: deploy a small shop, send it events of which some fail, and look at why.

    \b
    relive demo
    relive demo --no-tui
    relive demo --json --events 100
    relive demo --copy shop

    A server that already runs on this home is used and left running. Otherwise one is started, and stopped
    at the end.
    """
    if copy is not None:
        return _copy_shop(copy, as_json)
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    show_ui = not no_tui and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    columns = (SpinnerColumn(), TextColumn("{task.description:<44}"), BarColumn(), TimeElapsedColumn())
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(
            Progress(*columns, console=Console(stderr=True), transient=True, disable=as_json)
        )
        stack.enter_context(_server(session, progress))
        result = _run(session, progress, count)
        progress.stop()
        if show_ui:
            from relive.ui import run_ui

            run_ui(session, "home", "")
            echo("what was recorded stays; see it again: relive tui")
        elif as_json:
            emit_object(result)
        else:
            for line in _report(result):
                echo(line)
    return ExitCode.DONE


def shop_folder() -> Path:
    """The example application: beside the code in a checkout, inside the package once installed."""
    package = Path(relive.__path__[0]).resolve()
    for folder in (package / "_examples" / "shop", package.parent.parent / "examples" / "shop"):
        if (folder / "relive.toml").is_file():
            return folder
    raise ReliveError(
        "the demo's functions are not installed", where=str(package), hint="install relive again"
    )


def _copy_shop(target: Path, as_json: bool) -> int:
    """Write the example application into `target`, which must not exist or be an empty folder."""
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UsageError("it exists already", where=str(target), hint="name a new folder")
        shutil.copytree(
            shop_folder(), target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    except OSError as error:
        raise UsageError(
            f"the shop cannot be written: {error.strerror}", where=str(target), hint="name another folder"
        ) from error
    if as_json:
        emit_object({"path": str(target.absolute())})
    else:
        echo(f"wrote the shop to {target}; deploy it: relive deploy {shlex.quote(str(target))}")
    return ExitCode.DONE


@contextlib.contextmanager
def _server(session: Session, progress: Progress) -> Iterator[None]:
    """A server on this home: the running one, or one of our own that is stopped at the end."""
    if session.server or find_server(session.home) is not None:
        yield
        return
    task = progress.add_task("starting the platform", total=None)
    command = [sys.executable, "-m", "relive", "--home", str(session.home)]
    started = subprocess.run(
        [*command, "serve", "--daemon", "--http", "127.0.0.1:0"], capture_output=True, text=True, check=False
    )
    if started.returncode != 0:
        raise ReliveError(started.stderr.strip().removeprefix("relive: ") or "the server did not start")
    progress.update(task, total=1, completed=1)
    try:
        yield
    finally:
        # Ctrl-C reaches our own process group only; the server, in a session of its own, has to be told.
        subprocess.run([*command, "stop"], capture_output=True, check=False)


def _run(session: Session, progress: Progress, count: int) -> dict[str, Any]:
    from relive.demo.drive import Sent, drive
    from relive.demo.report import failure_rows, hot_rows
    from relive.demo.traffic import shop_events

    began_ns = time.time_ns()
    control = session.control()
    task = progress.add_task("deploying the shop", total=None)
    deployed = control.deploy(
        shop_folder(),
        progress=lambda step: progress.update(
            task, description=f"deploying: {step.phase} {step.detail}"[:44]
        ),
    )
    progress.update(task, description="deployed the shop", total=1, completed=1)
    info = session.info()
    gateway = info.http if info else str(control.status()["http"])
    events = shop_events(count)
    task = progress.add_task("sending events", total=len(events))

    def seen(sent: Sent) -> None:
        progress.update(
            task,
            completed=sent.ok + sent.failed,
            description=f"sending events: {sent.ok} ok, {sent.failed} failed",
        )

    sent = drive(control, gateway, events, seen)
    task = progress.add_task("writing what was recorded", total=None)
    _settle(session)
    progress.update(task, total=1, completed=1)
    return {
        "functions": len(deployed),
        "events": len(events),
        "ok": sent.ok,
        "failed": sent.failed,
        "seconds": round((time.time_ns() - began_ns) / 1e9, 2),
        "failures": failure_rows(session.store(), session.scenes_dir, began_ns),
        "hot_lines": hot_rows(session.store(), began_ns),
    }


def _settle(session: Session) -> None:
    """Wait until queued orders are done or dead, then have everything recorded in the store."""
    control = session.control()
    give_up = time.monotonic() + _SETTLE_LIMIT_S
    while time.monotonic() < give_up:
        found = control.status()
        if not (found["queue"]["ready"] or found["queue"]["leased"] or found["workers"]["busy"]):
            break
        time.sleep(_POLL_S)
    control.status(flush_s=_SETTLE_LIMIT_S)


def _report(result: dict[str, Any]) -> list[str]:
    from relive.demo.report import report_lines

    return report_lines(result)
