"""Invocations that run beside each other: each keeps its own calls, within what there is for all."""

from __future__ import annotations

import random
import threading
from contextvars import Context, copy_context

import pytest
from relive_base.parts import Why
from relive_capture.record.recording import BesideRecorder, Recorded, RecordingLimits
from relive_capture.record.recording.recorded import CallRecording
from relive_capture.recording_format import Recording, ReplayNotes

KIB = 1024


@pytest.fixture
def recorder() -> BesideRecorder:
    return BesideRecorder(limits=RecordingLimits(body_bytes=300 * KIB, total_bytes=100 * KIB))


def entered(recorder: BesideRecorder) -> tuple[Context, Recorded]:
    context = copy_context()
    return context, context.run(recorder.enter, 1_000)


def kept(recorder: BesideRecorder, context: Context) -> CallRecording:
    found = context.run(lambda: recorder.kept_calls)
    assert found is not None
    return found


def call(calls: CallRecording, url: str, answer: bytes = b"") -> None:
    made = calls.call("parts", "test", method="GET", url=url)
    made.answer_begins()
    made.received(answer)


def told(recorder: BesideRecorder, own: Recorded) -> Recording:
    return recorder.recording(ReplayNotes(), own)


def test_each_keeps_the_calls_of_its_own_code(recorder: BesideRecorder) -> None:
    # Given two that run at once
    (first, own), (second, other) = entered(recorder), entered(recorder)

    # When their code calls in turn, one of them in a thread that has a copy of its context
    call(kept(recorder, first), "/a", b"for a")
    call(kept(recorder, second), "/b", b"for b")
    thread = threading.Thread(target=first.copy().run, args=(lambda: call(kept(recorder, first), "/c"),))
    thread.start()
    thread.join()

    # I expect each to have its own, and nothing once it is over
    assert [one.url for one in told(recorder, own).recorded_calls] == ["/a", "/c"]
    assert [one.response for one in told(recorder, other).recorded_calls] == [b"for b"]
    recorder.leave(own)
    assert first.run(lambda: recorder.kept_calls) is None
    assert told(recorder, other).notes.served == 1


def test_all_together_keep_a_bounded_number_of_bytes(recorder: BesideRecorder) -> None:
    # Given ten that each get more than one may keep
    running = [entered(recorder) for _ in range(10)]
    for context, _ in running:
        call(kept(recorder, context), "/large", b"x" * 250 * KIB)

    # I expect four times the limit of one in all, and the rest to be counted
    sizes = [len(told(recorder, own).recorded_calls[0].response) for _, own in running]
    cuts = [told(recorder, own).recorded_calls[0].response_cut for _, own in running]
    assert max(sizes) == 100 * KIB
    assert sum(sizes) == 400 * KIB
    assert all(size + cut == 250 * KIB for size, cut in zip(sizes, cuts, strict=True))

    # ... and room again for others once they are over
    for _, own in running:
        recorder.leave(own)
    context, own = entered(recorder)
    call(kept(recorder, context), "/small", b"y" * KIB)
    assert told(recorder, own).recorded_calls[0].response_cut == 0


def test_calls_of_nobody_are_counted_while_somebody_runs(recorder: BesideRecorder) -> None:
    # Given one that runs, and code in a thread that belongs to none
    assert recorder.kept_calls is None
    _, own = entered(recorder)
    strays = recorder.kept_calls
    assert strays is not None
    call(strays, "/whose")

    # I expect its recording not to have the call, and to say so
    found = told(recorder, own)
    assert found.recorded_calls == []
    assert [(one.code, one.arguments) for one in found.notes.limits] == [(Why.CALLS_OF_NOBODY, (1,))]


def test_random_numbers_are_certain_only_of_one_that_ran_alone(recorder: BesideRecorder) -> None:
    # Given one that runs alone, and two at once
    _, alone = entered(recorder)
    random.random()
    limits = [told(recorder, alone).notes.limits]
    recorder.leave(alone)
    _, one = entered(recorder)
    entered(recorder)
    limits.append(told(recorder, one).notes.limits)  # nobody has drawn any
    random.random()
    limits.append(told(recorder, one).notes.limits)

    assert [[reason.code for reason in found] for found in limits] == [[], [], [Why.RANDOM_SHARED]]


def test_connections_that_others_have_opened_are_named(recorder: BesideRecorder) -> None:
    # Given a pool of connections to a database, which an earlier request has filled
    context, own = entered(recorder)
    calls = kept(recorder, context)
    calls.connected("db:5432")
    calls.connected("shop:80")
    calls.call("wire", "http.client", "http://shop:80")
    recorder.leave(own)

    # When another one runs
    _, later = entered(recorder)

    # I expect it to say that there are calls which are not in its recording
    assert told(recorder, later).connections == ["db:5432"]
