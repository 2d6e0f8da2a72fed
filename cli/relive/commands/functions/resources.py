"""`relive resources`: queues and what else functions keep data in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click
from relive_base.errors import UsageError
from relive_base.terminal import one_line

from relive.output import Column, echo, emit, emit_object, json_option, wide_option
from relive.output.figures import shown_figure, shown_figures
from relive.session import Session

__all__ = ["resources"]

_ACTIONS: Final = ("show", "purge", "delete")


def _state_style(row: Mapping[str, Any]) -> str:
    return {"ok": "green", "undeclared": "yellow"}.get(row["state"], "red")


COLUMNS = [
    Column("name", "resource", least=18, style="bold"),
    Column("type", "type"),
    Column("app", "application", rank=2),
    Column("state", "state", style=_state_style),
    Column("holds", "holds", least=24, share=3),
    Column("detail", "detail", wide=True),
]


@click.command()
@click.argument("arguments", nargs=-1, metavar="[show NAME] | purge NAME | delete NAME")
@wide_option
@json_option
@click.pass_obj
def resources(session: Session, arguments: tuple[str, ...], wide: bool, as_json: bool) -> None:
    """List the resources that applications declare in `[resources]` and programs have made.

    A resource that no application declares any more keeps its data, and is listed as "undeclared". `purge`
    deletes what is in a resource; `delete` deletes one that nobody declares, with all in it.

    \b
    relive resources
    relive resources show jobs
    relive resources purge jobs
    relive resources delete old-jobs
    """
    action, names = (
        (arguments[0], arguments[1:]) if arguments[:1] and arguments[0] in _ACTIONS else ("", arguments)
    )
    if len(names) > 1 or (action and len(names) != 1):
        raise UsageError("what to do is not clear", hint="relive resources [show|purge|delete] NAME")
    control = session.control()
    if action in ("purge", "delete"):
        outside = control.resources(names[0])[0].get("outside", "") if action == "delete" else ""
        count = control.change_resource(names[0], action)
        if as_json:
            emit_object(
                {"name": names[0], "purged": count}
                if action == "purge"
                else {"name": names[0], "deleted": True, **({"files_kept_in": outside} if outside else {})}
            )
        elif action == "purge":
            echo(f"{names[0]} is empty: {count:,} {'thing' if count == 1 else 'things'} deleted")
        elif outside:
            echo(one_line(f"{names[0]} is deleted; its files are yours, and are kept in {outside}", 500))
        else:
            echo(f"{names[0]} is deleted, with all in it")
        return
    if names:
        _show(control.resources(names[0])[0], as_json)
        return
    found = control.resources()
    emit(
        found,
        COLUMNS,
        as_json=as_json,
        empty="no resources; write [resources.NAME] into relive.toml",
        wide=wide,
        shown=[{**state, "holds": ", ".join(shown_figures(state["figures"]))} for state in found],
    )


def _show(state: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit_object(state)
        return
    declared = f"application {state['app']}" if state["app"] else "made by a program"
    echo(one_line(f"{state['name']}  {state['detail'] or state['type']}  {state['state']}  {declared}"))
    for name, value in {**state["attributes"], **state["figures"]}.items():
        if value not in (None, ""):
            echo(one_line(f"  {name:<14} {shown_figure(name, value)}", 500))
