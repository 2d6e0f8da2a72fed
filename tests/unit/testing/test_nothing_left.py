"""What Relive does in a process of others leaves that process as it was: captures, profiles, replays."""

from __future__ import annotations

import json
import random
import signal
import sys
from pathlib import Path

import pytest
from fresh_process import in_a_fresh_process
from interpreter_state import interpreter_state
from relive.testing import Invocation
from relive_base.wire.messages import FunctionSpec
from relive_capture.record import capture_exception, install_guard
from relive_capture.record.playback import Player
from relive_capture.recording_format import ReplayInput, Seeds
from relive_profiler.record import BesideSampler, Look, Sampler
from relive_profiler.record.timer import PROFILE_SIGNAL

APP = "import random\n\ndef handler(event, context):\n    return random.random()\n"


def changed(before: dict[str, object], after: dict[str, object]) -> dict[str, object]:
    """What is not as it was."""
    found = {}
    for name, value in before.items():
        now = after[name]
        if now == value:
            continue
        if isinstance(value, tuple | list) and isinstance(now, tuple | list) and len(value) == len(now):
            found[name] = [pair for pair in zip(value, now, strict=True) if pair[0] != pair[1]]
        elif isinstance(value, dict) and isinstance(now, dict):
            keys = sorted(value.keys() | now.keys(), key=str)
            found[name] = {
                key: (value.get(key), now.get(key)) for key in keys if value.get(key) != now.get(key)
            }
        else:
            found[name] = (value, now)
    return found


@in_a_fresh_process
def test_a_capture_leaves_nothing(tmp_path: Path) -> None:
    spec = FunctionSpec(name="shop", version=1, handler="app:handler", source=str(tmp_path))
    install_guard()  # as a worker does once
    before = interpreter_state()
    try:
        json.loads("{")
    except ValueError as error:
        capture_exception(error, kind="exception", spec=spec, invocation_id="i")
    left = changed(before, interpreter_state())
    assert not left, left


class Nobody:
    """Whom a service's sampler sees."""

    def anybody(self) -> bool:
        return False

    def running(self) -> None:
        return None

    def threads(self) -> tuple[()]:
        return ()

    def waiting(self, _limit: int) -> tuple[()]:
        return ()

    def owners(self) -> dict[int, Look]:
        return {}


@in_a_fresh_process
def test_a_profile_leaves_nothing(tmp_path: Path) -> None:
    before = interpreter_state()
    for mode in ("sampled", "precise"):
        sampler = Sampler(mode, source=str(tmp_path))
        sampler.start("i")
        sum(range(300_000))
        sampler.stop()
        sampler.close()
    after = interpreter_state()
    left = changed(before, after)
    assert not left, left


@in_a_fresh_process
def test_the_profile_of_a_service_leaves_nothing(tmp_path: Path) -> None:
    before = interpreter_state()
    sampler = BesideSampler(Nobody(), lambda *_: None, source=str(tmp_path))
    sampler.start()
    sampler.begin("i")
    sampler.close()
    left = changed(before, interpreter_state())
    assert not left, left


@in_a_fresh_process
def test_a_profile_leaves_a_signal_ignored_that_was(tmp_path: Path) -> None:
    # Given a process that was started with the signal ignored
    signal.signal(PROFILE_SIGNAL, signal.SIG_IGN)
    sampler = Sampler(source=str(tmp_path))
    beside = BesideSampler(Nobody(), lambda *_: None, source=str(tmp_path))
    # When it is taken and given back, I expect it to be ignored again
    for start, close in ((lambda: sampler.start("i"), sampler.close), (beside.start, beside.close)):
        start()
        assert callable(signal.getsignal(PROFILE_SIGNAL))
        close()
        assert signal.getsignal(PROFILE_SIGNAL) is signal.SIG_IGN


@in_a_fresh_process
def test_a_replay_in_this_process_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("time_machine")  # what it brings in leaves a finder of its own
    before = interpreter_state()
    player = Player(ReplayInput(seeds=Seeds(wall_ns=10**18, python=b"")))
    player.install()
    player.begin(0)
    random.random()
    player.end()
    player.uninstall()
    left = changed(before, interpreter_state())
    assert not left, left


@in_a_fresh_process
def test_a_test_of_an_invocation_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    before, modules = interpreter_state(), set(sys.modules)
    invocation = Invocation(function="shop", source=str(tmp_path), handler="app:handler", event=b"{}")
    invocation.run()
    left = changed(before, interpreter_state())
    assert not left, left
    assert "app" not in set(sys.modules) - modules
