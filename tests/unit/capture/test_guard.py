"""The guard leaves nothing behind in the interpreter: each in a process of its own, which may hang."""

from __future__ import annotations

import sys
import threading
import time

import pytest
from fresh_process import in_a_fresh_process
from relive_capture.record.guard import Guard, TimeIsUp, install_guard


def _endless() -> None:
    while True:
        time.sleep(0)


def _swallows() -> None:
    try:
        _endless()
    except TimeIsUp:
        _endless()


def _in_a_thread(function: object) -> None:
    thread = threading.Thread(target=function)  # type: ignore[arg-type]
    thread.start()
    thread.join()


def _profile_something() -> list[str]:
    seen: list[str] = []
    sys.setprofile(lambda frame, what, _value: seen.append(f"{what} {frame.f_code.co_name}"))
    _profiled()
    sys.setprofile(None)
    return seen


def _profiled() -> None:
    pass


@pytest.mark.parametrize("what", ["quick", "late", "late twice"])
@in_a_fresh_process
def test_functions_can_be_profiled_after_a_thread_was_guarded(what: str) -> None:
    # Given a thread in which code of the user's was called, in time or not
    install_guard()
    call = {"quick": _profiled, "late": _endless, "late twice": _swallows}[what]

    def work() -> None:
        try:
            Guard(20_000_000).call(call)
        except TimeIsUp:
            pass

    _in_a_thread(work)
    # When functions are profiled or debugged afterwards
    # Then they get past their first instruction (on 3.11 they did not, for ever)
    assert "call _profiled" in _profile_something()


@in_a_fresh_process
def test_a_thread_that_was_guarded_is_left_in_peace() -> None:
    # Given a thread whose call ends just about when its time is up
    install_guard()
    ended: list[str] = []

    def work() -> None:
        for _ in range(300):
            try:
                Guard(2_000_000).call(time.sleep, 0.002)
            except TimeIsUp:
                pass
        for _ in range(2_000):  # nothing is raised here any more
            time.sleep(0)
        ended.append("well")

    _in_a_thread(work)
    # Then what follows is not interrupted
    assert ended == ["well"]
