"""Messages of the debug adapter: however they are cut, the same come out, and what is none is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from relive.dap.wire import MESSAGE_BYTES, Decoder, WireError, encode

words = st.text(max_size=20)
messages = st.dictionaries(words, st.one_of(words, st.integers(), st.none(), st.lists(words, max_size=3)))


class Stream(RuleBasedStateMachine):
    """Messages are sent, and arrive in pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = Decoder()
        self.sent: list[dict[str, Any]] = []
        self.found: list[dict[str, Any]] = []
        self.way = b""

    @rule(message=messages, typed=st.booleans())
    def send(self, message: dict[str, Any], typed: bool) -> None:
        data = encode(message)
        self.sent.append(message)
        self.way += b"Content-Type: application/vscode-jsonrpc\r\n" + data if typed else data

    @precondition(lambda self: self.way)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        size = data.draw(st.integers(1, len(self.way)))
        self.found += self.decoder.feed(self.way[:size])
        self.way = self.way[size:]

    @invariant()
    def what_arrived_is_what_was_sent(self) -> None:
        assert self.found == self.sent[: len(self.found)]
        if not self.way:
            assert len(self.found) == len(self.sent)
            assert not self.decoder.within


TestStream = Stream.TestCase
TestStream.settings = settings(max_examples=15, stateful_step_count=20)


@settings(max_examples=50)
@given(st.binary(max_size=200), st.integers(1, 50))
def test_what_is_no_message_is_refused_or_waits_for_more(data: bytes, size: int) -> None:
    decoder = Decoder()
    try:
        for start in range(0, len(data), size):
            for found in decoder.feed(data[start : start + size]):
                assert isinstance(found, dict)
    except WireError:
        pass


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"POST / HTTP/1.1\r\n", "begins with Content-Length"),
        (b"Content-Length: 2\r\nHost: x\r\n\r\n{}", "begins with Content-Length"),
        (b"Content-Length: -1\r\n\r\n", "is a number"),
        (b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "one Content-Length"),
        (b"Content-Length: %d\r\n\r\n" % (MESSAGE_BYTES + 1), "over the limit"),
        (b"Content-Type: " + b"x" * 2_000, "the head of a message"),
        (b"Content-Length: 4\r\n\r\nnull", "JSON object"),
        (b"Content-Length: 3\r\n\r\n{\xff}", "not JSON"),
        (b"Content-Length: 100000\r\n\r\n" + b"[" * 100_000, "not JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_limit_is_named(data: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        Decoder().feed(data)


def test_text_that_is_no_unicode_is_sent_all_the_same() -> None:
    (found,) = Decoder().feed(encode({"text": "\ud800é"}))

    assert found == {"text": "\ud800é"}
    assert json.loads(encode({"a": 1}).partition(b"\r\n\r\n")[2]) == {"a": 1}
