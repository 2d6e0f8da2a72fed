"""`relive why-slow`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click
from relive_base.errors import ExitCode

from relive.arguments.completing import complete_invocation
from relive.output import echo, echo_styled, emit_object, format_clock, json_option, note, text_width
from relive.recorded.listing import finder, tell_lateness
from relive.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from relive_views.profiles.why_slow import WhySlowView
    from relive_views.records import InvocationRow

__all__ = ["source_of", "why_slow"]

_DAY_NS: Final = 86_400_000_000_000
_LEAST_PART_NS: Final = 50_000


@click.command("why-slow")
@click.argument("subject", metavar="ID | FUNCTION | last", shell_complete=complete_invocation)
@json_option
@click.pass_obj
def why_slow(session: Session, subject: str, as_json: bool) -> int:
    """Why an invocation was slow: what of it differs from its function's normal self, and by how much.

    It is compared with the invocations of the same version that went well and were nearest in time. Of a
    function, the slowest of the last day is meant.

    \b
    relive why-slow 01a2172e
    relive why-slow checkout
    relive why-slow last --json
    """
    from relive_views.profiles import why_slow as views

    found = views.why_slow(session.store(), _ident(session, subject), source=source_of(session))
    if as_json:
        emit_object(found.as_json())
        return ExitCode.DONE
    _show(found)
    tell_lateness(session)
    return ExitCode.DONE


def source_of(session: Session) -> Callable[[InvocationRow], Callable[[str, int], str]]:
    """Reads lines of the version that ran, if its code is on this machine."""
    from relive_views.deployed import DeployedCode

    deployed = DeployedCode(session.home)
    return lambda row: deployed.line_of(row.function, row.version)


def _ident(session: Session, subject: str) -> str:
    from relive_tracer.explore import invocations

    if subject != "last":
        wanted = invocations.InvocationFilter(function=subject, since_ns=time.time_ns() - _DAY_NS)
        slowest = invocations.page(session.store(), wanted, limit=1, order="slowest")
        if slowest:
            return slowest[0].invocation_id
    return finder(session).invocation(subject).ident


def _show(found: WhySlowView) -> None:
    from relive_profiler.explore.diff_tree import render_diff_tree
    from relive_profiler.explore.slow.words import took

    row, answer = found.row, found.answer
    echo_styled([(answer.sentence, "bold")])
    compared = f"compared with {answer.normal.count} that went well" if answer.normal.count else ""
    head = (
        f"{row.function} v{row.version}",
        row.status,
        format_clock(row.started_at),
        row.invocation_id,
        compared,
    )
    echo_styled([(f"  {' · '.join(filter(None, head))}", "dim")])
    if answer.parts:
        echo("")
        echo(f"{'change':>12} {'usually':>10} {'this one':>10}")
        for part in answer.parts:
            if max(part.before_ns, part.after_ns) >= _LEAST_PART_NS:
                sign = "+" if part.change_ns >= 0 else "-"
                change = f"{sign}{took(abs(part.change_ns))}"
                echo(f"{change:>12} {took(part.before_ns):>10} {took(part.after_ns):>10}  {part.words}")
    lines = render_diff_tree(found.tree, text_width())
    if lines and answer.normal.count and found.tree.after_samples:
        echo("")
        for line in lines:
            echo(line)
    for text in answer.notes:
        note(text)
