"""What ends a process that lets no signal be handled."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from relive_runtime.travel.last_resort import ENDS_BY, LastResort

_CPU_NS = 30_000_000


def _computes(last_resort: LastResort, rounds: int) -> None:
    last_resort.put_off(_CPU_NS)
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", rounds)


def _puts_it_off(last_resort: LastResort, rounds: int) -> None:
    last_resort.put_off(_CPU_NS)
    last_resort.put_off(0)
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", rounds)


def _ended_with(work: Callable[[LastResort, int], None], rounds: int) -> int:
    pid = os.fork()
    if not pid:
        work(LastResort(), rounds)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_process_in_an_endless_call_is_ended() -> None:
    assert _ended_with(_computes, 2_000_000_000) == -ENDS_BY


def test_one_whose_call_comes_to_an_end_or_that_is_left_alone_goes_on() -> None:
    assert _ended_with(_computes, 1) == 0
    assert _ended_with(_puts_it_off, 300_000) == 0
