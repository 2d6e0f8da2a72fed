"""The states of a worker: one table, one place that writes them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from engine_fakes import an_attempt
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.engine.attempt import AHEAD, RUNNING, WAITING
from relive_platform.engine.workers.life import (
    BUSY,
    FROZEN,
    GONE,
    IDLE,
    STARTING,
    TRANSITIONS,
    WorkerLife,
    WrongStep,
)

ENGINE = Path(__file__).resolve().parents[3] / "platform" / "relive_platform"
OWNED = {"state", "attempts", "begun", "began_mono", "retiring", "condemned", "condemned_for", "fingerprint"}
OWNER = "life.py"
WAIT_S = 0.02


def idle(capacity: int = 1) -> WorkerLife:
    life = WorkerLife(capacity)
    life.become(IDLE)
    return life


def test_an_attempt_makes_it_busy_and_others_wait_behind() -> None:
    # Given an idle worker
    life, first, second = idle(), an_attempt("1"), an_attempt("2")
    # When it gets two attempts
    assert life.take(first, 1.0, WAIT_S)
    assert not life.take(second, 1.0, WAIT_S)
    # I expect it to run the first, and the second to be next
    assert (life.state, life.begun, life.ahead) == (BUSY, 1, 1)
    assert (life.find("1"), life.find("2"), life.only()) == (first, None, first)
    life.drop(first)
    life.go_on(2.0)
    assert (life.find("2"), second.state, life.began_mono, life.ahead) == (second, RUNNING, 2.0, 0)


def test_as_many_run_at_once_as_it_has_capacity_for() -> None:
    # Given a worker that runs three attempts at once
    life = idle(3)
    attempts = [an_attempt(str(number)) for number in range(5)]
    # When it gets five
    begun = [life.take(attempt, float(number), WAIT_S) for number, attempt in enumerate(attempts)]
    # I expect three to run, each found by its id, and nothing that names none to be anybody's
    assert begun == [True, True, True, False, False]
    assert life.running() == attempts[:3]
    assert [life.find(str(number)) for number in range(5)] == [*attempts[:3], None, None]
    assert life.only() is None
    # When the second of them is done
    life.drop(attempts[1])
    life.go_on(9.0)
    # I expect the first of those behind to begin, and the last one to wait still
    assert life.running() == [attempts[0], attempts[2], attempts[3]]
    assert (life.begun, life.room, life.ahead, attempts[4].state) == (3, 0, 1, AHEAD)


def test_what_was_sent_ahead_is_given_up_in_its_order() -> None:
    life = idle()
    attempts = [an_attempt(str(number)) for number in range(3)]
    for attempt in attempts:
        life.take(attempt, 1.0, WAIT_S)
    assert life.give_up_ahead() == attempts[1:]
    assert [attempt.state for attempt in attempts] == [RUNNING, WAITING, WAITING]
    assert life.begun_attempts() == attempts[:1]


def test_two_attempts_at_one_invocation_are_refused() -> None:
    # Given a worker with an attempt
    life, first = idle(2), an_attempt("1")
    life.take(first, 1.0, WAIT_S)
    # When it is to get another one at the same invocation, I expect it to refuse, and to keep the first
    with pytest.raises(WrongStep, match="two attempts at 1"):
        life.take(an_attempt("1"), 1.0, WAIT_S)
    assert life.find("1") is first


@pytest.mark.parametrize("state", [IDLE, BUSY, FROZEN])
def test_who_is_gone_stays_gone(state: str) -> None:
    life = WorkerLife()
    life.become(GONE)
    with pytest.raises(WrongStep, match=f"gone cannot become {state}"):
        life.become(state)


def test_what_failed_gets_no_attempt() -> None:
    life, failed = idle(), an_attempt("1")
    life.take(failed, 1.0, WAIT_S)
    life.become(FROZEN)
    life.drop(failed)
    with pytest.raises(WrongStep):
        life.take(an_attempt("2"), 1.0, WAIT_S)


def test_the_first_reason_to_stop_it_stays() -> None:
    life = WorkerLife()
    life.condemn("timeout", "1")
    life.condemn("finish", "2")
    assert (life.condemned, life.condemned_for) == ("timeout", "1")


@given(st.lists(st.sampled_from(sorted(TRANSITIONS)), max_size=20))
def test_whatever_is_tried_only_steps_of_the_table_are_made(wanted: list[str]) -> None:
    life = WorkerLife()
    assert life.state == STARTING
    for state in wanted:
        before = life.state
        if state in TRANSITIONS[before]:
            life.become(state)
        else:
            with pytest.raises(WrongStep):
                life.become(state)
            assert life.state == before


def test_nobody_else_writes_the_life_of_a_worker() -> None:
    writes = []
    for file in ENGINE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for target in targets if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) else ():
                ours = isinstance(target, ast.Attribute) and target.attr in OWNED and file.name != OWNER
                if ours and ast.unparse(target.value) in ("worker", "kept.worker", "walk.worker", "oldest"):
                    writes.append(f"{file.name}:{node.lineno}")
                if ours and file.name == "worker.py" and ast.unparse(target.value) == "self":
                    writes.append(f"{file.name}:{node.lineno}")
    assert writes == []
