"""Answers to calls, as they are written on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_base.errors import UsageError
from relive_capture.record.playback.recorded_calls import RecordedCalls
from relive_platform.replay.answers import read_answer, read_answers


@pytest.mark.parametrize(
    ("text", "name", "body"),
    [
        ('orders={"id": 7}', "orders", b'{"id": 7}'),
        ("orders=null", "orders", b"null"),
        ('GET https://a.test/r?to=EUR&n=1={"rate": 1}', "GET https://a.test/r?to=EUR&n=1", b'{"rate": 1}'),
        ("bus:default=[]", "bus:default", b"[]"),
    ],
)
def test_a_name_and_its_answer(text: str, name: str, body: bytes) -> None:
    answer = read_answer(text)
    assert (answer.name, answer.body) == (name, body)


def test_an_answer_that_no_call_was_for_is_told() -> None:
    calls = RecordedCalls([], answers=read_answers(["orders=1", "orders=2", "other={}"]))
    assert calls.take("invoke", "CALL", "orders", b"") is not None
    assert calls.unasked() == ["other"]


@pytest.mark.parametrize("text", ["orders", "orders={", "={}", "orders=@/nowhere", ""])
def test_what_is_no_answer_says_so(text: str) -> None:
    with pytest.raises(UsageError):
        read_answer(text)


def test_an_answer_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    file.write_text("[1]")
    assert read_answer(f"orders=@{file}").body == b"[1]"


def test_several_answers_of_one_name_are_given_in_order() -> None:
    calls = RecordedCalls([], answers=read_answers(["orders=1", "orders=2", 'https://a.test/={"a": 1}']))

    given = [calls.take("invoke", "CALL", "orders", b"") for _ in range(3)]
    web = calls.take("http", "GET", "https://a.test", b"")

    assert [one.response_body.text for one in given if one is not None] == ["1", "2", "2"]
    assert web is not None
    assert web.status == 200
    assert calls.take("http", "GET", "https://b.test/", b"") is None
    assert (len(calls.given), calls.missing) == (4, ["GET https://b.test/"])
