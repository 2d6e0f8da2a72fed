"""The states of a worker: one table, one place that writes them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.engine.invocation import InvokeRequest, Running
from relive_platform.engine.workers.life import (
    BUSY,
    FINISHING,
    FROZEN,
    GONE,
    IDLE,
    STARTING,
    TRANSITIONS,
    WorkerLife,
    WrongStep,
)

ENGINE = Path(__file__).resolve().parents[3] / "platform" / "relive_platform"
OWNED = {"state", "current", "ahead", "retiring", "condemned", "fingerprint"}
OWNER = "life.py"


def attempt() -> Running:
    return Running(
        request=InvokeRequest(function="f"),
        record=None,  # type: ignore[arg-type]
        future=None,  # type: ignore[arg-type]
        timeout_s=1.0,
        accepted_mono=0.0,
    )


def idle() -> WorkerLife:
    life = WorkerLife()
    life.become(IDLE)
    return life


def test_an_attempt_makes_it_busy_and_others_wait_behind() -> None:
    # Given an idle worker
    life, first, second = idle(), attempt(), attempt()
    # When it gets two attempts
    assert life.take(first)
    assert not life.take(second)
    # I expect it to have the first, and the second to be next
    assert (life.state, life.current, list(life.ahead)) == (BUSY, first, [second])
    life.become(FINISHING)
    assert life.drop() is first
    assert life.go_on() is second
    life.become(BUSY)


@pytest.mark.parametrize("state", [IDLE, BUSY, FINISHING, FROZEN])
def test_who_is_gone_stays_gone(state: str) -> None:
    life = WorkerLife()
    life.become(GONE)
    with pytest.raises(WrongStep, match=f"gone cannot become {state}"):
        life.become(state)


def test_what_failed_gets_no_attempt() -> None:
    life = idle()
    life.take(attempt())
    life.become(FROZEN)
    life.drop()
    with pytest.raises(WrongStep):
        life.take(attempt())


def test_the_first_reason_to_stop_it_stays() -> None:
    life = WorkerLife()
    life.condemn("timeout")
    life.condemn("finish")
    assert life.condemned == "timeout"


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
