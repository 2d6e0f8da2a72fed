"""What a worker may tell: of its own invocations, and within its function's limit."""

from __future__ import annotations

from relive_base.wire.messages import LogLine, Logs, SpanData, Spans, encode_payload
from relive_platform.engine.intake import FLOOD_BYTES, Intake, frame_invocation, frame_lines
from relive_platform.evidence import LOGS, SPANS, Take

ID = "01a2273a-8fe9-765f-a2d4-25a95b06b645"
OTHER = "01a2273a-0000-765f-a2d4-25a95b06b645"
LIMIT = 10_000


def logs(*bodies: str, invocation_id: str = ID, **more: str) -> bytes:
    lines = [LogLine(1, "INFO", body, attributes=dict(more)) for body in bodies]
    return encode_payload(Logs(invocation_id=invocation_id, lines=lines))


def span(name: str, invocation_id: str = ID) -> bytes:
    data = SpanData("1" * 32, "2" * 16, "3" * 16, name, "Internal", 1, 2)
    return encode_payload(Spans(invocation_id=invocation_id, spans=[data]))


def takes(intake: Intake, payload: bytes, take: Take) -> bool:
    return intake.takes(frame_invocation(payload).decode(), payload, take)


def test_the_id_of_a_frame_is_read_without_decoding_it() -> None:
    for text in ("", "short", ID, "x" * 200):
        assert frame_invocation(logs("a", invocation_id=text)) == text.encode()
        assert frame_invocation(span("a", text)) == text.encode()


def test_the_lines_of_a_frame_are_counted_without_decoding_it() -> None:
    for count in (0, 1, 15, 16, 300, 70_000):
        for text in ("", "short", ID, "x" * 200):
            assert frame_lines(logs(*["a"] * count, invocation_id=text)) == count

    for broken in (b"\x93", b"\xdc", b"\x93\xa4logs", b"\x93\xa4logs\xd9", b"\x93\xa4logs\xa0\xc0"):
        assert frame_lines(broken) == 0


def test_a_worker_tells_of_its_own_invocations_alone() -> None:
    # Given a worker that had one invocation, and has another
    intake = Intake(LIMIT)
    intake.begin("the-one-before")
    intake.begin(ID)
    # I expect lines of both, of none, and of nobody else's
    assert takes(intake, logs("a"), LOGS)
    assert takes(intake, logs("late", invocation_id="the-one-before"), LOGS)
    assert takes(intake, logs("between", invocation_id=""), LOGS)
    assert not takes(intake, logs("forged", invocation_id=OTHER), LOGS)
    assert not takes(intake, span("forged", OTHER), SPANS)


def test_one_that_keeps_to_its_limit_is_never_cut_however_short_its_lines() -> None:
    intake = Intake(LIMIT)
    intake.begin(ID)
    for _ in range(LIMIT // 2):  # a byte and its newline: the frames are thirty times as large
        assert takes(intake, logs("x"), LOGS)


def test_one_that_ignores_its_limit_gets_twice_as_much_and_no_more() -> None:
    intake = Intake(LIMIT)
    intake.begin(ID)
    taken = sum(takes(intake, logs("y" * 500), LOGS) for _ in range(1_000)) * 500
    assert taken + 1_000 >= LIMIT
    assert taken <= 2 * LIMIT
    # Attributes are no way around it
    intake.begin(OTHER)
    wide = logs("", invocation_id=OTHER, key="z" * 8_000)
    assert sum(takes(intake, wide, LOGS) for _ in range(100)) <= 5
    # ... and the next invocation has all of its own again
    intake.begin("next")
    assert takes(intake, logs("again", invocation_id="next"), LOGS)


def test_spans_have_a_limit_and_a_flood_is_told() -> None:
    intake = Intake(LIMIT)
    intake.begin(ID)
    large = span("n" * 1_000_000)
    taken = sum(takes(intake, large, SPANS) for _ in range(40))
    assert taken * len(large) <= SPANS.limit_bytes
    assert not intake.flooded
    for _ in range(FLOOD_BYTES // len(large)):
        takes(intake, large, SPANS)
    assert intake.flooded
