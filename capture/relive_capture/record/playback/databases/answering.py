"""What every database's player does: ask for a recorded call, take its time, and raise what it raised."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from relive_capture.record.playback.answers import pause, wait
from relive_capture.record.recording.databases.queries import CODEC, statement_text

if TYPE_CHECKING:
    from relive_capture.record.playback.calls import PlayedCalls
    from relive_capture.record.playback.typed import TypedAnswer
    from relive_capture.typed_values import ValueCodec

__all__ = ["answered", "asked", "connection", "exception", "taken"]


def asked(
    player: PlayedCalls,
    method: str,
    target: str,
    statement: object = "",
    parameters: Any = None,
    codec: ValueCodec = CODEC,
) -> TypedAnswer:
    """The recorded answer, after the time that it took. Raises NotRecorded."""
    return answered(player, taken(player, method, target, statement, parameters, codec))


def answered(player: PlayedCalls, found: TypedAnswer) -> TypedAnswer:
    """The same answer, once its time has passed."""
    pause(player.took_s(found.recorded_call))
    if found.given_up:
        wait()
    return found


def taken(
    player: PlayedCalls,
    method: str,
    target: str,
    statement: object = "",
    parameters: Any = None,
    codec: ValueCodec = CODEC,
) -> TypedAnswer:
    """The same, at once."""
    request = None if parameters is None else {"parameters": parameters}
    return player.values(codec, method, target, statement_text(statement), request)


def connection(player: PlayedCalls, target: str, codec: ValueCodec = CODEC) -> TypedAnswer | None:
    """The recorded connecting, or what is recorded of a connection that was open before; None for one of
    which the recording has calls alone. Raises NotRecorded if it has none."""
    recorded_calls = player.recorded_calls
    if recorded_calls.has_values(target, "connect") or not recorded_calls.has_values(target):
        return taken(player, "connect", target, codec=codec)
    if recorded_calls.has_values(target, "open"):
        return taken(player, "open", target, codec=codec)
    return None


def exception(raised: Any, modules: tuple[str, ...]) -> Exception:
    """The exception of a `raises` value: only classes of these imported modules are made."""
    name = str(raised.get("type", ""))
    module, _, short = name.rpartition(".")
    cls = getattr(sys.modules.get(module), short, None) if module in modules else None
    arguments = raised.get("args") or []
    if isinstance(cls, type) and issubclass(cls, Exception):
        try:
            return cls(*arguments)
        except Exception:  # it wants something else: the text must do
            pass
    return OSError(f"{name}: {', '.join(map(str, arguments))}")
