"""`relive failure` and `relive scene`: why an invocation failed, on the screen, in a file, as a test."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
from relive_base.errors import ExitCode, UsageError

from relive.arguments.belonging import goes_with
from relive.arguments.completing import complete_failure
from relive.output import echo, echo_styled, emit_object, format_bytes, json_option, text_width
from relive.output.files import writing
from relive.recorded.scenes import archive_of, is_from_elsewhere, is_scene_file, load_scene
from relive.recorded.slowness import tell_slowness
from relive.session import Session

__all__ = ["failure", "scene"]


@click.command()
@click.argument(
    "ident", default="last", metavar="[ID | FUNCTION | last | FILE]", shell_complete=complete_failure
)
@click.option(
    "--frames",
    type=click.Choice(["own", "all"]),
    default="own",
    show_default=True,
    help="The application's frames by name, or each frame with its line and locals, libraries' too.",
)
@click.option("--full", is_flag=True, help="Everything in the scene: whole values, all lines of all parts.")
@click.option("--all-frames", is_flag=True, hidden=True, help="The former name of --frames all.")
@json_option
@click.pass_obj
def failure(session: Session, ident: str, frames: str, full: bool, all_frames: bool, as_json: bool) -> None:
    """Show why an invocation failed: the failing line, its locals, its calls, the event, the logs.

    \b
    relive failure                the newest one
    relive failure checkout       the newest one of a function
    relive failure 01a2086a
    relive failure checkout --frames all
    relive failure last --full | less -R
    relive failure ./theirs.scene
    """
    _show_scene(session, ident, as_json, all_frames=all_frames or frames == "all", full=full)


@click.command()
@click.argument(
    "arguments",
    nargs=-1,
    metavar="[ID | FUNCTION | last | FILE | import PLACE...]",
    shell_complete=complete_failure,
)
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
@click.option("--remove", is_flag=True, help="With import: remove scenes from where they came.")
@json_option
@click.pass_obj
def scene(
    session: Session,
    arguments: tuple[str, ...],
    output: str | None,
    test: str | None,
    code: Path | None,
    remove: bool,
    as_json: bool,
) -> int:
    """Write a failure's scene to a file that anybody can open, or open one that somebody else has sent.

    import brings scenes into this home that were recorded elsewhere: files, folders, s3://bucket/prefix.

    \b
    relive scene last --output failure.scene
    relive scene failure.scene               shows it; no server is needed
    relive debug failure.scene               a read-only debugger on its frames
    relive scene last --to-test tests/       a pytest file that repeats it; it is run once
    relive scene import ./scenes s3://ours/scenes
    """
    if arguments[:1] == ("import",):
        from relive.commands.failures.importing import import_scenes

        goes_with("a scene of this home", "output", "test", "code")
        return import_scenes(session, arguments[1:], remove=remove, as_json=as_json)
    if len(arguments) > 1 or remove:
        raise UsageError("what to do is not clear", hint="relive scene ID, or relive scene import PLACE")
    ident = arguments[0] if arguments else "last"
    if test is None:
        goes_with("--to-test", "code", hint="relive scene last --to-test tests/ --code .")
    else:
        _write_test(session, ident, test, code, as_json)
        return ExitCode.DONE
    if output is None:
        _show_scene(session, ident, as_json)
        return ExitCode.DONE
    name, data = archive_of(session, ident)
    path = _target(output, name)
    with writing(path):
        path.write_bytes(data)
    if as_json:
        emit_object({"path": str(path), "bytes": len(data)})
    else:
        echo(f"{path}  {len(data):,} bytes")
    return ExitCode.DONE


def _target(given: str, name: str) -> Path:
    """The file to write: `given`, or `name` in it if it is a folder or ends in a slash; that is made."""
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
    from relive_platform.replay.repeatable import check_repeatable
    from relive_platform.replay.trying import try_isolated, try_test

    found = load_scene(session, ident)
    check_repeatable(found)
    folder = target if Path(target).suffix or Path(target).exists() else f"{target}/"
    path = _target(folder, pytest_file.file_name(found))
    if path.suffix != ".py":
        raise UsageError(
            f"{path} is not a Python file, so pytest would not find it",
            hint="name a folder (tests/) or a file (tests/test_it.py)",
        )
    if path.exists() and pytest_file.MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise UsageError(
            "the file is there already, and was not written by --to-test",
            where=str(path),
            hint="name another",
        )
    where = pytest_file.find_code(str(found.manifest["function"]), code, path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pytest_file.pytest_file(found, where, path), encoding="utf-8")
    notes = found.replay_notes
    tried = (
        try_isolated(found, where.path, session.home)
        if is_from_elsewhere(session, ident, found)
        else try_test(path, found, notes.timeout_s if notes is not None else 0.0)
    )
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


_STYLES = {
    "title": "bold red", "error": "red", "meta": "dim", "dim": "dim", "heading": "bold", "mark": "bold red",
    "command": "cyan",
}  # fmt: skip


def _show_scene(
    session: Session, ident: str, as_json: bool, *, all_frames: bool = False, full: bool = False
) -> None:
    from relive_capture.explore.parts import failure_lines, to_json

    found = load_scene(session, ident)
    if as_json:
        emit_object(to_json(found))
        return
    commands: list[str] = []
    if is_scene_file(ident):
        # Its trace and profile are in the home that it comes from: what can be done here is said instead.
        name = shlex.quote(ident)
        offered = ("debug", "replay", "heap") if found.has_heap else ("debug", "replay")
        commands = [f"relive {command} {name}" for command in offered]
    lines = failure_lines(
        found, text_width(), commands, _heap_note(session, found), all_frames=all_frames, full=full
    )
    echo_styled((line.text, _STYLES.get(line.style, "")) for line in lines)
    if not is_scene_file(ident):
        tell_slowness(session, found.invocation_id)


def _heap_note(session: Session, found: Any) -> str:
    """What is in the heap; the local that leads to most if the heap was analysed before."""
    from relive_views.heaps import cache_of, key_of, locals_of

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
