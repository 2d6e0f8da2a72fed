"""`relive failures`, `relive failure` and `relive scene`."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import click
from relive_base.errors import ExitCode, NotFound, UsageError

from relive.durations import DURATION, since_ns
from relive.listing import emit_recorded, function_names
from relive.output import Column, echo, emit_object, format_bytes, format_message, format_time, json_option
from relive.session import Session

__all__ = ["failure", "failures", "scene"]

_COLUMNS = [
    Column("captured_at", "time", format_time),
    Column("function", "function"),
    Column("kind", "kind"),
    Column("error_type", "error"),
    Column("message", "message", format_message, width=48),
    Column("where", "where"),
    Column("count", "count", right=True),
    Column("invocation_id", "invocation"),
]


@click.command()
@click.argument("function", default="")
@click.option("--since", type=DURATION, default=None, help="Only those of the last 15m, 1h, ...")
@click.option("--group", is_flag=True, help="One row for all failures with the same fingerprint.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
@click.pass_obj
def failures(
    session: Session, function: str, since: float | None, group: bool, limit: int, as_json: bool
) -> int:
    """List failed invocations, newest first.

    \b
    relive failures --group
    relive failures checkout --since 1h --json
    """
    from relive_capture.explore import failures as explore

    found = explore.FailureFilter(function=function, since_ns=since_ns(since))
    if group:
        rows = [_group_row(entry) for entry in explore.groups(session.store(), found, limit)]
    else:
        rows = [_failure_row(entry) for entry in explore.page(session.store(), found, limit, 0)]
    shown = emit_recorded(
        session, rows, _COLUMNS, function=function, as_json=as_json, empty=_nothing(function, since)
    )
    return ExitCode.DONE if shown else ExitCode.FAILED


def _nothing(function: str, since: float | None) -> str:
    return f"no failures{f' of {function}' if function else ''}{' in this time' if since else ''}"


def _failure_row(entry: Any) -> dict[str, Any]:
    return {
        "invocation_id": entry.invocation_id,
        "attempt": entry.attempt,
        "function": entry.function,
        "version": entry.version,
        "kind": entry.kind,
        "error_type": entry.error_type,
        "message": entry.message,
        "file": entry.file,
        "line": entry.line,
        "where": _where(entry),
        "fingerprint": entry.fingerprint,
        "captured_at": entry.captured_ns,
        "trace_id": entry.trace_id,
        "count": 1,
    }


def _group_row(entry: Any) -> dict[str, Any]:
    return {
        "invocation_id": entry.invocation_id,
        "attempt": entry.attempt,
        "function": entry.function,
        "kind": entry.kind,
        "error_type": entry.error_type,
        "message": entry.message,
        "file": entry.file,
        "line": entry.line,
        "where": _where(entry),
        "fingerprint": entry.fingerprint,
        "captured_at": entry.last_ns,
        "first_at": entry.first_ns,
        "version": max(entry.versions, default=0),
        "versions": list(entry.versions),
        "trace_id": entry.trace_id,
        "count": entry.count,
    }


def _where(entry: Any) -> str:
    return f"{Path(entry.file).name}:{entry.line}" if entry.file else ""


@click.command()
@click.argument("ident", default="last", metavar="[ID | last | FILE]")
@click.option("--all-frames", is_flag=True, help="Each frame with its line and locals, libraries' too.")
@json_option
@click.pass_obj
def failure(session: Session, ident: str, all_frames: bool, as_json: bool) -> None:
    """Show why an invocation failed: the failing line, its locals, the event, the logs.

    \b
    relive failure                the newest one
    relive failure 01a2086a
    relive failure ./theirs.scene
    """
    _show_scene(session, ident, as_json, all_frames=all_frames)


def is_scene_file(ident: str) -> bool:
    """Whether an archive file is meant, and not an id."""
    return ident.endswith(".scene") or "/" in ident or Path(ident).is_file()


def load_scene(session: Session, ident: str) -> Any:
    """The scene of a failed invocation, or of an archive file. Raises SceneError where it is none."""
    from relive_capture.explore import archive

    if is_scene_file(ident):
        return archive.read_scene(Path(ident))
    try:
        return archive.read_scene(_archive(session, ident)[1])
    except NotFound as error:
        if ident == "last" or ident not in function_names(session):
            raise
        hint = f"{ident} is a function; list its failures: relive failures {ident}"
        raise type(error)(error.message, remedy=hint) from error


@click.command()
@click.argument("ident", default="last", metavar="[ID | last | FILE]")
@click.option("--output", "-o", type=click.Path(), help="The file (or folder) to write.")
@click.option(
    "--to-test",
    "test",
    type=click.Path(),
    help="A pytest file (or folder) to write, which repeats the failure.",
)
@click.option(
    "--code",
    type=click.Path(exists=True, path_type=Path),
    help="With --to-test: the code to be tested, a folder or a relive.toml. Default: found around the test.",
)
@json_option
@click.pass_obj
def scene(
    session: Session, ident: str, output: str | None, test: str | None, code: Path | None, as_json: bool
) -> None:
    """Write a failure's scene to a file that anybody can open, or open one that somebody else has sent.

    \b
    relive scene last --output failure.scene
    relive scene failure.scene               shows it; no server is needed
    relive debug failure.scene               a read-only debugger on its frames
    relive scene last --to-test tests/       a pytest file that repeats it; it is run once
    """
    if test is not None:
        _write_test(session, ident, test, code, as_json)
        return
    if output is None:
        _show_scene(session, ident, as_json)
        return
    name, data = _archive(session, ident)
    path = _target(output, name)
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    if as_json:
        emit_object({"path": str(path), "bytes": len(data)})
    else:
        echo(f"{path}  {len(data):,} bytes")


def _target(given: str, name: str) -> Path:
    """The file to write: `given`, or `name` in it where it is a folder or ends in a slash; that is made."""
    folder = Path(given)
    if not (given.endswith("/") or folder.is_dir()):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}") from error
    return folder / name


def _write_test(session: Session, ident: str, target: str, code: Path | None, as_json: bool) -> None:
    from relive_platform.replay import pytest_file
    from relive_platform.replay.trying import try_test

    found = load_scene(session, ident)
    folder = target if Path(target).suffix or Path(target).exists() else f"{target}/"
    path = _target(folder, pytest_file.file_name(found))
    if path.suffix != ".py":
        raise UsageError(
            f"{path} is no Python file, so pytest would not find it",
            remedy="name a folder (tests/) or a file (tests/test_it.py)",
        )
    if path.exists() and pytest_file.MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise UsageError(
            "the file is there already, and was not written by --to-test",
            where=str(path),
            remedy="name another",
        )
    where = pytest_file.find_code(str(found.manifest["function"]), code, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(pytest_file.pytest_file(found, where, path), encoding="utf-8")
    notes = found.replay_notes
    tried = try_test(path, found, notes.timeout_s if notes is not None else 0.0)
    text = pytest_file.pytest_file(found, where, path, tried.text)
    path.write_text(text, encoding="utf-8")
    if as_json:
        emit_object(
            {
                "path": str(path),
                "bytes": len(text.encode()),
                "source": str(where.source),
                "outcome": tried.outcome,
                "tried": tried.text,
                "notes": list(tried.notes),
            }
        )
        return
    echo(f"{path}  tests {where.source}")
    echo(f"  {tried.text}")
    for note in tried.notes:
        echo(f"  note: {note}")
    echo(f"  python -m pytest {shlex.quote(str(path))}")


def _archive(session: Session, ident: str) -> tuple[str, bytes]:
    """(file name, bytes); those of the home's own file, and a note, where the store cannot be read."""
    from relive_capture.explore import archive, scenes
    from relive_store import StoreError

    if is_scene_file(ident):
        return Path(ident).name, archive.read_scene(Path(ident)).raw
    try:
        return scenes.archive_bytes(session.store(), session.scenes_dir, ident)
    except (StoreError, NotFound) as error:
        known = isinstance(error, NotFound) and session.has_read  # the store was read, and has no such scene
        path = None if known or session.server else scenes.path_on_disk(session.scenes_dir, ident)
        if path is None:
            raise
        which = "the newest scene file" if ident == "last" else "the scene file"
        reason = " ".join(error.message.split())
        echo(f"note: the store cannot be read: {reason}", err=True)
        echo(f"      this is {which} of the home, {path.name}", err=True)
        return path.name, archive.read_scene(path).raw


