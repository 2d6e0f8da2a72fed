"""`relive invoke`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
import msgspec
from relive_base.errors import ExitCode, ReliveError, UsageError

from relive.output import echo, emit_object, json_option
from relive.session import Session

__all__ = ["invoke"]

_WAIT_LIMIT_S = 900.0
_POLL_S = 0.2
_ATTEMPTS_LIMIT = 200


@click.command()
@click.argument("function")
@click.option("--event", default="{}", help="The event: JSON text, @FILE, or - for standard input.")
@click.option("--async", "asynchronous", is_flag=True, help="Queue the event and return at once.")
@click.option("--wait", is_flag=True, help="With --async: wait until the event is done or dead.")
@click.option("--precise", is_flag=True, help="Profile this invocation with pyinstrument.")
@click.option(
    "--version",
    "version",
    type=click.IntRange(1, 2**31 - 1),
    default=None,
    help="A version of the function; the latest by default.",
)
@click.option("--event-id", default="", help="With --async: an idempotency key; the same id is taken once.")
@json_option
@click.pass_obj
def invoke(
    session: Session,
    function: str,
    event: str,
    asynchronous: bool,
    wait: bool,
    precise: bool,
    version: int | None,
    event_id: str,
    as_json: bool,
) -> int:
    """Invoke FUNCTION with an event and print its result.

    \b
    relive invoke price --event '{"sku": "A1"}'
    relive invoke report --event @event.json --async --wait
    relive invoke price --event - --precise < event.json

    Exit status 1 if the function failed.
    """
    from relive_platform.api import control_pb2 as pb

    if wait and not asynchronous:
        raise UsageError("--wait goes with --async", hint="without --async, invoke waits by itself")
    request = pb.InvokeRequest(
        function=function,
        event=read_event(event),
        asynchronous=asynchronous,
        precise=precise,
        version=version or 0,
        event_id=event_id,
    )
    response = session.control().invoke(request)
    if wait and response.status == "accepted":
        return _wait(session, function, response, as_json)
    row = _row(response)
    if as_json:
        emit_object(row)
    elif response.status == "accepted":
        click.echo(f"accepted {response.event_id}")
        click.echo(f"  relive events {function}      see where it is", err=True)
    elif response.status == "ok" and asynchronous and not response.result:
        echo(f"event {response.event_id} was done before; its result is not kept any more", err=True)
    elif response.status == "ok":
        click.echo(response.result.decode("utf-8", "replace"))
    else:
        _explain(row)
    return ExitCode.DONE if response.status in ("ok", "accepted") else ExitCode.FAILED


def read_event(event: str) -> bytes:
    """The bytes that `--event` means. Raises UsageError if the file cannot be read."""
    if event == "-":
        return sys.stdin.buffer.read()
    if not event.startswith("@"):
        return event.encode("utf-8", "surrogateescape")
    path = Path(event[1:])
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the event cannot be read: {error.strerror}", where=str(path), hint="name a file"
        ) from error


def _row(response: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "invocation_id": response.invocation_id,
        "trace_id": response.trace_id,
        "status": response.status,
        "duration_ms": round(response.duration_ms, 3),
        "cold": response.cold,
        "version": response.version,
    }
    if response.event_id:
        row["event_id"] = response.event_id
    if response.HasField("error"):
        error = response.error
        row["error"] = {
            "type": error.type,
            "message": error.message,
            "kind": error.kind,
            "file": error.file,
            "line": error.line,
            "function": error.function,
            "traceback": error.traceback,
        }
    elif response.result:
        row["result"] = _json_or_text(response.result)
    return row


def _explain(row: dict[str, Any]) -> None:
    error = row.get("error") or {"type": row["status"], "message": "", "file": "", "line": 0, "traceback": ""}
    if error["traceback"]:
        echo(error["traceback"].rstrip(), err=True)
    else:
        echo(f"{error['type']}: {error['message']}", err=True)
        if error["file"]:
            echo(f"  at {error['file']}:{error['line']}", err=True)
    echo(f"\n{row['status']} after {row['duration_ms']:.1f} ms; see why:", err=True)
    echo(f"  relive failure {row['invocation_id']}", err=True)
    echo(f"  relive debug {row['invocation_id']}", err=True)


def _wait(session: Session, function: str, response: Any, as_json: bool) -> int:
    """Poll the queue until the event is done or dead, then show its result or its last attempt."""
    control = session.control()
    event_id = response.event_id
    give_up = time.monotonic() + _WAIT_LIMIT_S
    while (entry := control.event(function, event_id)).state not in ("done", "dead"):
        if time.monotonic() > give_up:
            raise ReliveError(
                f"event {event_id} is not done after {_WAIT_LIMIT_S:.0f} s",
                hint=f"look at it later: relive events {function}",
            )
        time.sleep(_POLL_S)
    row = {
        **_last_attempt(session, response),
        "event_id": event_id,
        "state": entry.state,
        "last_error": entry.last_error,
    }
    if entry.state == "dead":
        row["attempts"] = entry.attempts
    if entry.result:
        row["result"] = _json_or_text(entry.result)
    if as_json:
        emit_object(row)
    elif entry.state == "done":
        echo(entry.result.decode("utf-8", "replace"))
    else:
        echo(f"dead after {entry.attempts} attempts: {entry.last_error}; see why:", err=True)
        echo(f"  relive failure {row['invocation_id']}", err=True)
    return ExitCode.FAILED if entry.state == "dead" else ExitCode.DONE


def _json_or_text(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")


def _last_attempt(session: Session, response: Any) -> dict[str, Any]:
    """What is recorded of the event's last attempt. If nothing is yet, its ids alone."""
    from relive_tracer.explore import invocations

    row: dict[str, Any] = {
        "invocation_id": response.invocation_id,
        "trace_id": response.trace_id,
        "status": "",
        "duration_ms": 0.0,
        "cold": False,
        "attempts": 1,
    }
    wanted = invocations.InvocationFilter(trace_id=response.trace_id)
    attempts = invocations.page(session.store(), wanted, limit=_ATTEMPTS_LIMIT)
    # An event's functions may have called others in the same trace: the one the event was for came first.
    own = [entry for entry in attempts if entry.trigger in ("queue", "timer")]
    if own:
        first = own[-1].invocation_id
        last = max((entry for entry in own if entry.invocation_id == first), key=lambda entry: entry.attempt)
        row |= {
            "invocation_id": last.invocation_id,
            "status": last.status,
            "duration_ms": round(last.duration_ns / 1e6, 3),
            "cold": last.cold,
            "version": last.version,
            "attempts": last.attempt,
        }
        if last.error_type:
            row["error"] = {"type": last.error_type, "message": last.error_message}
    return row
