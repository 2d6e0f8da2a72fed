"""Benchmarks run rarely: that each can be imported, and still works with what it sets up, is told here."""

from __future__ import annotations

import sys

import pytest
from fresh_process import ROOT, in_a_fresh_process

sys.path.insert(0, str(ROOT))

from bench.__main__ import benchmarks

FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "bench").rglob("*.py"))
IMPORTED_ONLY = {
    "capture/databases",  # its parts are those of the acceptance test of its corpus
    "capture/failures",  # its parts are those of the acceptance test of the failure corpus
    "platform/edit_loop",  # starts a server
    "platform/gateway_choice",  # installs its peers
    "platform/gateways",  # needs wrk
    "platform/memory",  # needs wrk
    "platform/recorded_queries",  # starts servers of databases
    "platform/services",  # needs wrk
    "platform/warm_http",  # needs wrk
    "store/scale",  # fills a store
    "web/trace_page",  # needs a browser; the page is that of its acceptance test
}


@in_a_fresh_process
def test_every_file_can_be_imported() -> None:
    # Given each file of the benchmarks
    from bench.__main__ import load

    # When it is imported, I expect nothing to be in the way
    for file in FILES:
        load(ROOT / file)


@pytest.mark.parametrize("name", sorted(benchmarks().keys() - IMPORTED_ONLY))
@in_a_fresh_process
def test_the_smallest_run_of_a_benchmark_works(name: str) -> None:
    # Given a benchmark, in an interpreter of its own as it always is
    from bench.__main__ import load

    module = load(ROOT / "bench" / f"{name}.py")

    # When all that it sets up runs once, I expect no error
    module.try_out()
