"""A traveller and its runs, without a platform: the handler runs in a process of its own, as in a worker."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import os
import random
import re
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from relive_base.wire.messages import FunctionSpec, Invoke
from relive_capture.record.playback import Player
from relive_capture.recording_format import ReplayInput, Seeds
from relive_runtime.travel.checkpoints import Pace
from relive_runtime.travel.session import travel
from relive_runtime.travel.traveller import Traveller
from relive_runtime.worker.limits.deadline import DeadlineTimer

PACE = Pace()
_PROMPT = re.compile(r"\((?:step [0-9]+|failure)\) ")

__all__ = ["Script", "in_a_worker", "talked"]


def in_a_worker(
    file: Path,
    handler: str,
    look: Callable[[Traveller, BaseException | None], Any],
    event: object = None,
    *,
    timeout_s: float = 3.0,
    room_mb: int = 1_024,
    pace: Pace = PACE,
    look_ns: int = 500_000_000,
) -> Any:
    """Load `file`, run its handler on its trail, and give what `look` finds out. What `look` gives is plain
    data."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            found = _run(
                file, handler, look, event if event is not None else {}, timeout_s, room_mb, pace, look_ns
            )
            data = json.dumps([True, found])
        except BaseException as error:
            data = json.dumps([False, f"{type(error).__name__}: {error}"])
        with os.fdopen(theirs, "w") as pipe:
            pipe.write(data)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    done, found = json.loads(data)
    assert done, found
    return found


def _run(
    file: Path,
    handler: str,
    look: Callable[..., Any],
    event: object,
    timeout_s: float,
    room_mb: int,
    pace: Pace,
    look_ns: int,
) -> Any:
    spec = importlib.util.spec_from_file_location("application", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["application"] = module
    spec.loader.exec_module(module)
    words = random.Random(7).getstate()[1]
    seeds = Seeds(
        wall_ns=1_700_000_000_000_000_000,
        monotonic_ns=1_000_000_000_000,
        python=array("I", (words[-1], *words[:-1])).tobytes(),
    )
    script = ReplayInput(seeds=seeds, travel=True, timeout_s=timeout_s, room_mb=room_mb)
    player = Player(script)
    player.install()
    player.begin(0)
    function = FunctionSpec(
        name=handler, version=1, handler=f"application:{handler}", kind="event", source=f"{file.parent}/"
    )
    traveller = Traveller(function, player, pace=pace, look_ns=look_ns)
    traveller.watch(DeadlineTimer(lambda: False))
    traveller.begin(Invoke(invocation_id="i", trace_id="t", span_id="s", event=b"", deadline_monotonic_ns=0))
    failure = None
    try:
        traveller.call(lambda given: _called(getattr(module, handler), given), (event, None))
    except BaseException as error:
        failure = error
    try:
        return look(traveller, failure)
    finally:
        traveller.close()


def _called(function: Any, given: tuple[Any, ...]) -> Any:
    value = function(*given)
    return asyncio.run(value) if inspect.iscoroutine(value) else value


class Script:
    """Takes the place of the person in a session: says what is in its list, then leaves."""

    def __init__(self, lines: list[str]) -> None:
        self.completer: Callable[[str], tuple[int, list[str]]] | None = None
        self.text = ""
        self._lines = list(lines)

    def write(self, text: str) -> None:
        """What the session shows."""
        self.text += text

    def read_line(self) -> str | None:
        """The next line; None at the end."""
        return self._lines.pop(0) if self._lines else None


def talked(lines: list[str]) -> Callable[[Traveller, BaseException | None], str]:
    """For `in_a_worker`: a session with these lines; gives what it showed."""

    def look(traveller: Traveller, failure: BaseException | None) -> str:
        assert failure is not None
        script = Script(lines)
        assert travel(failure, script, traveller) == ""
        return _PROMPT.sub("", script.text)

    return look
