"""Ids, trace context, terminal text, the invocation record, errors."""

from __future__ import annotations

import os
import random
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.errors import ExitCode, NotFound, ReliveError, UsageError
from relive_base.ids import IdSource, new_invocation_id, new_span_id, new_trace_id
from relive_base.records import InvocationRecord
from relive_base.terminal import cells, escape_terminal, one_line
from relive_base.traceparent import TraceParent, format_traceparent, parse_traceparent


def test_ids_have_their_form_and_do_not_repeat() -> None:
    traces = {new_trace_id() for _ in range(2000)}
    spans = {new_span_id() for _ in range(2000)}

    assert len(traces) == len(spans) == 2000
    assert {len(value) for value in traces} == {32}
    assert {len(value) for value in spans} == {16}


def test_an_invocation_id_is_a_uuid_of_version_7_with_the_time() -> None:
    before_ms = time.time_ns() // 1_000_000
    value = uuid.UUID(new_invocation_id())
    after_ms = time.time_ns() // 1_000_000

    assert value.version == 7
    assert value.variant == uuid.RFC_4122
    assert before_ms <= value.int >> 80 <= after_ms


def test_drawing_ids_leaves_the_users_random_numbers_alone() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)

    new_trace_id()
    new_invocation_id()

    assert random.random() == expected


def test_a_forked_child_draws_other_ids() -> None:
    new_trace_id()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, new_trace_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reader, 32).decode()
    os.close(reader)
    os.close(writer)

    assert len(theirs) == 32
    assert theirs != new_trace_id()


def test_a_reset_source_goes_on() -> None:
    source = IdSource()
    first = source.trace_id()
    source.reset()

    assert source.trace_id() != first


hex_ids = st.integers(1, 2**64 - 1)


@given(st.integers(1, 2**128 - 1), hex_ids, st.booleans())
def test_a_traceparent_survives_its_text(trace: int, span: int, sampled: bool) -> None:
    parent = TraceParent(f"{trace:032x}", f"{span:016x}", sampled)

    assert parse_traceparent(format_traceparent(parent.trace_id, parent.span_id, sampled=sampled)) == parent


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        "00-" + "0" * 32 + "-" + "1" * 16 + "-01",
        "00-" + "1" * 32 + "-" + "0" * 16 + "-01",
        "ff-" + "1" * 32 + "-" + "1" * 16 + "-01",
        "00-" + "1" * 32 + "-" + "1" * 16 + "-01-more",
        "00-" + "A" * 32 + "-" + "1" * 16 + "-01",
        "00-" + "1" * 31 + "-" + "1" * 16 + "-01",
    ],
)
def test_an_invalid_traceparent_is_no_parent(header: str) -> None:
    assert parse_traceparent(header) is None


def test_a_newer_version_may_say_more() -> None:
    assert parse_traceparent(f"01-{'1' * 32}-{'2' * 16}-00-more") == TraceParent("1" * 32, "2" * 16, False)


@given(st.text())
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    escaped = escape_terminal(text)

    assert all(char.isprintable() or char in "\n\t" or not char.isascii() for char in escaped)
    assert "\x1b" not in escaped
    assert "\n" not in one_line(text)
    assert cells(one_line(text, 20)) <= 20


def test_what_reorders_text_is_made_visible() -> None:
    assert escape_terminal("a\u202eb\x1b[2J") == "a\\u202eb\\x1b[2J"


def record(**times: int) -> InvocationRecord:
    return InvocationRecord(
        invocation_id="i", function="f", version=1, trace_id="t", span_id="s", trigger_span_id="u", **times
    )


def test_durations_come_from_the_times_and_are_never_negative() -> None:
    warm = record(accepted_ns=100, dispatched_ns=130, started_ns=140, ended_ns=200)
    cold = record(
        accepted_ns=100,
        init_started_ns=110,
        init_ended_ns=150,
        dispatched_ns=150,
        started_ns=160,
        ended_ns=150,
    )

    assert (warm.queue_ns, warm.init_ns, warm.duration_ns) == (30, 0, 60)
    assert (cold.queue_ns, cold.init_ns, cold.duration_ns) == (10, 40, 0)
    assert record().queue_ns == record().duration_ns == 0


@pytest.mark.parametrize(
    ("status", "failed"), [("ok", False), ("rejected", False), ("error", True), ("crash", True)]
)
def test_which_attempts_failed(status: str, failed: bool) -> None:
    found = record()
    found.status = status

    assert found.failed is failed


def test_an_error_names_what_where_and_the_hint() -> None:
    error = UsageError("unknown key 'x'", where="relive.toml:3", hint="remove it")

    assert str(error) == "relive.toml:3: unknown key 'x'\n  hint: remove it"
    assert error.exit_code == ExitCode.USAGE
    assert str(NotFound()) == "Nothing was found under that name or id."
    assert issubclass(NotFound, ReliveError)
