"""Signals that end a command end it as an exception does, and so does the end of who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE_S
from relive.ending import end_with, ended_by_signals

STARTED = """
import sys, time
from relive.ending import end_with, ended_by_signals
end_with(int(sys.argv[2]))
with ended_by_signals():
    try:
        print("there", flush=True)
        time.sleep(600)
    finally:
        open(sys.argv[1], "w").write("tidied")
"""
STARTS = """
import os, subprocess, sys
subprocess.run([sys.executable, "-c", *sys.argv[1:], str(os.getpid())])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_block(number: signal.Signals) -> None:
    found = signal.signal(number, signal.SIG_DFL)  # who runs the tests may ignore it
    try:
        with pytest.raises(SystemExit) as ended, ended_by_signals():
            signal.raise_signal(number)

        assert ended.value.code == 128 + number
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, found)


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_it_ends_with_who_started_it(tmp_path: Path) -> None:
    # Given a command that a program has started
    tidied = tmp_path / "tidied"
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTS, STARTED, str(tidied)], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == "there\n"

    # When the program is killed
    starter.send_signal(signal.SIGKILL)
    starter.wait(PATIENCE_S)

    # I expect the command to end (its end of the pipe is closed), and to have tidied up
    assert starter.stdout.read() == ""
    assert tidied.read_text() == "tidied"


def test_one_whose_starter_has_gone_already_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relive_runtime.isolation.syscalls.prctl", lambda *given: None)
    with pytest.raises(SystemExit):
        end_with(os.getppid() + 1)
