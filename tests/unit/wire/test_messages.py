"""Messages that are written by hand."""

from __future__ import annotations

from relive_base.wire.messages import HttpRequest, Invoke, decode_frame, encode_frame, encode_invoke


def test_an_event_is_encoded_as_its_message_is() -> None:
    """Given an event with each field set, when it is encoded in one step, I expect what its message would be,
    also if a text of it has lone surrogates."""
    for trace_state in ("a=1", "\udc80"):
        invoke = Invoke(
            invocation_id="i",
            trace_id="t",
            span_id="s",
            deadline_monotonic_ns=5,
            event=b"{}",
            http=HttpRequest("GET", "/", headers=[("host", "here")]),
            attempt=2,
            trigger="http",
            trace_state=trace_state,
            sampled=False,
            profile="precise",
            depth=3,
            start_before_monotonic_ns=7,
            baggage="b=2",
            stream=True,
            context={"arn": "x"},
            more=True,
            wire="websocket",
            sent_monotonic_ns=11,
        )
        data = encode_invoke(*(getattr(invoke, name) for name in Invoke.__struct_fields__))
        assert data == encode_frame(invoke)
        assert type(decode_frame(data[4:])) is Invoke
