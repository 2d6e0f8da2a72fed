"""What a run of a replay says, without secrets: it goes to files, screens and agents, as a scene does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.redactor import PLACEHOLDER, KeyBlocks, Redactor
from relive_capture.recording_format import PlaybackReport

from relive_platform.replay.model import Difference, ReplayRun

__all__ = ["cleaned", "redactor_of"]

_LOG: Final = "log"


def redactor_of(
    environment: Mapping[str, str], keys: Iterable[str] = (), found: Iterable[str] = ()
) -> Redactor:
    """One that knows the secrets of the environment that a function is given, and what else was `found`:
    those of the scene of the run's own failure, which its worker has told. `keys`: further secret names."""
    memory = SecretMemory(found)
    redactor = Redactor(keys)
    redactor.remembering(memory).environment(environment, "environment", [])
    return redactor.remembering(memory)


def cleaned(run: ReplayRun, redactor: Redactor) -> ReplayRun:
    """The same run; its scene has been redacted already."""
    blocks = KeyBlocks()
    return msgspec.structs.replace(
        run,
        message=redactor.text(run.message),
        differences=[
            Difference(
                redactor.text(one.what),
                str(redactor.named(one.what, one.recorded, "", [])),
                str(redactor.named(one.what, one.replayed, "", [])),
            )
            for one in run.differences
        ],
        locals_unsure=[redactor.text(name) for name in run.locals_unsure],
        result=_value(run.result, redactor),
        calls=_calls(run.calls, redactor),
        log=[blocks.line(_LOG, line, redactor) for line in run.log],
        fresh_globals=_value(run.fresh_globals, redactor),
    )


def _calls(calls: PlaybackReport, redactor: Redactor) -> PlaybackReport:
    """Texts alone: a path under which a file lay is no name of a secret."""
    found: Any = msgspec.to_builtins(calls)
    for name, value in found.items():
        if isinstance(value, list):
            found[name] = [redactor.text(one) if isinstance(one, str) else one for one in value]
        elif isinstance(value, dict):
            found[name] = {redactor.key(key): one for key, one in value.items()}
        elif isinstance(value, str):
            found[name] = redactor.text(value)
    return msgspec.convert(found, PlaybackReport)


def _value(value: Any, redactor: Redactor) -> Any:
    try:
        return redactor.value(value, "", [])
    except RecursionError:  # deeper than it can be looked into
        return PLACEHOLDER
