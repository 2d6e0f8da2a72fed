"""`relive why-warm`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click
from relive_base.shown_numbers import shown_number

from relive.arguments.completing import complete_function
from relive.output import echo, emit_object, format_age, format_clock, json_option
from relive.session import Session

__all__ = ["why_warm"]


@click.command("why-warm")
@click.argument("function", shell_complete=complete_function)
@json_option
@click.pass_obj
def why_warm(session: Session, function: str, as_json: bool) -> None:
    """Why workers of FUNCTION are kept while it is idle, and for how long.

    \b
    relive why-warm checkout
    relive why-warm checkout --json

    A worker is kept in just those idle times in which what callers would wait for a start, by how often the
    function is invoked then, is worth more than the memory that it holds.
    """
    found = session.control().why_warm(function)
    if as_json:
        emit_object(found)
        return
    for line in _lines(found):
        echo(line)


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    workers = found["workers"]
    state = f"idle for {_span(found['idle_s'])}" if found["idle_s"] else "busy"
    if not found["used"]:
        state = "not used since the server has it"
    yield (
        f"{found['function']} v{found['version']}  {state}; {workers['idle']} waiting,"
        f" {workers['busy']} busy, {workers['starting']} starting"
    )
    if workers.get("lagging"):
        yield (
            f"  ! the event loop of {workers['lagging']} has not turned for {_span(found['lag_s'])}:"
            " new requests go to others"
        )
    yield f"  now: {_now(found)}"
    if found["min_workers"]:
        yield f"  min_workers = {found['min_workers']}: so many wait, whatever else"
    if found["due_ns"]:
        when = f"{format_clock(found['due_ns'])} ({format_age(found['due_ns'])})"
        yield f"  next timer {when}: a worker is started before it"
    if not found["learns"]:
        yield f"  RELIVE_WARMTH=fixed: idle workers leave after {_span(found['idle_limit_s'])}"
        return
    yield ""
    yield "What is known"
    yield f"  idle times   {found['idle_times']} seen; the habits of {found['fleet']} functions count for two"
    yield f"  a start      {found['start_s'] * 1e3:.1f} ms{'' if found['start_known'] else ' (assumed)'}"
    yield f"  its memory   {found['memory_gb'] * 1024:.0f} MiB{'' if found['memory_known'] else ' (assumed)'}"
    yield f"  the price    {found['price']:g} GB-s of memory for each second that a caller waits"
    yield ""
    yield f"Kept after the last invocation for {_span(found['least_s'])} in any case, and while idle for"
    spans = [f"{_span(begin)} to {_span(end)}" for begin, end in found["windows"]]
    yield f"  {', '.join(spans) or 'no longer'}"
    yield ""
    yield "  idle for            ended  arrivals/min   worth GB  memory GB"
    for one in found["bins"]:
        if one["ended"] >= 0.05 or one["kept"]:
            mark = "kept" if one["kept"] else ""
            span = f"{_span(one['from_s']):>7} to {_span(one['to_s']):<7}"
            yield (
                f"  {span} {one['ended']:6.1f} {one['arrivals_s'] * 60:13.3f}"
                f" {one['worth_gb']:10.3f} {found['memory_gb']:10.3f}  {mark}"
            )


def _now(found: Mapping[str, Any]) -> str:
    if found["draining"]:
        return "a newer version has taken over"
    if found["timer"]:
        return "kept for its timer"
    if found["wanted"]:
        return "kept: a worker is worth its memory"
    return "not kept: a worker is not worth its memory, or nobody has asked yet"


def _span(seconds: float) -> str:
    """A length of time in the largest unit that says it: 1.2 s, 5 min, 3 h, 2 d."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or seconds == size:
            return f"{shown_number(seconds / size, 3)} {unit}"
    return f"{shown_number(seconds, 3)} s"
