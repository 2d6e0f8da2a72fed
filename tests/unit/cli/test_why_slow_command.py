"""What `relive why-slow` prints below its sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from relive.commands.records.slow import _show
from relive_profiler.explore.diff_tree import diff_tree
from relive_profiler.explore.folding import Folded, Stack
from relive_profiler.explore.slow import Observed, explain
from relive_tracer.explore.models import InvocationRow
from relive_views.profiles.why_slow import WhySlowView

MS = 1_000_000
HANDLER = Stack("f", ("handler",), ("app.py",), (3,), 5, 50 * MS, 50 * MS)
SAMPLED = Folded([HANDLER], samples=5, profiles=1, invocations=1)
QUICK = Folded([replace(HANDLER, wall_ns=10 * MS, cpu_ns=10 * MS)], samples=5, profiles=1, invocations=1)


def shown(after: Folded, capsys: pytest.CaptureFixture[str]) -> str:
    others = [
        Observed(invocation_id=str(number), function="f", duration_ns=10 * MS, cpu_ns=2 * MS)
        for number in range(5)
    ]
    now = Observed(invocation_id="now", function="f", duration_ns=90 * MS, cpu_ns=80 * MS)
    answer = explain(now, others, QUICK, after, Folded())
    row = InvocationRow(invocation_id="now", function="f", version=1, status="crash")
    _show(WhySlowView(row=row, answer=answer, tree=diff_tree(QUICK, after)))
    done = capsys.readouterr()
    return done.out + done.err


def test_the_difference_of_the_lines_stands_below(capsys: pytest.CaptureFixture[str]) -> None:
    assert "handler  app.py:3" in shown(SAMPLED, capsys)


def test_what_has_no_samples_has_no_lines_that_took_less(capsys: pytest.CaptureFixture[str]) -> None:
    # Given one that was killed, I expect no tree in which all of its lines took nothing
    told = shown(Folded(), capsys)
    assert "it has no samples" in told
    assert "handler" not in told
