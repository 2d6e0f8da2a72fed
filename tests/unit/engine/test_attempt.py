"""An attempt: one table of steps, one place that writes it, and what each step leaves in the record."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from engine_fakes import an_attempt, answer_of, done_of
from hypothesis import given
from hypothesis import strategies as st
from relive_base.records import InvocationRecord
from relive_base.wire.messages import ErrorInfo, Exited
from relive_platform.engine.attempt import (
    AHEAD,
    ANSWERED,
    ATTEMPT_STEPS,
    FINISHED,
    RUNNING,
    WAITING,
    Attempt,
    WrongAttemptStep,
)
from relive_platform.engine.evidence import Evidence

PLATFORM = Path(__file__).resolve().parents[3] / "platform" / "relive_platform"
OWNERS = {"attempt": "attempt.py", "evidence": "evidence.py"}
TIMEOUT = ErrorInfo(type="Timeout", message="too long", kind="timeout")


def test_a_deadline_is_the_attempts_own_and_counts_from_its_turn() -> None:
    # Given an attempt that may take two seconds
    attempt = an_attempt(timeout_s=2.0)
    # When a worker begins it
    attempt.begin(100.0)
    # I expect it to be overdue two seconds and a grace later
    assert not attempt.overdue(102.4, 0.5)
    assert attempt.overdue(102.6, 0.5)
    # ... unless its timeout is being captured
    attempt.capture_until(105.0)
    attempt.capture_until(999.0)  # once
    assert not attempt.overdue(104.9, 0.5)
    assert attempt.overdue(105.1, 0.5)


def test_what_was_sent_ahead_keeps_the_deadline_that_its_worker_was_told() -> None:
    # Given an attempt that was sent ahead, and may wait 20 ms
    attempt = an_attempt(timeout_s=2.0)
    attempt.send_ahead(100.0, 0.02)
    told = attempt.deadline_mono
    assert (attempt.state, attempt.start_before_mono) == (AHEAD, 100.02)
    # When its turn comes
    attempt.begin(100.01)
    # I expect the same deadline
    assert (attempt.state, attempt.deadline_mono, attempt.began_mono) == (RUNNING, told, 100.01)


def test_what_was_given_back_begins_anew() -> None:
    attempt = an_attempt(timeout_s=2.0)
    attempt.send_ahead(100.0, 0.02)
    attempt.give_back()
    attempt.begin(200.0)
    assert (attempt.deadline_mono, attempt.start_before_mono) == (202.0, 0.0)


def test_an_answer_and_what_follows_it_complete_the_record() -> None:
    # Given an attempt that runs, and of which the server has refused a line
    attempt = an_attempt()
    attempt.begin(100.0)
    attempt.refuse(1)
    attempt.evidence.hold(5_000)
    # When its worker answers, and tells the rest
    attempt.answer(answer_of(attempt))
    record = attempt.record
    assert (record.status, record.started_ns, record.ended_ns, record.result_bytes) == ("ok", 10, 20, 1)
    attempt.finish(done_of(attempt, cpu_ns=7, peak_rss_bytes=4_000, spans=2, dropped=3))
    # I expect all of it in the record
    assert (record.cpu_ns, record.peak_rss_bytes, record.spans, record.dropped) == (7, 5_000, 2, 4)
    assert (attempt.state, record.has_scene) == (FINISHED, False)


def test_an_attempt_that_was_lost_ends_when_that_is_known() -> None:
    # Given an attempt whose caller has heard of its timeout already
    attempt = an_attempt()
    attempt.dispatch(50, 4_711, 1, "instance", 1)
    attempt.begin(100.0)
    attempt.fail("timeout", TIMEOUT)
    # When its process is reaped
    exited = Exited(worker_id=1, pid=4_711, status=9, peak_rss_bytes=9_000, cpu_ns=8)
    attempt.lose("timeout", TIMEOUT, 99, exited, 8, ready=True)
    attempt.finish()
    # I expect its times and what the system says of it
    record = attempt.record
    assert (record.started_ns, record.ended_ns, record.cpu_ns, record.peak_rss_bytes) == (50, 99, 8, 9_000)
    assert record.has_scene


def test_one_that_waited_for_a_worker_gets_what_came_of_loading_the_module() -> None:
    attempt = an_attempt()
    attempt.record.accepted_ns = 40
    loading = Evidence(scene=b"scene", spans=[b"span"], logs=[b"line"])
    attempt.lose_start(4_711, 1, 30, 90, loading)
    record, evidence = attempt.record, attempt.evidence
    assert (record.cold, record.init_started_ns, record.init_ended_ns) == (True, 40, 90)
    assert (evidence.scene, evidence.spans, evidence.logs) == (b"scene", [b"span"], [b"line"])
    evidence.spans.append(b"another")
    assert loading.spans == [b"span"]


STEPS = {
    AHEAD: lambda attempt: attempt.send_ahead(1.0, 0.1),
    RUNNING: lambda attempt: attempt.begin(1.0),
    WAITING: lambda attempt: attempt.give_back(),
    ANSWERED: lambda attempt: attempt.fail("timeout", TIMEOUT),
    FINISHED: lambda attempt: attempt.finish(),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=20))
def test_whatever_is_tried_only_steps_of_the_table_are_made(wanted: list[str]) -> None:
    attempt = an_attempt()
    for state in wanted:
        before, status = attempt.state, attempt.record.status
        if state in ATTEMPT_STEPS[before]:
            STEPS[state](attempt)
            assert attempt.state == state
        else:
            with pytest.raises(WrongAttemptStep):
                STEPS[state](attempt)
            assert (attempt.state, attempt.record.status) == (before, status)


def test_nobody_else_writes_an_attempt_or_its_evidence() -> None:
    structs = (Attempt, Evidence, InvocationRecord)
    fields = {name for struct in structs for name in struct.__struct_fields__}
    writes = []
    for file in (PLATFORM / "engine").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) else ():
                if not isinstance(target, ast.Attribute):
                    continue
                owner = ast.unparse(target.value)
                of_attempt = owner.endswith(("attempt", "evidence", "attempt.record", "loading"))
                if of_attempt and target.attr in fields and file.name not in OWNERS.values():
                    writes.append(f"{file.name}:{node.lineno}")
    assert writes == []
