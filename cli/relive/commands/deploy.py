"""`relive deploy`."""

from __future__ import annotations

import io
import socket
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from relive_base.errors import Refused, UsageError
from relive_base.terminal import one_line

from relive.output import emit_object, json_option
from relive.session import Session

if TYPE_CHECKING:
    from relive_platform.api import control_pb2 as pb

__all__ = ["deploy"]

_SKIPPED = {
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
@json_option
@click.pass_obj
def deploy(session: Session, path: Path, name: str, handler: str, take_over: bool, as_json: bool) -> None:
    """Deploy the functions that PATH's relive.toml names (a folder or a zip).

    \b
    relive deploy .
    relive deploy shop.zip
    relive deploy ./thumbnail --name thumbnail --handler app:handler

    Each deploy makes a new, immutable version; the same code and configuration keep the version they have.
    If anything is wrong, or you press Ctrl-C, the running version stays in service. A function that another
    application has, and an application without a name whose folder's name is taken, is refused without
    --take-over.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    control = session.control()
    remote = not control.address.startswith("unix:")
    package = _pack(path) if remote else None
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    quiet = as_json or not sys.stderr.isatty()
    retired: list[str] = []
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("deploying", total=None)

        def show(progress: pb.Progress) -> None:
            if progress.phase == "retired":
                retired.append(progress.detail)
            known = progress.fraction >= 0
            bar.update(
                task,
                description=one_line(f"{progress.phase} {progress.detail}", 60),
                total=1.0 if known else None,
                completed=progress.fraction if known else 0,
            )

        place = None if remote else path.absolute()
        try:
            deployed = control.deploy(
                place,
                package=package,
                name=name,
                handler=handler,
                take_over=take_over,
                sender=f"{socket.gethostname()}:{_place(path)}" if remote else "",
                progress=show,
            )
        except KeyboardInterrupt:
            raise Refused(
                "the deploy was cancelled: what was in service stays in service",
                hint="`relive functions` shows the versions that serve",
            ) from None
    for entry in deployed:
        row = {
            "function": entry.function,
            "version": entry.version,
            "code_hash": entry.code_hash,
            "seconds": round(entry.seconds, 3),
            "unchanged": entry.unchanged,
            "url": entry.url,
        }
        if as_json:
            emit_object(row)
        else:
            state = "unchanged" if entry.unchanged else f"deployed in {entry.seconds:.1f} s"
            click.echo(one_line(f"{entry.function}  version {entry.version}  {state}  {entry.url}"))
    for detail in retired:
        click.echo(one_line(f"no longer in service: {detail}", 500), err=True)


def _place(path: Path) -> Path:
    """The folder or zip that is deployed."""
    return path.resolve().parent if path.suffix == ".toml" else path.resolve()


def _pack(path: Path) -> bytes:
    """A zip of `path` for a server elsewhere; a zip is taken as it is, a relive.toml stands for its folder.

    Links to files and folders of the same application become copies. Raises UsageError for other ones.
    """
    if path.is_file():
        if path.suffix != ".toml":
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
