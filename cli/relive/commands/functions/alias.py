"""`relive alias`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from relive_base.errors import UsageError

from relive.arguments.completing import complete_function
from relive.output import Column, echo, emit, emit_object, json_option
from relive.session import Session

__all__ = ["alias"]


def _shares(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{share:.4g} v{version}" for version, share in weights.items())


COLUMNS = [
    Column("function", "function", least=20, style="bold"),
    Column("name", "alias", least=8),
    Column("version", "version", lambda number: f"v{number}" if number else "latest"),
    Column("weights", "shares", _shares),
    Column("description", "description", wide=True),
]


@click.command()
@click.argument("function", required=False, shell_complete=complete_function)
@click.argument("name", required=False)
@click.option("--to", "version", type=click.IntRange(1, 2**31 - 1), help="The version that it leads to.")
@click.option("--latest", is_flag=True, help="Lead to whatever is in service.")
@click.option(
    "--share", "shares", multiple=True, metavar="VERSION=SHARE", help="A part of the events, from 0 to 1."
)
@click.option("--description", default=None, help="What it is for.")
@click.option("--delete", is_flag=True, help="Remove it.")
@json_option
@click.pass_obj
def alias(
    session: Session,
    function: str | None,
    name: str | None,
    version: int | None,
    latest: bool,
    shares: tuple[str, ...],
    description: str | None,
    delete: bool,
    as_json: bool,
) -> None:
    """List the aliases of functions, or have NAME lead to a version of FUNCTION.

    \b
    relive alias checkout
    relive alias checkout live --to 7
    relive alias checkout live --to 7 --share 8=0.1
    relive alias checkout live --delete

    Events are sent to it as checkout:live: relive invoke checkout:live, /fn/checkout:live/, the header
    Relive-Qualifier: live, relive.invoke("checkout:live") and AWS's API. Without --share, all of them go to
    the version that --to names.
    """
    changes = version is not None or latest or shares or description is not None or delete
    if not changes:
        found = session.control().aliases(function or "")
        rows = [_row(entry) for entry in found if name in (None, entry.name)]
        emit(rows, COLUMNS, as_json=as_json, empty="no aliases yet: relive alias FUNCTION NAME --to VERSION")
        return
    if not function or not name:
        raise UsageError("no alias is named", hint="relive alias FUNCTION NAME --to VERSION")
    if delete:
        session.control().delete_alias(function, name)
        echo(f"{function}:{name} leads nowhere any more")
        return
    before = {entry.name: entry for entry in session.control().aliases(function)}.get(name)
    if version is None and not latest and before is None:
        raise UsageError(f"{function} has no alias {name!r} yet", hint="say --to VERSION, or --latest")
    moves = version is not None or latest
    target = (version or 0) if moves else before.version  # type: ignore[union-attr]
    kept = {} if moves or before is None else dict(before.weights)
    said = description if description is not None else before.description if before is not None else ""
    weights = dict(map(_share, shares)) if shares else kept
    row = _row(session.control().put_alias(function, name, target, weights, said))
    if as_json:
        emit_object(row)
        return
    more = f", and {_shares(row['weights'])}" if row["weights"] else ""
    echo(f"{function}:{name} leads to {f'version {target}' if target else 'what is in service'}{more}")


def _share(text: str) -> tuple[int, float]:
    version, equals, share = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return int(version.removeprefix("v")), float(share.removesuffix("%")) / (100 if "%" in share else 1)
    except ValueError:
        raise UsageError(f"{text!r} is not VERSION=SHARE", hint="as in 8=0.1, or 8=10%") from None


def _row(entry: Any) -> dict[str, Any]:
    return {
        "function": entry.function,
        "name": entry.name,
        "version": entry.version,
        "weights": {str(version): share for version, share in sorted(entry.weights.items())},
        "description": entry.description,
    }
