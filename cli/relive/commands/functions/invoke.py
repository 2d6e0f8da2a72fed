"""`relive invoke`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from shlex import quote
from typing import Any

import click
import msgspec
from relive_base.errors import ExitCode, ReliveError, UsageError

from relive.arguments.belonging import goes_with
from relive.arguments.completing import complete_function
from relive.output import echo, emit_object, json_option
from relive.session import Session

__all__ = ["invoke"]

_WAIT_LIMIT_S = 900.0
_POLL_S = 0.2
_ATTEMPTS_LIMIT = 200
_SERVER_ERROR = 500
INTERRUPTED = 130


def _no_more(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> None:
    """What stands after the function's name: most likely the event."""
    if given:
        raise UsageError(
            f"{given[0][:100]!r} is one argument too many: an event is given with --event",
            hint=f"relive invoke FUNCTION --event {quote(given[0][:100])}",
        )


@click.command()
@click.argument("function", shell_complete=complete_function)
@click.argument("more", nargs=-1, metavar="", expose_value=False, callback=_no_more)
@click.option("--event", default=None, help="The event: JSON text, @FILE, or - for standard input.")
@click.option("--file", "file", default=None, help="The same from a file; over HTTP, the body.")
@click.option("--method", default=None, help="Over HTTP: the method.  [default: GET, with a body POST]")
@click.option("--path", default=None, help="Over HTTP: the path below the function's URL, with its query.")
@click.option("--header", "-H", "headers", multiple=True, help="Over HTTP: a header, 'Name: value'.")
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
    event: str | None,
    file: str | None,
    method: str | None,
    path: str | None,
    headers: tuple[str, ...],
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
    relive invoke price:live
    relive invoke report --event @event.json --async --wait
    relive invoke price --event - --precise < event.json
    relive invoke web --method PUT --path '/cart/7?dry=1' --header 'X-Team: blue' --file cart.json

    With --method, --path or --header it is an HTTP request. Exit status 1 if the function failed (over
    HTTP: answered with 5xx). Ctrl-C leaves the invocation running, and says how to end it.
    """
    from relive_base.ids import new_invocation_id
    from relive_platform.api import control_pb2 as pb

    if event is not None and file is not None:
        raise UsageError("--event and --file cannot be combined", hint="leave one of them out")
    given = event if file is None else f"@{file}"
    if method is not None or path is not None or headers:
        if asynchronous or wait or precise or version or event_id:
            raise UsageError(
                "--method, --path and --header send an HTTP request, which --async, --wait, --precise,"
                " --version and --event-id do not apply to",
                hint="leave them out",
            )
        return _over_http(session, function, method, path or "/", headers, given, as_json)
    if wait and not asynchronous:
        raise UsageError("--wait goes with --async", hint="without --async, invoke waits by itself")
    if not asynchronous:
        goes_with("--async", "event_id", hint="relive invoke FUNCTION --async --event-id ID")
    function, _, qualifier = function.partition(":")
    if qualifier and version:
        raise UsageError("--version and a qualifier cannot be combined", hint="leave one of them out")
    request = pb.InvokeRequest(
        function=function,
        qualifier=qualifier,
        event=read_event("{}" if given is None else given),
        invocation_id="" if asynchronous else new_invocation_id(),
        asynchronous=asynchronous,
        precise=precise,
        version=version or 0,
        event_id=event_id,
    )
    ident = request.invocation_id
    try:
        response = session.control().invoke(request)
        ident = response.invocation_id
        if wait and response.status == "accepted" and not response.invocation_id:
            raise UsageError(
                f"{function} is no function: its receivers have invocations of their own",
                hint=f"it is accepted, as {response.event_id}; leave --wait out",
            )
        if wait and response.status == "accepted":
            return _wait(session, function, response, as_json)
    except KeyboardInterrupt:
        return _interrupted(ident, function, as_json)
    return _tell(response, function, asynchronous, as_json)


def _tell(response: Any, function: str, asynchronous: bool, as_json: bool) -> int:
    """What came of it."""
    row = _row(response)
    if as_json:
        emit_object(row)
    elif response.status == "accepted":
        click.echo(f"accepted {response.event_id}")
        # What has no invocation of its own went to a queue of messages, or onto a bus.
        name = function.rpartition(":")[2]
        where = f"events {function}" if response.invocation_id else f"resources show {name}"
        click.echo(f"  relive {where}      see where it is", err=True)
    elif response.status == "ok" and asynchronous and not response.result:
        echo(f"event {response.event_id} was done before; its result is not kept any more", err=True)
    elif response.status == "ok":
        click.echo(response.result.decode("utf-8", "replace"))
    else:
        _explain(row)
    return ExitCode.DONE if response.status in ("ok", "accepted") else ExitCode.FAILED


def _interrupted(ident: str, function: str, as_json: bool) -> int:
    """Ctrl-C while the function runs, which goes on."""
    if as_json:
        emit_object({"invocation_id": ident, "function": function, "status": "running"})
    elif ident:
        echo(f"\ninvocation {ident} of {function} goes on:", err=True)
        echo(f"  relive cancel {ident}", err=True)
        echo(f"  relive logs --invocation {ident} --follow", err=True)
    else:  # interrupted before the event was accepted, or after
        echo(f"\nthe event may be accepted; see it: relive events {function}", err=True)
    return INTERRUPTED


def _over_http(
    session: Session,
    function: str,
    method: str | None,
    path: str,
    headers: tuple[str, ...],
    event: str | None,
    as_json: bool,
) -> int:
    """One request to the function's own URL, and its answer."""
    from relive.server.http_call import Request, headers_of, send

    body = read_event(event) if event is not None else None
    request = Request(
        function=function,
        method=(method or ("GET" if body is None else "POST")).upper(),
        path=path,
        headers=headers_of(headers),
        body=body,
    )
    try:
        answer = send(session.gateway(), session.gateway_token(), request)
    except KeyboardInterrupt:
        echo(f"\nthe invocation goes on; end it: relive cancel {function}", err=True)
        return INTERRUPTED
    failed = answer.status >= _SERVER_ERROR
    if as_json:
        emit_object(
            {
                "invocation_id": answer.invocation_id,
                "trace_id": answer.trace_id,
                "status": "error" if failed else "ok",
                "http_status": answer.status,
                "headers": [list(pair) for pair in answer.headers],
                "result": _json_or_text(answer.body),
                "duration_ms": round(answer.seconds * 1e3, 3),
            }
        )
        return ExitCode.FAILED if failed else ExitCode.DONE
    echo(f"{answer.status} {answer.reason}  {answer.seconds * 1e3:.1f} ms", err=True)
    for name, value in answer.headers:
        echo(f"{name}: {value}", err=True)
    echo(err=True)
    if sys.stdout.isatty():
        echo(answer.body.decode("utf-8", "replace"))
    else:
        click.echo(answer.body, nl=False)
    if failed and answer.invocation_id:
        echo(f"see why:\n  relive failure {answer.invocation_id}", err=True)
    return ExitCode.FAILED if failed else ExitCode.DONE


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
