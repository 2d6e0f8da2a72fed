"""What `relive invoke --header` takes, and what the answer tells."""

from __future__ import annotations

import pytest
from relive.server.http_call import Answer, headers_of
from relive_base.errors import UsageError


def test_headers_are_written_as_for_curl() -> None:
    assert headers_of(["X-Team: blue", "Accept:text/plain", "X-Time: 10:30"]) == [
        ("X-Team", "blue"),
        ("Accept", "text/plain"),
        ("X-Time", "10:30"),
    ]


@pytest.mark.parametrize("line", ["no colon", ": no name", "X: a\r\nY: b", ""])
def test_what_is_none_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="is not a header"):
        headers_of([line])


def test_the_answer_knows_its_invocation() -> None:
    headers = [("X-Relive-Invocation-Id", "01"), ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01")]
    answer = Answer(status=200, reason="OK", headers=headers, body=b"", seconds=0.1)

    assert (answer.invocation_id, answer.trace_id) == ("01", "a" * 32)
    assert Answer(status=404, reason="", headers=[], body=b"", seconds=0).trace_id == ""
