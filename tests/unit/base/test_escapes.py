"""Texts with lone surrogates go everywhere, as escapes."""

from __future__ import annotations

import json

import msgspec
import pytest
from relive_base.escapes import encodable, encode_escaped, to_json
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import (
    ErrorInfo,
    LogLine,
    Logs,
    Result,
    Scene,
    SpanData,
    Spans,
    decode_frame,
    encode_payload,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain", "plain"), ("größe", "größe"), ("caf\udce9", "caf\\udce9"), ("\ud83d x", "\\ud83d x")],
)
def test_what_utf8_cannot_carry_is_escaped(text: str, shown: str) -> None:
    assert encodable(text) == shown
    assert (
        to_json({text: [text]})
        == json.dumps({shown: [shown]}, ensure_ascii=False, separators=(",", ":")).encode()
    )


def test_frames_with_lone_surrogates_keep_everything_else() -> None:
    # Given frames of every sort whose texts UTF-8 cannot carry
    bad = "a\udce9"
    error = ErrorInfo(type=bad, message=bad, file=bad, function=bad)
    frames = [
        Result(invocation_id="i", status="error", started_ns=1, ended_ns=2, body=b"\xff\x00", error=error),
        Scene(invocation_id="i", captured_ns=1, error=error, members={bad: b"\xff"}, redactions=[bad]),
        Logs(invocation_id="i", lines=[LogLine(1, "INFO", bad, attributes={bad: bad})]),
        Spans(invocation_id="i", spans=[SpanData("t", "s", "", bad, "Internal", 1, 2)]),
    ]
    for frame in frames:
        # When they go over the wire
        found = decode_frame(encode_payload(frame))
        # Then these texts have escapes, bytes and numbers are what they were
        assert type(found) is type(frame)
        text = str(msgspec.to_builtins(found, builtin_types=(bytes,)))
        assert "a\\\\udce9" in text
        assert text.replace("\\\\udce9", "\\udce9") == str(msgspec.to_builtins(frame, builtin_types=(bytes,)))


def test_what_can_be_carried_is_encoded_as_ever() -> None:
    assert encode_escaped(msgspec.msgpack.encode, {"a": b"\xff"}) == msgspec.msgpack.encode({"a": b"\xff"})


def test_an_event_with_a_secret_and_a_lone_surrogate_stays_json() -> None:
    places: list[str] = []
    data = b'{"name": "\\udce9", "password": "hunter2hunter2"}'

    clean = Redactor().json_bytes(data, "event", places)

    assert json.loads(clean) == {"name": "\udce9", "password": "[redacted]"}
    assert places == ["event.password"]
