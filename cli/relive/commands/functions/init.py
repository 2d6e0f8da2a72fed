"""`relive init`: the beginning of an application."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import click
from relive_base.errors import Refused, UsageError

from relive.output import echo, emit_object, json_option

__all__ = ["init"]

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_EVENT_FILES: Final = {
    "relive.toml": """\
[app]
name = "{name}"

[functions.{name}]
handler = "main:handler"
timeout_s = 10

# Every five minutes, too:
# [[functions.{name}.triggers]]
# type = "timer"
# schedule = "rate(5 minutes)"
""",
    "main.py": """\
import logging

log = logging.getLogger(__name__)


def handler(event, context):
    name = event["name"]
    log.info("greeting %s", name)
    return {{"greeting": f"Hello, {{name}}"}}
""",
    "event.json": """\
{{"name": "Ada"}}
""",
    "requirements.txt": "",
}
_HTTP_FILES: Final = {
    "relive.toml": """\
[app]
name = "{name}"

[functions.{name}]
handler = "main:handler"
kind = "http"
timeout_s = 10

[[functions.{name}.triggers]]
type = "http"
path = "/{name}"
""",
    "main.py": """\
import logging

log = logging.getLogger(__name__)


def handler(request):
    name = request.args["name"]
    log.info("greeting %s", name)
    return {{"greeting": f"Hello, {{name}}"}}
""",
    "requirements.txt": "",
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option(
    "--name", default="", help="The application's and its function's name.  [default: the folder's]"
)
@click.option("--http", is_flag=True, help="A function that answers HTTP requests, with a route.")
@json_option
def init(folder: Path, name: str, http: bool, as_json: bool) -> None:
    """Write a small application into FOLDER: relive.toml, a handler, an event.

    \b
    relive init hello && relive deploy hello
    relive init --http shop
    """
    name = name or re.sub(r"[^a-zA-Z0-9_-]+", "-", folder.resolve().name).strip("-")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a function name: up to 64 letters, digits, - and _", hint="--name NAME"
        )
    files = _HTTP_FILES if http else _EVENT_FILES
    taken = [file for file in files if (folder / file).exists()]
    if taken:
        raise Refused(f"there is a {taken[0]} already", where=str(folder), hint="name an empty folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file).write_text(text.format(name=name), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"it cannot be written: {error.strerror}", where=str(error.filename)) from error
    if as_json:
        emit_object({"path": str(folder), "name": name, "files": list(files)})
        return
    echo(f"{folder / 'relive.toml'}  application {name}, function {name} in main.py")
    echo("next:")
    echo(f"  relive serve --daemon && relive deploy {shlex.quote(str(folder))} --watch")
    if http:
        echo(f"  relive invoke {name} --path '/?name=Ada'")
    else:
        event = shlex.quote("@" + str(folder / "event.json"))
        echo(f"  relive invoke {name} --event {event}")
