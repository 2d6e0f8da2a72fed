"""A session in a process that has failed, at the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relive_base.errors import ExitCode

from relive.debugging.lines import session_lines
from relive.debugging.talk import LiveSession
from relive.output import echo
from relive.session import Session

if TYPE_CHECKING:
    from relive_platform.api.debug_call import DebugCall
    from relive_platform.api.local_debug import LocalDebugCall

__all__ = ["talk_to_process"]


def talk_to_process(
    session: Session, call: DebugCall | LocalDebugCall, commands: tuple[str, ...], raw: bool
) -> int:
    """A session at the terminal until one of both sides has had enough; gives the exit status."""
    live = LiveSession(call)
    try:
        with session_lines(commands, session.home, live.complete) as lines:
            if lines.typed:
                _introduce(call.worker)
            reason = live.talk(lines, raw=raw)
            if reason:
                echo(f"the session has ended: {reason}", err=True)
    finally:
        call.close()
    return ExitCode.FAILED if reason else ExitCode.DONE


def _introduce(worker: Any) -> None:
    echo(f"{worker.error}: {worker.message}" if worker.message else worker.error)
    echo(
        f"({worker.function} v{worker.version}, process {worker.pid}; it leaves in {worker.expires_s:.0f} s,"
        " not while you are here; q ends, h helps)"
    )
