"""`relive tui`."""

from __future__ import annotations

import sys

import click
from relive_base.errors import UsageError

from relive.session import Session
from relive.ui import VIEWS, file_first, run_ui

__all__ = ["tui"]


@click.command()
@click.argument("view", default="home", metavar=f"[{' | '.join(VIEWS)}]")
@click.argument("ident", default="", metavar="[ID | FUNCTION | FILE]")
@click.pass_obj
def tui(session: Session, view: str, ident: str) -> int:
    """Open the terminal UI: the newest failure is under the cursor, Enter shows why.

    \b
    relive tui
    relive tui failure last
    relive tui trace 4bf92f35
    relive tui flame checkout
    relive tui ./theirs.scene
    relive tui ./node.heapsnapshot
    """
    view, ident = file_first(view, ident)
    if view not in VIEWS:
        raise UsageError(f"there is no view {view!r}", hint=f"views: {', '.join(VIEWS)}")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the terminal UI needs a terminal", hint="in scripts use: relive failures --json")
    return run_ui(session, view, ident)
