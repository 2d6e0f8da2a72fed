"""`relive deploy`."""

from __future__ import annotations

import io
import socket
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from relive_base.errors import ExitCode, Refused, ReliveError, UsageError
from relive_base.terminal import one_line

from relive.arguments.templates import config_env_option, is_manifest, parameter_option
from relive.commands.functions.ignored import ignored_of, tell_ignored
from relive.output import echo, emit_object, format_age, format_clock, json_option, note, tell_error
from relive.session import Session

if TYPE_CHECKING:
    from relive_platform.api import control_pb2 as pb
    from relive_platform.api.client import ControlClient
    from relive_platform.registry.application import Ignored

__all__ = ["deploy"]

_SKIPPED = {
    ".aws-sam",
    ".git",
    ".venv",
    "venv",
    "__pycache__",
    "node_modules",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
}


@click.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True), default=".")
@click.option("--name", default="", help="The function's name, for a folder without relive.toml.")
@click.option("--handler", default="", help="module:attribute, for a folder without relive.toml.")
@click.option(
    "--take-over",
    is_flag=True,
    help="Take what another application has: its functions, or its folder's name.",
)
@click.option(
    "--delete-data",
    is_flag=True,
    help="Delete the data of resources that it has no more, or that cannot stay as they are.",
)
@parameter_option
@config_env_option
@click.option("--strict", is_flag=True, help="What would be ignored of a template is an error.")
@click.option("--watch", is_flag=True, help="Deploy again whenever a file changes, until Ctrl-C.")
@json_option
@click.pass_obj
def deploy(
    session: Session,
    path: Path,
    name: str,
    handler: str,
    take_over: bool,
    delete_data: bool,
    parameters: dict[str, str],
    config_env: str,
    strict: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Deploy the functions that PATH names: a folder or a zip with a relive.toml or a SAM template, or such a
    file itself.

    \b
    relive deploy .
    relive deploy . --watch
    relive deploy template.yaml --parameter Stage=dev
    relive deploy shop.zip
    relive deploy ./thumbnail --name thumbnail --handler app:handler

    Each deploy makes a new, immutable version; the same code and configuration keep the version they have.
    If anything is wrong, or you press Ctrl-C, the running version stays in service. A function that another
    application has, and an application without a name whose folder's name is taken, is refused without
    --take-over. Shows the routes, when each timer runs next, and what of a template is ignored.
    """
    if watch and delete_data:
        raise UsageError(
            "--watch and --delete-data cannot be combined", hint="deploy once with --delete-data"
        )
    wanted = _Wanted(path, name, handler, take_over, delete_data, parameters, config_env, strict)
    if not watch:
        _deploy(session, wanted, as_json)
        return
    from relive.server.watching import changes

    ignored: list[Ignored] | None = None
    for _ in changes(_place(path), _SKIPPED):
        try:
            ignored = _deploy(session, wanted, as_json, ignored)
        except ReliveError as error:
            if error.exit_code == ExitCode.UNREACHABLE or isinstance(error, DeployInterrupted):
                raise
            tell_error(error, as_json=as_json)  # the next change may put it right
        if not as_json:
            echo(f"watching {path}; Ctrl-C ends", err=True)


@dataclass(frozen=True, slots=True)
class _Wanted:
    path: Path
    name: str
    handler: str
    take_over: bool
    delete_data: bool
    parameters: Mapping[str, str]
    config_env: str
    strict: bool


class DeployInterrupted(Refused):
    """The deploy was cancelled: what was in service stays in service."""


def _deploy(
    session: Session, wanted: _Wanted, as_json: bool, before: list[Ignored] | None = None
) -> list[Ignored]:
    """Once, and tell what became of each function; gives what of a template is ignored. `before`: what the
    last deploy of the same ignored; people are not told again what is as it was."""
    control = session.control()
    deployed, retired, ignored = _send(control, wanted, quiet=as_json or not sys.stderr.isatty())
    served = {info.name: info for info in control.functions()}
    for entry in deployed:
        info = served.get(entry.function)
        row = {
            "function": entry.function,
            "version": entry.version,
            "code_hash": entry.code_hash,
            "seconds": round(entry.seconds, 3),
            "unchanged": entry.unchanged,
            "url": entry.url,
            "triggers": list(info.triggers) if info else [],
            "next_run_at": info.next_run_ns if info else 0,
        }
        if as_json:
            emit_object(row)
            continue
        if entry.unchanged and before is not None:  # with --watch
            continue
        state = "unchanged" if entry.unchanged else f"deployed in {entry.seconds:.1f} s"
        click.echo(one_line(f"{entry.function}  version {entry.version}  {state}  {entry.url}"))
        for line in trigger_lines(row):
            click.echo(one_line(f"  {line}"))
    if before is not None and all(entry.unchanged for entry in deployed) and not as_json:
        echo("no function has changed")
    if as_json or ignored != before:
        tell_ignored(ignored, as_json=as_json)
    for detail in retired:
        note(one_line(f"no longer in service: {detail}", 500), as_json=as_json)
    return ignored


def trigger_lines(row: Mapping[str, Any]) -> Iterator[str]:
    """What makes events for a function: routes with their whole URL, timers with their next run."""
    gateway = str(row["url"]).partition("/fn/")[0]
    for text in row["triggers"]:
        kind, _, rest = text.partition(" ")
        methods, _, path = rest.partition(" ")
        if kind == "http":
            yield f"{'any method' if methods == '*' else methods} {gateway}{path}"
        elif kind == "timer" and row["next_run_at"]:
            yield f"{text}, next {format_clock(row['next_run_at'])} ({format_age(row['next_run_at'])})"
        else:
            yield text


def _send(
    control: ControlClient, wanted: _Wanted, *, quiet: bool
) -> tuple[list[pb.Deployed], list[str], list[Ignored]]:
    """(what is deployed, what is no longer in service, what is ignored). Raises ReliveError,
    DeployInterrupted."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    remote = not control.address.startswith("unix:")
    package = _pack(wanted.path) if remote else None
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    retired: list[str] = []
    ignored: list[Ignored] = []
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("deploying", total=None)

        def show(progress: pb.Progress) -> None:
            if progress.phase == "retired":
                retired.append(progress.detail)
            if progress.HasField("ignored"):
                ignored.append(ignored_of(progress.ignored))
            known = progress.fraction >= 0
            bar.update(
                task,
                description=one_line(f"{progress.phase} {progress.detail}", 60),
                total=1.0 if known else None,
                completed=progress.fraction if known else 0,
            )

        try:
            deployed = control.deploy(
                None if remote else wanted.path.absolute(),
                package=package,
                name=wanted.name,
                handler=wanted.handler,
                take_over=wanted.take_over,
                delete_data=wanted.delete_data,
                sender=f"{socket.gethostname()}:{_place(wanted.path)}" if remote else "",
                parameters=wanted.parameters,
                config_env=wanted.config_env,
                strict=wanted.strict,
                manifest=wanted.path.name if remote and is_manifest(wanted.path) else "",
                progress=show,
            )
        except KeyboardInterrupt:
            raise DeployInterrupted(hint="`relive functions` shows the versions that serve") from None
    return deployed, retired, ignored


def _place(path: Path) -> Path:
    """The folder or zip that is deployed."""
    return path.resolve().parent if is_manifest(path) else path.resolve()


def _pack(path: Path) -> bytes:
    """A zip of `path` for a server elsewhere; a zip is taken as it is, a relive.toml or a template stands
    for its folder.

    Links to files and folders of the same application become copies. Raises UsageError for other ones.
    """
    if path.is_file():
        if not is_manifest(path):
            return path.read_bytes()
        path = path.absolute().parent
    buffer = io.BytesIO()
    root = path.resolve()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in _files(root, root, (root,)):
            archive.write(file, str(file.relative_to(root)))
    return buffer.getvalue()


def _files(root: Path, folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name in _SKIPPED:
            continue
        real = entry.resolve()
        if entry.is_symlink() and (
            not real.is_relative_to(root)
            or not real.exists()
            or any(part.is_relative_to(real) for part in above)
            or _SKIPPED.intersection(real.relative_to(root).parts)
        ):
            raise UsageError(
                f"{entry.relative_to(root)} is a link to {real}, which cannot be packed",
                where=str(root),
                hint="remove it, or put what it leads to into the application",
            )
        if real.is_dir():
            yield from _files(root, entry, (*above, real))
        elif real.is_file():
            yield entry
