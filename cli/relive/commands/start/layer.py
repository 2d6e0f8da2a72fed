"""`relive layer`."""

from __future__ import annotations

from pathlib import Path

import click

from relive.output import echo, emit_object, format_bytes, json_option
from relive.output.files import writing

__all__ = ["layer"]


@click.command()
@click.argument("action", type=click.Choice(["build"]))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=Path("relive-layer.zip"),
    show_default=True,
    help="The zip to write; without .zip a folder, for PYTHONPATH.",
)
@click.option("--python", default="", metavar="VERSION", help="Such as 3.12. Default: this one.")
@click.option(
    "--arch",
    type=click.Choice(["x86_64", "arm64"]),
    default="x86_64",
    show_default=True,
    help="The machines that it is for.",
)
@json_option
def layer(action: str, output: Path, python: str, arch: str, as_json: bool) -> None:
    """Write the recorder as a layer of AWS Lambda: its own modules and msgspec, nothing of the server.

    \b
    relive layer build --python 3.12 --arch arm64
    aws lambda publish-layer-version --layer-name relive --zip-file fileb://relive-layer.zip
    AWS_LAMBDA_EXEC_WRAPPER=/opt/relive-record      a variable of the function

    \b
    relive layer build -o recorder                  a folder, for other hosts
    PYTHONPATH=recorder python -m relive_outside uvicorn app:app
    """
    from relive.layer.building import build_layer, write_layer
    from relive.layer.folder import refuse_other_folder

    zipped = output.suffix == ".zip"
    if not zipped:
        refuse_other_folder(output)
    made = build_layer(python, arch, "python/" if zipped else "")
    with writing(output):
        size = write_layer(made.files, output)
    if as_json:
        emit_object(
            {
                "path": str(output),
                "bytes": size,
                "unpacked_bytes": made.total_bytes,
                "relive_bytes": made.own_bytes,
                "files": len(made.files),
            }
        )
        return
    echo(
        f"{output}  {format_bytes(size)}, {len(made.files)} files of {format_bytes(made.total_bytes)},"
        f" Relive's own {format_bytes(made.own_bytes)}"
    )
    if zipped:
        echo("  of the function: this layer, and AWS_LAMBDA_EXEC_WRAPPER=/opt/relive-record")
