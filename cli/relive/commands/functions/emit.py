"""`relive emit`."""

from __future__ import annotations

import json
from typing import Any, Final

import click
from relive_base.errors import UsageError
from relive_base.ids import new_invocation_id
from relive_runtime.adapters.event.decoding import BadEvent, decode_event

from relive.commands.functions.invoke import read_event
from relive.output import echo, emit_object, json_option
from relive.session import Session

__all__ = ["emit"]

_HINT: Final = "JSON has neither NaN nor Infinity; and each key is there once"


@click.command()
@click.argument("detail_type", metavar="TYPE")
@click.option(
    "--source", default="relive.cli", show_default=True, help="Who says so, such as the application's name."
)
@click.option("--detail", default="{}", help="JSON object, @FILE, or - for standard input.")
@click.option("--bus", default="default", show_default=True, help="The bus's name.")
@click.option(
    "--resource", "resources", multiple=True, help="What the event is about; may be given several times."
)
@click.option("--event-id", default="", help="An id of your own: the same event is delivered once.")
@json_option
@click.pass_obj
def emit(
    session: Session,
    detail_type: str,
    source: str,
    detail: str,
    bus: str,
    resources: tuple[str, ...],
    event_id: str,
    as_json: bool,
) -> None:
    """Put an event on a bus: each function whose bus trigger fits gets it.

    \b
    relive emit 'order placed' --source shop --detail '{"id": 7, "total": 12.5}'
    relive emit 'order placed' --source shop --detail @order.json --bus orders --event-id order-7

    When the command returns, each of these functions has the event durably.
    """
    from relive_platform.api import control_pb2 as pb

    entry = {
        "source": source,
        "detail-type": detail_type,
        "detail": _object(read_event(detail)),
        "resources": list(resources),
    }
    try:
        event = json.dumps(entry, allow_nan=False).encode()
    except ValueError:
        raise UsageError(
            "the detail has a number that no float can hold", hint="write it as a text"
        ) from None
    # The id is made here: if the answer is lost, the event can be put again under it.
    ident = event_id or new_invocation_id()
    request = pb.InvokeRequest(function=f"bus:{bus}", event=event, asynchronous=True, event_id=ident)
    response = session.control().invoke(request)
    matched = json.loads(response.result or b"{}").get("matched", [])
    if as_json:
        emit_object(
            {"event_id": response.event_id, "trace_id": response.trace_id, "bus": bus, "matched": matched}
        )
        return
    click.echo(f"accepted {response.event_id}")
    if matched:
        echo(f"  for {', '.join(matched)}", err=True)
    else:
        echo(f"  no function's pattern fits it: nothing on the bus {bus} will run", err=True)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the detail is not JSON: {error}", hint="write a JSON object") from None
    try:
        decode_event(text)
    except BadEvent as error:
        raise UsageError(str(error).replace("the event", "the detail", 1), hint=_HINT) from None
    if not isinstance(found, dict):
        raise UsageError("the detail is no JSON object", hint="write as in '{\"id\": 7}'")
    return found