def _show_scene(session: Session, ident: str, as_json: bool, *, all_frames: bool = False) -> None:
    from relive_capture.explore import render

    found = load_scene(session, ident)
    if as_json:
        emit_object(render.to_json(found))
        return
    width = shutil.get_terminal_size((120, 40)).columns
    if not is_scene_file(ident):
        echo(render.render_text(found, width=width, heap=_heap_note(session, found), all_frames=all_frames))
        return
    # Its trace and profile are in the home that it comes from: what can be done here is said instead.
    from relive.group import COMMANDS

    name = shlex.quote(ident)
    offered = ("debug", "replay", "heap") if found.has_heap else ("debug", "replay")
    commands = [f"relive {known} {name}" for known in offered if known in COMMANDS]
    echo(
        render.render_text(
            found, width=width, commands=commands, heap=_heap_note(session, found), all_frames=all_frames
        )
    )


def _heap_note(session: Session, found: Any) -> str:
    """What is in the heap; the local that leads to most where the heap was analysed before."""
    from relive_capture.explore.heap.cache import cache_of
    from relive_capture.explore.heap.opening import key_of
    from relive_capture.explore.heap.summaries import locals_of

    if not found.has_heap:
        return ""
    meta = found.heap_meta
    note = f"{meta.objects:,} objects, {format_bytes(meta.bytes)}"
    heap = cache_of(session.scenes_dir).load(key_of(found))
    largest = locals_of(heap)[:1] if heap is not None else []
    if largest:
        row = largest[0]
        note += f"; the local {row.name} of {row.frame} leads to {format_bytes(row.reaches)}"
    return note
