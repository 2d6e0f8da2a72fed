"""Running `relive` itself for what it does better than a screen: a replay, a debugger."""

from __future__ import annotations

import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

from relive_base.errors import ReliveError

from relive_tui.source.tickets import Cancelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relive_tui.source.tickets import Ticket

__all__ = ["run_captured"]

POLL_S = 0.05
LIMIT_S = 600.0
MAX_OUTPUT_BYTES = 262_144
REFUSED = 2
"""From this exit status on the command did not do it (see ExitCode): what it says is an error."""


def run_captured(command: Sequence[str], ticket: Ticket) -> str:
    """What a command says. Raises ReliveError if it could not do it, and Cancelled."""
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(
            [*command], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        end_s = time.monotonic() + LIMIT_S
        try:
            while process.poll() is None:
                if ticket.cancelled:
                    raise Cancelled
                if time.monotonic() > end_s:
                    raise ReliveError(f"it took over {LIMIT_S:.0f} s")
                time.sleep(POLL_S)
        finally:
            if process.poll() is None:
                process.terminate()
        output.seek(0)
        text = output.read(MAX_OUTPUT_BYTES).decode("utf-8", "replace").strip()
        if process.returncode >= REFUSED or process.returncode < 0:
            raise ReliveError(text.removeprefix("relive: ") or f"it ended with status {process.returncode}")
        return text
