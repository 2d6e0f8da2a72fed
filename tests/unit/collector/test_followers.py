"""Live lines: bounded, redacted, and only for those who ask."""

from __future__ import annotations

from relive_base.wire.messages import FunctionSpec, LogLine, Logs, SpanData, Spans, encode_payload
from relive_platform.signals.exporters.followers import QUEUE_LINES, Followers


def _spec(name: str) -> FunctionSpec:
    return FunctionSpec(name=name, version=1, handler="m:f", source="")


def _logs(*texts: str) -> bytes:
    lines = [LogLine(1, "INFO", text) for text in texts]
    return encode_payload(Logs(invocation_id="i", lines=lines))


async def test_a_follower_gets_its_functions_lines_redacted() -> None:
    followers = Followers()
    assert not followers
    follower = followers.add("mine")

    followers.offer(_spec("other"), "i", _logs("not for me"))
    followers.offer(_spec("mine"), "i", _logs("password=hunter2"))

    line = await follower.get()
    assert (line.function, line.invocation_id, line.line.body) == ("mine", "i", "password=[redacted]")


async def test_a_reader_that_is_too_slow_loses_the_oldest_lines_and_knows_it() -> None:
    followers = Followers()
    follower = followers.add()

    for number in range(QUEUE_LINES + 5):
        followers.offer(_spec("f"), "i", _logs(str(number)))

    assert follower.dropped == 5
    assert (await follower.get()).line.body == "5"


async def test_spans_are_not_lines() -> None:
    followers = Followers()
    follower = followers.add()
    span = SpanData("t", "s", "", "n", "Internal", 1, 2)

    followers.offer(_spec("f"), "i", encode_payload(Spans(invocation_id="i", spans=[span])))
    followers.offer(_spec("f"), "i", _logs("line"))

    assert (await follower.get()).line.body == "line"
    followers.remove(follower)
    assert not followers
