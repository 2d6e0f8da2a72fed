"""Clients do the same whether the sampler's signals come or not, also if system calls do not restart."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from relive_profiler.record.native import ticking
from signal_clients import IN_THREADS, LOCAL, with_signals, with_ticks


@pytest.mark.parametrize("threads", [False, True], ids=["restarted", "interrupted"])
@pytest.mark.parametrize("name", LOCAL)
def test_a_clients_result_is_the_same_under_signals(name: str, threads: bool, tmp_path: Path) -> None:
    if name == "gevent" and importlib.util.find_spec("gevent") is None:
        pytest.skip("gevent is not installed; scripts/signal_safety.py has it")
    # Given what a client gets without a profile
    expected = LOCAL[name](tmp_path)
    # When looks are due all the time
    found, looks = with_signals(lambda: LOCAL[name](tmp_path), threads)
    # I expect the same, and that there were looks
    assert found == expected
    assert looks


@pytest.mark.skipif(ticking() is None, reason="the C extension was not built")
@pytest.mark.parametrize("name", sorted(IN_THREADS))
def test_a_clients_result_in_a_thread_is_the_same_under_its_ticks(name: str, tmp_path: Path) -> None:
    expected = LOCAL[name](tmp_path)
    found, ticks = with_ticks(lambda: LOCAL[name](tmp_path))
    assert found == expected
    assert ticks
