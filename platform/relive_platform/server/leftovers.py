"""What a server that was killed has left behind, brought into the store if no server does it."""

from __future__ import annotations

import logging
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from relive_base.errors import ReliveError

__all__ = ["deliver_leftovers", "left_behind"]

_DELIVER_S: Final = 15.0
_END_S: Final = 15.0
_log = logging.getLogger(__name__)


def left_behind(home: Path, journal_dir: str = "") -> bool:
    """Whether there is telemetry that has not reached the store."""
    from relive_platform.signals.handover.journal import runs_in
    from relive_platform.signals.handover.journal_place import journal_place

    if next((home / "spool").glob("*.batch"), None) is not None:
        return True
    return bool(runs_in(journal_place(home, journal_dir)))


def deliver_leftovers(home: Path, environment: Mapping[str, str], store_url: str) -> bool:
    """Have a collector's process bring it into the store at `store_url`, as a server would at its start.
    False, and a line in the log, if something is left: what is read then is not all that was recorded."""
    journals = environment.get("RELIVE_JOURNAL_DIR", "")
    if not left_behind(home, journals):
        return True
    try:
        _deliver(home, environment, store_url)
    except (ReliveError, OSError) as error:
        _log.warning("what waits in the spool could not be delivered: %s", error)
        return False
    left = left_behind(home, journals)
    if left:
        _log.warning("not all that was recorded is in the store yet: %s holds the rest", home / "spool")
    return not left


def _deliver(home: Path, environment: Mapping[str, str], store_url: str) -> None:
    import msgspec
    from relive_base.wire.framing import framed

    from relive_platform.server.parts import plain_collector_options
    from relive_platform.settings import Settings
    from relive_platform.signals.handover.batches import Batch
    from relive_platform.signals.handover.process import spawn

    # Nothing is sent anywhere: whoever reads has asked for no export.
    others = ("OTEL_", "RELIVE_OTLP", "RELIVE_STORE")
    plain = {name: value for name, value in environment.items() if not name.startswith(others)}
    settings = Settings.from_environment(plain, {"home": home})
    options = plain_collector_options(settings)
    options.store_url = store_url
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours:
        with theirs:
            process = spawn(theirs, options, home / "run" / "leftovers.log", plain)
        message = framed(msgspec.msgpack.encode(Batch(1, flush_s=_DELIVER_S, end=True)))
        ours.settimeout(_DELIVER_S + 1.0)
        with suppress(OSError):  # it has ended, or takes too long: what is left is looked at afterwards
            ours.sendall(message)
            _await_answer(ours)
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_answer(connection: socket.socket) -> None:
    """Until the process says that it has done what it could."""
    import msgspec
    from relive_base.wire.framing import FrameReader

    from relive_platform.signals.handover.batches import Ack

    numbers = [0]
    decoder = msgspec.msgpack.Decoder(Ack)
    reader = FrameReader(lambda payload: numbers.append(decoder.decode(payload).number))
    while not numbers[-1] and (data := connection.recv(65_536)):
        reader.feed(data)
