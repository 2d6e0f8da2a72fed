"""`relive import`: a template to a relive.toml."""

from __future__ import annotations

from pathlib import Path

import click
from relive_base.errors import Refused, UsageError

from relive.arguments.templates import config_env_option, parameter_option
from relive.commands.functions.ignored import row_of, tell_ignored
from relive.output import echo, emit_object, json_option
from relive.output.files import writing

__all__ = ["import_"]


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path, exists=True), default=".")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Where to write it; - for standard output.  [default: relive.toml beside the template]",
)
@parameter_option
@config_env_option
@click.option("--strict", is_flag=True, help="What would be ignored is an error.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@json_option
def import_(
    path: Path,
    output: Path | None,
    parameters: dict[str, str],
    config_env: str,
    strict: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write the relive.toml of a SAM template or a Procfile: PATH, or what is in the folder PATH.

    \b
    relive import template.yaml
    relive import . --parameter Stage=dev --output -

    `relive deploy template.yaml` needs none: import it once you want to go on with a relive.toml. Values of
    parameters are written as they are, those of NoEcho parameters, too.
    """
    from relive_platform.registry.application import MANIFEST, Given, load
    from relive_platform.registry.application.manifest import find_template, read_document
    from relive_platform.registry.application.written import to_toml

    template = find_template(path)
    if template is None or template.name == MANIFEST:
        found = f"it is a {MANIFEST} already" if template else "there is no template and no Procfile in it"
        raise UsageError(found, where=str(path), hint="name the template: relive import template.yaml")
    given = Given(parameters=parameters, config_env=config_env or "default", strict=strict)
    application = load(template, None, given)  # all of it is checked, as a deploy would
    text = to_toml(read_document(template, given))
    target = output or template.parent / MANIFEST
    if str(target) == "-":
        click.echo(text, nl=False)
        tell_ignored(application.ignored, as_json=as_json)
        return
    if target.exists() and not force:
        raise Refused(f"there is a {target.name} already", where=str(target), hint="--force writes over it")
    with writing(target):
        target.write_text(text, encoding="utf-8")
    if as_json:
        ignored = [row_of(entry) for entry in application.ignored]
        emit_object({"path": str(target), "functions": list(application.functions), "ignored": ignored})
        return
    echo(f"{target}  {len(application.functions)} functions: {', '.join(application.functions)}")
    tell_ignored(application.ignored, as_json=False)
