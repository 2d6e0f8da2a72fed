"""`relive serve`, `relive stop` and `relive status`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from relive_base.addresses import names_password, without_password
from relive_base.errors import ExitCode, ReliveError, ServerUnreachable
from relive_platform.server.locate import find_server, server_lock_held
from rich.cells import cell_len

from relive.arguments.durations import WAIT
from relive.output import echo, emit_object, format_bytes, json_option, table_width
from relive.output.figures import shown_figures
from relive.output.wrapping import wrapped
from relive.session import Session

__all__ = ["serve", "status", "stop"]

_START_LIMIT_S = 600.0
"""A server that lives gets ready, however busy the machine is; one that hangs is ended after this."""
_STOP_LIMIT_S = 30.0
_POLL_S = 0.05
_ENDING_S = 1.0
"""A server that is just ending, killed say, holds its home for a moment."""
_NAME_CELLS = 15


@click.command()
@click.option("--http", default=None, help="Address of the function gateway.  [default: 127.0.0.1:8700]")
@click.option(
    "--api", default=None, help="Serve the control API on TCP too: HOST:PORT (clients need run/token)."
)
@click.option(
    "--store", default=None, help="clickhouse://USER:PASSWORD@HOST:9000/DB instead of the embedded engine."
)
@click.option(
    "--otlp", default=None, help="Send every trace, log and metric to this OTLP endpoint: http://HOST:4317."
)
@click.option(
    "--otlp-grpc",
    default=None,
    metavar="HOST:PORT",
    help="Receive OTLP over gRPC; off: do not.  [default: 127.0.0.1:4317 if it is free]",
)
@click.option(
    "--otlp-http",
    default=None,
    metavar="HOST:PORT",
    help="Receive OTLP over HTTP; off: do not.  [default: 127.0.0.1:4318 if it is free]",
)
@click.option(
    "--lambda-api",
    default=None,
    metavar="HOST:PORT",
    help="Serve AWS Lambda's API, for boto3 and the AWS CLI: see relive aws.",
)
@click.option(
    "--metrics", default=None, metavar="HOST:PORT", help="Serve metrics for Prometheus: 127.0.0.1:9464."
)
@click.option(
    "--gateways",
    default=None,
    metavar="N",
    help="Processes that take HTTP requests, each with workers of its own.  [default: 1]",
)
@click.option("--daemon", is_flag=True, help="Return when the server is ready; it goes on in the background.")
@json_option
@click.pass_obj
def serve(
    session: Session,
    http: str | None,
    api: str | None,
    store: str | None,
    otlp: str | None,
    otlp_grpc: str | None,
    otlp_http: str | None,
    lambda_api: str | None,
    metrics: str | None,
    gateways: str | None,
    daemon: bool,
    as_json: bool,
) -> int:
    """Start the platform on this home, in the foreground.

    \b
    relive serve
    relive serve --daemon --http 127.0.0.1:0
    relive serve --store clickhouse://default@127.0.0.1:9000/relive --otlp http://127.0.0.1:4317
    relive serve --gateways 4

    Every other setting is a RELIVE_* variable: see docs/reference/settings.md.
    """
    given = {
        "http": http,
        "api": api,
        "store": store,
        "otlp": otlp,
        "otlp_grpc": otlp_grpc,
        "otlp_http": otlp_http,
        "lambda_api": lambda_api,
        "metrics": metrics,
        "gateways": gateways,
    }
    overrides = {name: value for name, value in given.items() if value is not None}
    if daemon:
        return _start_daemon(session, overrides, as_json)
    if any(names_password(address or "") for address in (store, otlp)):
        _start_over(session, overrides, as_json)
    from relive.server.foreground import run_server

    return run_server(session.home, overrides, session.environment, as_json=as_json)


def _as_variables(overrides: dict[str, str]) -> dict[str, str]:
    return {f"RELIVE_{name.upper()}": value for name, value in overrides.items()}


def _start_over(session: Session, overrides: dict[str, str], as_json: bool) -> None:
    """Become the same command with the addresses in the environment, which no other user can read."""
    echo("note: a password on the command line can be read by all users; RELIVE_STORE is for that", err=True)
    command = [sys.executable, "-m", "relive", "--home", str(session.home), "serve"]
    command += ["--json"] if as_json else []
    sys.stdout.flush()
    os.execve(sys.executable, command, {**os.environ, **_as_variables(overrides)})


def _refuse_a_second(home: Path) -> None:
    give_up = time.monotonic() + _ENDING_S
    while server_lock_held(home):
        if time.monotonic() > give_up:
            raise ReliveError(
                "a server runs on this home already", where=str(home), hint="relive status, or relive stop"
            )
        time.sleep(_POLL_S)


def _start_daemon(session: Session, overrides: dict[str, str], as_json: bool) -> int:
    """Start `relive serve` in a session of its own and wait until it is ready or has ended."""
    _refuse_a_second(session.home)
    run = session.home / "run"
    log = run / "server.log"
    try:
        session.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        run.mkdir(exist_ok=True, mode=0o700)
        log.touch()
    except OSError as error:
        raise ReliveError(
            f"the home cannot be written: {error.strerror}",
            where=str(error.filename or run),
            hint="choose another folder with --home or RELIVE_HOME",
        ) from error
    arguments = [sys.executable, "-m", "relive", "--home", str(session.home), "serve"]
    with log.open("ab") as output:
        offset = output.tell()
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env={**os.environ, **_as_variables(overrides)},
        )
    give_up = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise _did_not_start(log, log.read_bytes()[offset:].decode("utf-8", "replace").strip())
        info = find_server(session.home)
        if info is not None and info.pid == process.pid:
            _pass_on_notes(log.read_bytes()[offset:].decode("utf-8", "replace"))
            if as_json:
                emit_object(
                    {
                        "pid": info.pid,
                        "http": info.http,
                        "api": info.api,
                        "aws": info.aws,
                        "metrics": info.metrics,
                        "store": without_password(info.store),
                    }
                )
            else:
                echo(f"ready: functions at {info.http}/fn/NAME/ (pid {info.pid})")
                if info.aws:
                    echo(f"  AWS's API at {info.aws}    relive aws credentials")
                if info.metrics:
                    echo(f"  metrics at {info.metrics}")
                if info.store_problem:
                    echo(f"note: the store is not there yet: {info.store_problem}", err=True)
                    echo(
                        "      functions go on; what is recorded waits in the spool: relive status", err=True
                    )
            return ExitCode.DONE
        time.sleep(_POLL_S)
    process.terminate()
    said = log.read_bytes()[offset:].decode("utf-8", "replace").strip()
    last = said.splitlines()[-1] if said else "it has written nothing"
    raise ReliveError(
        f"the server was not ready within {_START_LIMIT_S:.0f} s: {last}",
        where=str(log),
        hint="read that log",
    )


def _pass_on_notes(said: str) -> None:
    """What the server had to say of its settings and its home, which else stands in its log only."""
    for line in said.splitlines():
        if line.startswith("note: unknown setting"):
            echo(line, err=True)
        elif " was open to other users" in line:
            echo(f"note: {line.rpartition('  ')[2]}", err=True)


def _did_not_start(log: Path, said: str) -> ReliveError:
    """The error that the server ended with, if it said one; else the end of its log."""
    _, found, error = f"\n{said}".rpartition("\nrelive: ")
    if not found:
        lines = said.splitlines()  # the last one is the error's own, if it is a traceback
        return ReliveError(
            f"the server did not start: {lines[-1] if lines else 'it ended without a word'}",
            where=str(log),
            hint="its output is in that log",
        )
    message, _, hint = error.partition("\n  hint: ")
    return ReliveError(f"the server did not start: {message}", hint=hint or f"its log is {log}")


@click.command()
@click.option(
    "--drain", type=WAIT, default=10.0, help="How long running invocations may go on.  [default: 10s]"
)
@click.pass_obj
def stop(session: Session, drain: float) -> int:
    """Stop the server: finish what runs, keep what is queued, write what was recorded."""
    try:
        pid = session.control().stop(drain)
    except ServerUnreachable:
        if not server_lock_held(session.home):
            raise
        raise ReliveError(
            "a server holds this home but does not answer", where=str(session.home), hint="kill its process"
        ) from None
    if session.server:
        echo(f"asked the server at {session.server} to stop")
        return ExitCode.DONE
    give_up = time.monotonic() + drain + _STOP_LIMIT_S
    while server_lock_held(session.home):
        if time.monotonic() > give_up:
            raise ReliveError(f"the server (pid {pid}) has not ended yet", hint=f"kill {pid}")
        time.sleep(_POLL_S)
    echo("stopped")
    return ExitCode.DONE


@click.command()
@json_option
@click.pass_obj
def status(session: Session, as_json: bool) -> None:
    """Show the server's health: store, workers, queue, what was dropped.

    \b
    relive status
    relive status --json | jq .queue
    """
    found = session.control().status()
    if as_json:
        emit_object(found)
        return
    for line in _status_lines(found, table_width(os.environ, sys.stdout.isatty())):
        echo(line)


def _status_lines(found: dict[str, Any], width: int | None = None) -> Iterator[str]:
    """In lines of at most `width` cells, if there is a limit; a name and its figure stay together."""
    yield f"relive {found.get('version', '')}  pid {found.get('pid', os.getpid())}  {found.get('http', '')}"
    for name, value in found.items():
        if name in ("version", "pid", "http"):
            continue
        rows = {"sources": _sources, "processes": _processes}.get(name, _status_parts)
        for parts in rows(value):
            yield from _under(name, parts, width)


def _sources(value: object) -> Iterator[list[str]]:
    """How each trigger is that pulls."""
    for entry in value if isinstance(value, list) else []:
        yield [f"{entry['function']}:", str(entry["name"]), str(entry["brief"])]
    if not value:
        yield ["-"]


def _processes(value: object) -> Iterator[list[str]]:
    """The CPU time of each process, and how the gateways stand."""
    for entry in value if isinstance(value, list) else []:
        used = entry.get("cpu_us_per_invocation")
        yield [
            f"{entry['name']}:",
            *([f"pid {entry['pid']}"] if "pid" in entry else [str(entry["state"])]),
            *([f"cpu {entry['cpu_s']:.1f} s"] if "cpu_s" in entry else []),
            *([f"{used:.1f} us per invocation"] if used else []),
            *(
                f"{key} {entry[key]}"
                for key in ("connections", "workers", "functions", "restarts", "dropped")
                if entry.get(key)
            ),
        ]


def _status_parts(value: object) -> Iterator[list[str]]:
    """What is kept together, of each entry under one name."""
    if isinstance(value, dict):
        yield [f"{key} {_shown(key, entry)}" for key, entry in value.items() if entry not in (None, "")]
    elif value and isinstance(value, list) and isinstance(value[0], dict):
        for entry in value:
            figures = {key: held for key, held in entry.items() if key not in ("name", "type", "state")}
            shown = ", ".join(shown_figures(figures)) or "empty"
            state = [] if entry.get("state") == "ok" else [str(entry.get("state"))]
            yield [f"{entry.get('type')} {entry.get('name')}", *state, shown]
    elif isinstance(value, list):
        yield [", ".join(str(entry) for entry in value) or "-"]
    else:
        yield [_shown("", value)]


def _under(name: str, parts: list[str], width: int | None) -> Iterator[str]:
    """`parts`, two spaces between them, beside `name`."""
    room = sys.maxsize if width is None else width - _NAME_CELLS - 1
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(lines[-1]) + 2 + cell_len(part) <= room:
            lines[-1] += f"  {part}"
        else:
            lines += wrapped(part, room, room)
    for number, line in enumerate(lines or ["-"]):
        yield f"{'' if number else name:<{_NAME_CELLS}} {line}"


def _shown(key: str, value: object) -> str:
    if isinstance(value, dict):  # a stage of the signals: what it has taken, and what not
        lost = ", ".join(f"{count} {what}" for what, count in value.items() if what != "taken" and count)
        return f"{value.get('taken', 0)} ({lost})" if lost else str(value.get("taken", 0))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key.endswith("_bytes"):
        return format_bytes(value) if value else "0"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
