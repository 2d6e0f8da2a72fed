"""The trace of an invocation in its environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from fresh_process import in_a_fresh_process
from relive_base.wire.messages import Invoke
from relive_runtime.worker.start.lambda_variables import TraceVariable

NAME = "_X_AMZN_TRACE_ID"


def invoke(number: int) -> Invoke:
    return Invoke(
        invocation_id="i", trace_id=f"{number:032x}", span_id=f"{number:016x}", deadline_monotonic_ns=1
    )


def expected(number: int) -> str:
    return f"Root=1-00000000-{number:024x};Parent={number:016x};Sampled=1"


def seen() -> tuple[str | None, str]:
    """By this process, and by one that it starts."""
    child = subprocess.run(["sh", "-c", f"echo ${NAME}"], capture_output=True, text=True, check=True)
    return os.environ.get(NAME), child.stdout.strip()


@in_a_fresh_process
def test_each_invocation_has_its_own_and_so_have_the_programs_that_it_starts() -> None:
    variable = TraceVariable()
    for number in (1, 2):
        variable.tell(invoke(number))
        assert seen() == (expected(number), expected(number))
    # ... whatever the function has made of it before
    del os.environ[NAME]
    assert seen() == (None, "")
    variable.tell(invoke(3))
    assert seen() == (expected(3), expected(3))
    os.environ[NAME] = "mine"
    assert seen() == ("mine", "mine")
    variable.tell(invoke(4))
    assert seen() == (expected(4), expected(4))
    setattr(os, "environ", {})  # noqa: B010
    variable.tell(invoke(5))
    assert dict(os.environ) == {NAME: expected(5)}


def _held_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@in_a_fresh_process
def test_a_worker_does_not_grow_with_the_number_of_its_invocations() -> None:
    # Given that the C library never gives back a text that it was told to set
    variable = TraceVariable()
    told = [invoke(number) for number in range(30_000)]
    variable.tell(told[0])
    before = _held_bytes()
    # When many follow each other
    for one in told:
        variable.tell(one)
    # I expect nothing to stay of them: it was 130 bytes each
    assert _held_bytes() - before < 1_000_000
